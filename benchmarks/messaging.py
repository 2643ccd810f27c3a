"""How long messages take, and how many go through, all ways in turns.

Other work on the machine comes and goes. So every round measures every way once, one
right after the other, and ways are compared within rounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import attrs

from benchmarks.bare import BareSystem, Leaf, Router
from benchmarks.report import Result, Summary, compare
from benchmarks.runtime import SINK, SOURCE, ManagedRuntime, RawRuntime

ITEM: Final = b"x" * 32
_TIMES_COALESCED: Final = 20


@attrs.frozen
class Sizes:
    """How much one run does."""

    seconds: float
    """No further round begins after so many seconds."""
    rounds: int
    asks: int
    """Per round, one at a time."""
    pipelined: int
    """Items per round; outstanding at once where the way allows it."""
    tasks: int
    sends_per_task: int


@attrs.frozen
class _Way:
    """One way for items to go, and how many go in a round."""

    count: int
    run: Callable[[], object]
    prepare: Callable[[], object] = lambda: None

    def seconds_per_item(self) -> float:
        self.prepare()
        began = time.perf_counter()
        self.run()
        return (time.perf_counter() - began) / self.count


def compare_messaging(
    bare: BareSystem, raw: RawRuntime, managed: ManagedRuntime, sizes: Sizes
) -> tuple[list[Result], Summary]:
    """
    Returns:
        the comparisons, and what a bare ask without a router takes, in ms.
    """
    managed.start(SINK, SOURCE)
    router, leaf = bare.create(Router), bare.create(Leaf)
    asks, many, tasks, each = sizes.asks, sizes.pipelined, sizes.tasks, sizes.sends_per_task
    ways = {
        "bare routed": _Way(asks, lambda: bare.ask_each(router, ITEM, asks)),
        "raw": _Way(asks, lambda: raw.send_each(ITEM, asks)),
        "managed": _Way(asks, lambda: managed.send_each(ITEM, asks)),
        "bare direct": _Way(asks, lambda: bare.ask_each(leaf, ITEM, asks)),
        "bare pipelined": _Way(many, lambda: bare.pipeline(router, ITEM, many)),
        "sends": _Way(many, lambda: managed.send_at_once(ITEM, many)),
        "receives": _Way(
            many,
            lambda: managed.receive_at_once(many),
            prepare=lambda: managed.fill_source(ITEM, many),
        ),
        "coalesced": _Way(tasks * each, lambda: managed.send_from_tasks(ITEM, tasks, each)),
    }
    samples = _interleave(ways, sizes)

    def latency(name: str, way: str) -> Result:
        return compare(name, "ms", _ms(samples[way]), _ms(samples["bare routed"]))

    def throughput(name: str, way: str, reference: str) -> Result:
        ours, theirs = _per_second(samples[way]), _per_second(samples[reference])
        return compare(name, "items/s", ours, theirs, higher_is_better=True)

    coalesced = compare(
        f"send, {tasks:,} tasks at once, vs one at a time",
        "items/s",
        _per_second(samples["coalesced"]),
        _per_second(samples["bare routed"]),
        higher_is_better=True,
        target=(
            f"at least {_TIMES_COALESCED} x",
            lambda _, ratio: ratio.median >= _TIMES_COALESCED,
        ),
    )
    results = [
        latency("request, ActorSystem.ask, one at a time", "raw"),
        latency("send, manager, one at a time", "managed"),
        throughput("send, pipelined from one task", "sends", "bare pipelined"),
        throughput("receive, pipelined from one task", "receives", "bare pipelined"),
        coalesced,
    ]
    return results, Summary.of(_ms(samples["bare direct"]))


def _interleave(ways: dict[str, _Way], sizes: Sizes) -> dict[str, list[float]]:
    samples: dict[str, list[float]] = {name: [] for name in ways}
    end = time.monotonic() + sizes.seconds
    for number in range(-1, sizes.rounds):
        if number > 2 and time.monotonic() > end:
            break
        for name, way in ways.items():
            seconds = way.seconds_per_item()
            if number >= 0:  # the round before the first warms up
                samples[name].append(seconds)
    return samples


def _ms(samples: list[float]) -> list[float]:
    return [seconds * 1000 for seconds in samples]


def _per_second(samples: list[float]) -> list[float]:
    return [1 / seconds for seconds in samples]
