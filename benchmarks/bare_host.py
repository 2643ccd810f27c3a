"""A small process with bare leaf actors, so that their memory can be looked at.

Usage: ``python -m benchmarks.bare_host COUNT``. Prints their process ids, and ends when
its standard input does; its actors are left to whoever started it. Imports nothing that
a bare Thespian program would not, so that it is no :mod:`~benchmarks.worker`.
"""

import sys

from benchmarks.bare import BareSystem

_PATIENCE = 30.0


def main(count: int) -> None:
    system = BareSystem("multiprocTCPBase")
    system.grow(count, _PATIENCE)
    system.spread(10 * count)
    print(*system.pids(), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]))
