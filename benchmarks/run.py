"""Measures this runtime, and what it stands on, beside Thespian's own, and prints tables.

Usage: ``python -m benchmarks.run [--quick] [--only PART]... [--json FILE]``, from the
checkout's root. Everything stays on this machine, and whatever is started is gone at the end.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import attrs

from actors import loggers
from benchmarks.bases import compare_bases
from benchmarks.cleanup import end_all, nothing_left_behind
from benchmarks.comparison import compare_runtime
from benchmarks.durable import measure_durable
from benchmarks.flatness import measure_flatness
from benchmarks.machine import machine_facts
from benchmarks.managed import measure_manager
from benchmarks.policies import measure_policies
from benchmarks.settings import FULL, QUICK, Settings

PARTS: Final[dict[str, Callable[[Settings], Any]]] = {
    "bases": lambda settings: compare_bases(settings.bases),
    "durable": lambda settings: measure_durable(settings.durable),
    "flatness": lambda settings: measure_flatness(settings.flatness),
    "manager": lambda settings: measure_manager(settings.manager),
    "policies": lambda settings: measure_policies(settings.policies),
    "runtime": lambda settings: compare_runtime(settings.runtime),
}
"""What each gives has a ``text()`` for people, and ``as_dict()`` for programs."""


def measure(parts: Iterable[str], settings: Settings) -> dict[str, Any]:
    """Measure these parts one after the other, and print each.

    Returns:
        by part what it found; one that fails is not there, and the others are measured.
    """
    found = {}
    for part in parts:
        try:
            results = PARTS[part](settings)
        except Exception:
            print(f"The part {part!r} failed.", file=sys.stderr)
            traceback.print_exc()
        else:
            print("\n" + results.text(), flush=True)
            found[part] = results.as_dict()
        finally:
            # What a part leaves to the kernel to end must not run beside the next.
            end_all()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short run, with wider spreads")
    parser.add_argument(
        "--only",
        action="append",
        choices=PARTS,
        metavar="PART",
        help=f"run only this part, and others that are named so: {', '.join(PARTS)}",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there as well")
    arguments = parser.parse_args()
    parts = [part for part in PARTS if part in (arguments.only or PARTS)]
    settings = QUICK if arguments.quick else FULL
    # Its warnings about a system that was killed are no news here.
    logging.getLogger(loggers.ALL).setLevel(logging.ERROR)
    machine = machine_facts()
    print(", ".join(f"{fact}: {value}" for fact, value in machine.items()))
    print("Numbers are medians, in brackets the quartiles.", flush=True)
    try:
        with nothing_left_behind():
            found = measure(parts, settings)
    except KeyboardInterrupt:
        return 130
    if arguments.json is not None:
        document = {"machine": machine, "settings": attrs.asdict(settings), **found}
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")
    return 0 if len(found) == len(parts) else 1


if __name__ == "__main__":
    sys.exit(main())
