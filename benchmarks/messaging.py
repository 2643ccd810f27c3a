"""How long messages take, and how many go through, all ways in turns."""

from __future__ import annotations

from typing import Final

import attrs

from benchmarks.report import Result, compare
from benchmarks.rounds import interleave, timed, told
from benchmarks.runtime import ITEM, SINK, SOURCE, ManagedRuntime
from benchmarks.summary import Summary
from benchmarks.worker import Worker

_OUTSTANDING: Final = 20
"""Items on their way at once on the bare side: Thespian's own limit."""
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


def compare_messaging(
    bare: Worker, raw: Worker, managed: ManagedRuntime, sizes: Sizes
) -> tuple[list[Result], Summary]:
    """
    Returns:
        the comparisons, and what a bare ask without a router takes, in ms.
    """
    managed.start(SINK, SOURCE)
    samples = _measure(bare, raw, managed, sizes)

    def latency(name: str, way: str) -> Result:
        return compare(name, "ms", _ms(samples[way]), _ms(samples["bare routed"]))

    def throughput(name: str, way: str, reference: str) -> Result:
        ours, theirs = _per_second(samples[way]), _per_second(samples[reference])
        return compare(name, "items/s", ours, theirs, higher_is_better=True)

    coalesced = compare(
        f"send, {sizes.tasks:,} tasks at once, vs one at a time",
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


def _measure(
    bare: Worker, raw: Worker, managed: ManagedRuntime, sizes: Sizes
) -> dict[str, list[float]]:
    """Seconds per item, of every way.

    Raises:
        WorkerError: one failed; there is nothing to compare without it.
    """
    asks, many, tasks, each = sizes.asks, sizes.pipelined, sizes.tasks, sizes.sends_per_task

    ways = {
        "bare routed": told(bare, "routed", asks),
        "raw": told(raw, "send_each", asks),
        "managed": timed(lambda: managed.send_each(ITEM, asks), asks, managed.warm_up),
        "bare direct": told(bare, "direct", asks),
        "bare pipelined": told(bare, "pipelined", many, _OUTSTANDING),
        "sends": timed(lambda: managed.send_at_once(ITEM, many), many, managed.warm_up),
        "receives": timed(
            lambda: managed.receive_at_once(many),
            many,
            prepare=lambda: managed.fill_source(ITEM, many),
        ),
        "coalesced": timed(
            lambda: managed.send_from_tasks(ITEM, tasks, each), tasks * each, managed.warm_up
        ),
    }
    found = {}
    for name, samples in interleave([ways], sizes.rounds, sizes.seconds).items():
        if samples.failure is not None:
            raise samples.failure
        found[name] = samples.values
    return found


def _ms(samples: list[float]) -> list[float]:
    return [seconds * 1000 for seconds in samples]


def _per_second(samples: list[float]) -> list[float]:
    return [1 / seconds for seconds in samples]
