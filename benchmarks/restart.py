"""From kill -9 of the processes of systems to their first answers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Final

from benchmarks.report import Result, alone, compare
from benchmarks.runtime import CALM, VICTIM, ManagedRuntime
from benchmarks.worker import Worker

_PATIENCE: Final = 60.0
_TWICE: Final = 0.5
"""The ratio of at most twice the time of bare Thespian."""
_ITEM: Final = b"are you there?"


def compare_restarts(bare: Worker, runtime: ManagedRuntime, rounds: int) -> Result:
    """Kill either side's process in turns. The mock connects at once, so that connecting
    adds nothing to the time allowed."""
    runtime.start(VICTIM)
    ours, theirs = [], []
    for _ in range(rounds):
        time.sleep(CALM * 1.5)
        ours.append(
            _time_to_answer(
                runtime.pids_of(VICTIM),
                lambda: runtime.send_until_answered(_ITEM, _PATIENCE, VICTIM),
            )
        )
        theirs.append(bare.call("restart", signal.SIGKILL) * 1000)
    return compare(
        "restart: kill -9 to first answer",
        "ms",
        ours,
        theirs,
        target=("at most twice bare", lambda _, ratio: ratio.median >= _TWICE),
    )


def measure_mass_restarts(runtime: ManagedRuntime, systems: int, rounds: int) -> Result:
    """Kill the processes of many systems at once, until all of them answer.

    There is nothing to compare it with: of so many exits at once Thespian loses some
    notices, so that a bare actor that waits for them waits for ever.
    """
    names = [f"{VICTIM}-{number}" for number in range(systems)]
    runtime.start(*names)
    ours = []
    for _ in range(rounds):
        time.sleep(CALM * 1.5)
        ours.append(
            _time_to_answer(
                runtime.pids_of(*names),
                lambda: runtime.send_until_answered(_ITEM, _PATIENCE, *names),
            )
        )
    return alone(f"restart: {systems} killed at once, all answer", "ms", ours)


def _time_to_answer(pids: list[int], ask: Callable[[], object]) -> float:
    """Kill these processes, and ask until there is an answer; in milliseconds."""
    began = time.perf_counter()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    ask()
    return (time.perf_counter() - began) * 1000
