"""Ways to do something, measured in turns.

Other work on a machine comes and goes. So every round measures every way once, one right
after the other, and ways are compared within rounds. The first round is thrown away.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

import attrs

from benchmarks.worker import NoWorker, Worker, WorkerError

K = TypeVar("K", bound=Hashable)

Way = Callable[[], float]
"""Does it once, and returns what was measured."""


def timed(
    work: Callable[[], object], count: int, prepare: Callable[[], object] = lambda: None
) -> Way:
    """Seconds for each of the ``count`` things that this does, once it is prepared."""

    def way() -> float:
        prepare()
        began = time.perf_counter()
        work()
        return (time.perf_counter() - began) / count

    return way


def told(worker: Worker | NoWorker, method: str, count: int, *arguments: int) -> Way:
    """Seconds for each of the ``count`` things that a worker does, by its own clock."""
    return lambda: worker.call(method, count, *arguments) / count


@attrs.define
class Samples:
    """What one way measured."""

    values: list[float] = attrs.field(factory=list)
    """One a round."""
    failure: WorkerError | None = None
    """Why there is nothing, or nothing more; then it takes no part in further rounds."""


def interleave(
    groups: Sequence[Mapping[K, Way]], rounds: int, seconds: float = float("inf")
) -> dict[K, Samples]:
    """Measure all ways of all groups, those of a group next to one another.

    Args:
        rounds: how many count.
        seconds: no further round begins after so many, once three count.
    """
    samples = {key: Samples() for group in groups for key in group}
    end = time.monotonic() + seconds
    for number in range(-1, rounds):
        if number > 2 and time.monotonic() > end:
            break
        for group in groups:
            keys = list(group)
            for place in order(len(keys), number + 1):
                _measure(group[keys[place]], samples[keys[place]], counts=number >= 0)
    return samples


def order(ways: int, number: int) -> list[int]:
    """The order of a round, such that no way always follows the same other one.

    This is Williams's design: over as many rounds as there are ways, or twice as many if
    that is odd, each follows each other equally often, and has each place equally often.
    """
    # 0, 1, -1, 2, -2... moved on by one with every round
    zigzag = [(place + 1) // 2 * (1 if place % 2 else -1) for place in range(ways)]
    places = [(offset + number) % ways for offset in zigzag]
    return places[::-1] if ways % 2 and number % 2 else places


def _measure(way: Way, samples: Samples, *, counts: bool) -> None:
    if samples.failure is not None:
        return
    try:
        value = way()
    except WorkerError as error:
        samples.failure = error
        return
    if counts:
        samples.values.append(value)
