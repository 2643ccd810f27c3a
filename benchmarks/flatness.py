"""Whether a request takes longer the more system actors there are.

A side has a worker for each number of leaves, with as many under its router, and these take
their turns; the leaf asked is always the same one, or each in turn. The sides come one after
the other: all their processes at once would need some 10 GB, and no ratio is of two sides.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

import attrs

from benchmarks.bases import SIDES, UNIX, scaled, start_side
from benchmarks.cleanup import end_all
from benchmarks.grid import Comparison, Grid, Line, Target
from benchmarks.rounds import Samples, interleave, told
from benchmarks.worker import NoWorker, Worker, WorkerError

_FLAT: Final = Target(1.3)
_METHODS: Final = {"one leaf": "routed", "leaves in turns": "spread"}


@attrs.frozen
class Sizes:
    """How much one run does."""

    seconds: float
    """Of one side no further round begins after so many seconds."""
    rounds: int
    asks: int
    """Per round."""
    leaves: tuple[int, ...]
    """From few to many."""
    growth: float
    """Seconds in which a router has to have its leaves."""


def measure_flatness(sizes: Sizes) -> Grid:
    """Measure the numbers of leaves of a side next to one another."""
    samples: dict[tuple[str, str, int], Samples] = {}
    for side in SIDES:
        samples |= _measure(side, sizes)
        # The kernel takes a while to end so many.
        end_all()
    return Grid(
        "Flatness: routed requests, by the number of leaves that the router has",
        [
            Line.of(
                f"routed, {leaves} leaves, {asked}",
                "ms",
                {side: samples[asked, side, leaves] for side in SIDES},
                lambda seconds: seconds * 1e3,
            )
            for asked in _METHODS
            for leaves in sizes.leaves
        ],
        [
            _comparison(samples, side, asked, sizes.leaves[0], leaves, sizes.leaves[-1])
            for asked in _METHODS
            for side in SIDES
            for leaves in sizes.leaves[1:]
        ],
    )


def _measure(side: str, sizes: Sizes) -> dict[tuple[str, str, int], Samples]:
    """By how the leaf asked is chosen, side, and number of leaves."""
    with ExitStack() as stack:
        workers = {leaves: _grown(side, leaves, sizes.growth, stack) for leaves in sizes.leaves}
        groups = [
            {
                (asked, side, leaves): told(worker, method, scaled(side, sizes.asks))
                for leaves, worker in workers.items()
            }
            for asked, method in _METHODS.items()
        ]
        return interleave(groups, sizes.rounds, sizes.seconds)


def _grown(side: str, leaves: int, seconds: float, stack: ExitStack) -> Worker | NoWorker:
    """A worker whose router has so many leaves, if it can in that time."""
    worker = start_side(side)
    stack.callback(worker.end)
    try:
        found = worker.call("grow", leaves, seconds, timeout=2 * seconds)
    except WorkerError as error:
        return NoWorker(str(error), error.verdict)
    if found < leaves:
        worker.end()
        return NoWorker(f"{found} of {leaves} leaves after {seconds:g} s", "not measured")
    return worker


def _comparison(
    samples: dict[tuple[str, str, int], Samples],
    side: str,
    asked: str,
    few: int,
    many: int,
    most: int,
) -> Comparison:
    target = _FLAT if side == UNIX and many == most else None
    over, under = samples[asked, side, many], samples[asked, side, few]
    return Comparison.of(f"{side}, {asked}: {many} / {few} leaves", over, under, target)
