"""What the manager's way costs and brings, measured against bare actors asked directly."""

from __future__ import annotations

from typing import Final

import attrs

from benchmarks.bases import TCP, UNIX, routers
from benchmarks.grid import Comparison, Grid, Line, Target
from benchmarks.memory import memory_of_systems
from benchmarks.rounds import Samples, interleave, timed, told
from benchmarks.runtime import ITEM, SINK, ManagedRuntime
from benchmarks.worker import Worker

_SEND: Final = "send, manager, one at a time"
_TASKS: Final = "send, manager, 1,000 tasks"
_DIRECT: Final = "bare direct request"
_ROUTED: Final = "bare routed request"
_MANAGER: Final = "manager"
_LOOPS: Final = "two loops"


@attrs.frozen
class Sizes:
    """How much one run does; counts are per round."""

    seconds: float
    """No further round begins after so many seconds."""
    rounds: int
    asks: int
    sends_per_task: int
    systems: int
    """Whose memory is measured."""


def measure_manager(sizes: Sizes) -> Grid:
    """One at a time next to a base that is as fast; tasks next to Thespian's usual base."""
    tasks, each, asks = 1000, sizes.sends_per_task, sizes.asks
    with (
        routers(UNIX, TCP) as workers,
        Worker("benchmarks.loops_host") as loops,
        ManagedRuntime() as runtime,
    ):
        runtime.start(SINK)
        groups = [
            {
                (_SEND, _MANAGER): timed(
                    lambda: runtime.send_each(ITEM, asks), asks, runtime.warm_up
                ),
                (_DIRECT, _LOOPS): told(loops, "direct", asks),
                (_DIRECT, UNIX): told(workers[UNIX], "direct", asks),
                (_ROUTED, UNIX): told(workers[UNIX], "routed", asks),
            },
            {
                (_TASKS, _MANAGER): timed(
                    lambda: runtime.send_from_tasks(ITEM, tasks, each),
                    tasks * each,
                    runtime.warm_up,
                ),
                (_DIRECT, TCP): told(workers[TCP], "direct", asks),
                (_ROUTED, TCP): told(workers[TCP], "routed", asks),
            },
        ]
        samples = interleave(groups, sizes.rounds, sizes.seconds)
    send, coalesced = samples[_SEND, _MANAGER], samples[_TASKS, _MANAGER]
    memory = [size / 1e6 for size in memory_of_systems(sizes.systems)]
    return Grid(
        "Manager: against bare actors",
        [
            Line.of("one at a time", "ms", _alone(samples), lambda seconds: seconds * 1e3),
            Line.of("1,000 tasks", "items/s", {_MANAGER: coalesced}, lambda seconds: 1 / seconds),
        ],
        [
            Comparison.of(
                f"{_SEND} / {_DIRECT} on {UNIX}", send, samples[_DIRECT, UNIX], Target(1.6)
            ),
            Comparison.of(f"{_SEND} / {_ROUTED} on {UNIX}", send, samples[_ROUTED, UNIX]),
            Comparison.of(f"{_SEND} / {_LOOPS}", send, samples[_DIRECT, _LOOPS]),
            Comparison.of(
                f"{_LOOPS} / {_DIRECT} on {UNIX}", samples[_DIRECT, _LOOPS], samples[_DIRECT, UNIX]
            ),
            # Throughputs: the inverse of seconds per item.
            Comparison.of(
                f"{_TASKS} / {_ROUTED} on {TCP}",
                samples[_ROUTED, TCP],
                coalesced,
                Target(50, at_least=True),
            ),
            Comparison.of(f"{_TASKS} / {_DIRECT} on {TCP}", samples[_DIRECT, TCP], coalesced),
            Comparison.of_quantity(
                f"memory per system actor (PSS), {sizes.systems} systems", "MB", memory, Target(6)
            ),
        ],
    )


def _alone(samples: dict[tuple[str, str], Samples]) -> dict[str, Samples]:
    return {
        _MANAGER: samples[_SEND, _MANAGER],
        _LOOPS: samples[_DIRECT, _LOOPS],
        **{
            f"{side}, {asked}": samples[way, side]
            for side in (UNIX, TCP)
            for asked, way in (("direct", _DIRECT), ("routed", _ROUTED))
        },
    }
