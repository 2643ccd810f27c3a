"""From kill -9 of a system's process to its first answer."""

from __future__ import annotations

import os
import signal
import time
from typing import Final

from benchmarks.bare import BareSystem, MendingRouter
from benchmarks.report import Result, compare
from benchmarks.runtime import CALM, VICTIM, ManagedRuntime

_PATIENCE: Final = 10.0
_LIMIT_MS: Final = 100.0
_ITEM: Final = b"are you there?"


def compare_restarts(bare: BareSystem, runtime: ManagedRuntime, rounds: int) -> Result:
    """Kill either side's process in turns. The mock connects at once, so that connecting
    adds nothing to the time allowed."""
    runtime.start(VICTIM)
    router = bare.create(MendingRouter)
    ours, theirs = [], []
    for _ in range(rounds):
        time.sleep(CALM * 1.5)
        began = _kill(runtime.pid_of(VICTIM))
        runtime.send_until_answered(_ITEM, _PATIENCE)
        ours.append((time.perf_counter() - began) * 1000)

        began = _kill(bare.pid_of_leaf(router))
        bare.ask(router, _ITEM)
        theirs.append((time.perf_counter() - began) * 1000)
    target = f"at most {_LIMIT_MS:g} ms + connect time"
    return compare(
        "restart: kill -9 to first answer",
        "ms",
        ours,
        theirs,
        target=(target, lambda mine, _: mine.median <= _LIMIT_MS),
    )


def _kill(pid: int) -> float:
    began = time.perf_counter()
    os.kill(pid, signal.SIGKILL)
    return began
