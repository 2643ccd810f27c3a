"""How the root of a runtime is started by a program that is one with its interpreter.

Such a program, as PyInstaller and others make it, has no Python beside it that could run a module:
what would be started is the program itself, which would start itself again, without end.
"""

from __future__ import annotations

import sys
from typing import Final

_FLAG: Final = "--extsys-embedded-root"

_is_supported = False


def freeze_support() -> None:
    """To be called first of all by a program that is to be frozen, such as by PyInstaller.

    In the process that a frozen program starts for its runtime, this does not return: it runs the
    root of the runtime, and ends the process. Elsewhere it does nothing, like its namesake in
    ``multiprocessing``.
    """
    global _is_supported
    _is_supported = True
    if getattr(sys, "frozen", False) and sys.argv[1:2] == [_FLAG]:
        from supervisor.runtime.embedded_root import run_embedded

        sys.exit(run_embedded(*map(int, sys.argv[2:])))


def root_program() -> list[str]:
    """The beginning of the command line that starts a root.

    Raises:
        RuntimeError: this program is frozen, and would start itself anew.
    """
    if not getattr(sys, "frozen", False):
        return [sys.executable, "-P", "-m", "supervisor.runtime.embedded_root"]
    if not _is_supported:
        raise RuntimeError(
            "the runtime did not start: this program is frozen, and does not begin with "
            "supervisor.freeze_support(); call it as the first thing under "
            'if __name__ == "__main__"'
        )
    return [sys.executable, _FLAG]
