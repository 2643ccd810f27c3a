"""A small process with bare leaf actors, so that their memory can be looked at.

Usage: ``python -m benchmarks.bare_host COUNT``. Prints their process ids, and ends when
its standard input does; its actors are left to whoever started it. Imports nothing that
a bare Thespian program would not.
"""

import sys

from benchmarks.bare import BareSystem, Nursery


def main(count: int) -> None:
    system = BareSystem()
    leaves = system.ask(system.create(Nursery), count)
    for leaf in leaves:
        system.ask_each(leaf, b"x" * 32, 10)
    print(*map(system.pid_of_leaf, leaves), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]))
