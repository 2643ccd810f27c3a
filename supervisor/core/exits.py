"""How a process ended. Pure."""

from __future__ import annotations

import signal as signals
from typing import Final

import attrs

from actors.messages import NORMAL_EXIT, Reason

_KILL: Final = "SIGKILL"
"""The signal that the kernel ends a process with when memory runs out."""


@attrs.frozen(kw_only=True)
class ProcessExit:
    """How a process ended, as far as whoever started it can tell."""

    code: int | None = None
    """Its exit code, if it exited by itself."""
    signal: str | None = None
    """Such as ``SIGSEGV``, if a signal ended it."""
    out_of_memory: bool | None = None
    """Whether the kernel killed it for want of memory, as far as the kernel's count of such
    kills tells; None where that cannot be told."""

    told_to: bool = False
    """Whether it exits because somebody else than its supervisor told it to."""

    @classmethod
    def of(cls, exitcode: int | None, out_of_memory: bool | None = None) -> ProcessExit:
        """
        Args:
            exitcode: as ``multiprocessing`` has it: the number of a signal is negative, and
                None is unknown.
            out_of_memory: counts for a SIGKILL only; nothing else is the kernel's way.
        """
        if exitcode is None:
            return cls()
        if exitcode >= 0:
            return cls(code=exitcode, out_of_memory=False)
        try:
            name = signals.Signals(-exitcode).name
        except ValueError:
            name = f"signal {-exitcode}"
        return cls(signal=name, out_of_memory=out_of_memory if name == _KILL else False)

    @property
    def is_normal(self) -> bool:
        """Whether it exited by itself with exit code 0."""
        return self.code == 0

    @property
    def how(self) -> str | None:
        """The same in words, to follow the name of the process; None if nothing is known."""
        if self.code is not None:
            return f"ended with exit code {self.code}"
        if self.told_to:
            return "was told to exit from outside, as by a SIGTERM"
        if self.signal is None:
            return None
        memory = ", probably by the kernel, for want of memory" if self.out_of_memory else ""
        return f"was killed by {self.signal}{memory}"

    def reason(self) -> Reason | None:
        """The same as the reason of a crash; None if nothing is known."""
        if self.how is None:
            return None
        kind = NORMAL_EXIT if self.is_normal else "exit" if self.signal is None else "killed"
        return Reason(kind, f"its process {self.how}")
