"""Measures this runtime side by side with bare Thespian, and prints one table.

Usage: ``python -m benchmarks.run [--quick] [--json FILE]``, from the checkout's root.
Everything stays on this machine, and whatever is started is gone at the end.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import Final

import attrs

from benchmarks.bare import BareSystem
from benchmarks.cleanup import nothing_left_behind
from benchmarks.memory import compare_memory
from benchmarks.messaging import Sizes, compare_messaging
from benchmarks.report import Result, Summary, machine_facts, table, write_json
from benchmarks.restart import compare_restarts, measure_mass_restarts
from benchmarks.runtime import ManagedRuntime, RawRuntime


@attrs.frozen
class Settings:
    sizes: Sizes
    restarts: int
    mass: int
    """Systems killed at once,"""
    mass_restarts: int
    """and how often."""
    systems: int
    """Whose memory is measured."""


FULL: Final = Settings(
    Sizes(seconds=90, rounds=30, asks=100, pipelined=1000, tasks=1000, sends_per_task=5),
    restarts=20,
    mass=100,
    mass_restarts=5,
    systems=20,
)
QUICK: Final = Settings(
    Sizes(seconds=6, rounds=5, asks=30, pipelined=200, tasks=1000, sends_per_task=2),
    restarts=5,
    mass=10,
    mass_restarts=2,
    systems=5,
)


def measure(settings: Settings) -> tuple[list[Result], Summary]:
    """
    Returns:
        all comparisons, and what a bare ask without a router takes, in ms.
    """
    # First what is forked from this process: it must not have threads then.
    bare = BareSystem()
    raw = RawRuntime()
    with ManagedRuntime() as managed:
        results, direct = compare_messaging(bare, raw, managed, settings.sizes)
        results.append(compare_restarts(bare, managed, settings.restarts))
    with ManagedRuntime() as managed:
        results.append(measure_mass_restarts(managed, settings.mass, settings.mass_restarts))
    results.append(compare_memory(settings.systems))
    return results, direct


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short run, with wider spreads")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there as well")
    arguments = parser.parse_args()
    settings = QUICK if arguments.quick else FULL
    # Its warnings about a system that was killed are no news here.
    logging.getLogger("supervisor").setLevel(logging.ERROR)
    machine = machine_facts()
    try:
        with nothing_left_behind():
            results, direct = measure(settings)
    except KeyboardInterrupt:
        return 130
    print(", ".join(f"{fact}: {value}" for fact, value in machine.items()))
    print(table(results))
    print(f"For orientation, a bare ask without a router takes {direct.median:.3g} ms.")
    print("Numbers are medians, in brackets the quartiles; a ratio above 1 is in our favour.")
    if arguments.json is not None:
        write_json(arguments.json, machine, attrs.asdict(settings), results, direct)
    return 0


if __name__ == "__main__":
    sys.exit(main())
