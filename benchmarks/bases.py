"""Actor-system bases beside each other, and beside the limit.

Each side is a worker of its own with a router, the router's leaf, and a leaf without a
router. They do the same, one after the other.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import attrs

from benchmarks.grid import Comparison, Grid, Line, Target
from benchmarks.rounds import Samples, Way, interleave, told
from benchmarks.worker import NoWorker, Worker, WorkerError

UNIX: Final = "Unix"
TCP: Final = "TCP"
UDP: Final = "UDP"
LIMIT: Final = "limit"
SIDES: Final = (UNIX, TCP, UDP, LIMIT)

_UNIX_MODULE: Final = "actors.unix_base"
"""Importing it makes its base known to Thespian."""
_MODULES: Final = {
    UNIX: ("benchmarks.base_host", "multiprocUnixBase", _UNIX_MODULE),
    TCP: ("benchmarks.base_host", "multiprocTCPBase"),
    UDP: ("benchmarks.base_host", "multiprocUDPBase"),
    LIMIT: ("benchmarks.limit_host",),
}
_GROWTH: Final = 30.0
"""Seconds in which one leaf surely is there."""


@attrs.frozen
class Sizes:
    """How much one run does; counts are per round."""

    seconds: float
    """No further round begins after so many seconds."""
    rounds: int
    asks: int
    pipelined: int
    small: int
    """Round trips of 100 kB."""
    big: int
    """Bytes of a big payload, which goes once."""
    creations: int


@attrs.frozen
class _Measure:
    """What every side does, by one method of its worker."""

    name: str
    count: int
    """How often in a round; the limit more often, unless it is once."""
    method: str
    arguments: tuple[int, ...] = ()
    bytes: int = 0
    """Of a payload, there and back; its throughput is told as well."""
    per_second: bool = False

    def way(self, side: str, worker: Worker | NoWorker) -> Way:
        count = self.count if self.count == 1 else scaled(side, self.count)
        return told(worker, self.method, count, *self.arguments)

    def lines(self, sides: dict[str, Samples]) -> list[Line]:
        if self.per_second:
            return [Line.of(self.name, "items/s", sides, lambda seconds: 1 / seconds)]
        lines = [Line.of(self.name, "ms", sides, lambda seconds: seconds * 1e3)]
        if self.bytes:
            lines.append(
                Line.of(self.name, "MB/s", sides, lambda seconds: self.bytes / seconds / 1e6)
            )
        return lines


def scaled(side: str, count: int) -> int:
    """How often this side does what others do ``count`` times. So few would be over on the
    limit in a few milliseconds, of which a pause is much."""
    return count * 10 if side == LIMIT else count


def start_side(side: str) -> Worker | NoWorker:
    """A worker of this side, or what tells why there is none."""
    if side == UNIX and not _there_is(_UNIX_MODULE):
        return NoWorker(f"there is no {_UNIX_MODULE}", "skipped")
    try:
        return Worker(*_MODULES[side])
    except WorkerError as error:
        return NoWorker(f"it did not start: {error}", "failed")


def _there_is(module: str) -> bool:
    spec = importlib.util.find_spec(module)
    return spec is not None and spec.origin is not None


@contextmanager
def routers(*sides: str) -> Iterator[dict[str, Worker | NoWorker]]:
    """A worker of each of these sides, its router with one leaf."""
    with ExitStack() as stack:
        workers = {}
        for side in sides:
            workers[side] = start_side(side)
            stack.callback(workers[side].end)
            try:
                workers[side].call("grow", 1, _GROWTH)
            except WorkerError:
                pass  # so will its measures, and tell why
        yield workers


def compare_bases(sizes: Sizes) -> Grid:
    """Measure all sides, each measure of all of them next to one another."""
    measures = _measures(sizes)
    with routers(*SIDES) as workers:
        groups = [
            {(measure.name, side): measure.way(side, worker) for side, worker in workers.items()}
            for measure in measures
        ]
        samples = interleave(groups, sizes.rounds, sizes.seconds)
    lines: list[Line] = []
    comparisons = []
    for measure in measures:
        sides = {side: samples[measure.name, side] for side in SIDES}
        lines += measure.lines(sides)
        comparisons += _comparisons(measure, sides)
    comparisons.append(
        Comparison.of(
            f"pipelined: {UNIX} with 64 / {TCP} with 20 outstanding",
            samples[_FEWER, TCP],
            samples[_PIPELINED, UNIX],
        )
    )
    return Grid(
        "Bases: the same actors on each, and the same hops without actors", lines, comparisons
    )


_ROUTED: Final = "routed request"
_PIPELINED: Final = "routed, pipelined, 64 outstanding"
_FEWER: Final = "routed, pipelined, 20 outstanding"
_TARGETS: Final = {
    (_ROUTED, TCP): Target(0.35),
    (_ROUTED, LIMIT): Target(2),
    (_PIPELINED, TCP): Target(8, at_least=True),
}


def _measures(sizes: Sizes) -> list[_Measure]:
    def payload(method: str, count: int, size: int, text: str) -> _Measure:
        name = f"{text} there and back, {method}"
        return _Measure(name, count, method, (size,), bytes=2 * size)

    megabytes = f"{sizes.big / 1e6:g} MB"
    return [
        _Measure("direct request", sizes.asks, "direct"),
        _Measure(_ROUTED, sizes.asks, "routed"),
        _Measure(_PIPELINED, sizes.pipelined, "pipelined", (64,), per_second=True),
        # Fewer at once are sometimes better for the TCP base.
        _Measure(_FEWER, sizes.pipelined, "pipelined", (20,), per_second=True),
        payload("direct", sizes.small, 100_000, "100 kB"),
        payload("routed", sizes.small, 100_000, "100 kB"),
        payload("direct", 1, sizes.big, megabytes),
        payload("routed", 1, sizes.big, megabytes),
        _Measure("create an actor, to its first answer", sizes.creations, "create"),
    ]


def _comparisons(measure: _Measure, sides: dict[str, Samples]) -> list[Comparison]:
    """Of the Unix base with Thespian's usual one, and with the limit."""
    found = []
    for other in (TCP, LIMIT):
        ours, theirs = sides[UNIX], sides[other]
        # Seconds per item, so that of throughputs it is the other way round.
        over, under = (theirs, ours) if measure.per_second else (ours, theirs)
        target = _TARGETS.get((measure.name, other))
        found.append(Comparison.of(f"{measure.name}: {UNIX} / {other}", over, under, target))
    return found
