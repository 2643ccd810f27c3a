"""This runtime's side of the comparison, by both of its ways in."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from actors import Policy
from actors.messages import ConnectSystem, DataSent, SendData, SystemConnected
from benchmarks.bare import WARM_UPS
from supervisor import (
    ExternalSystemManager,
    RestartPolicy,
    Supervisor,
    SupervisorOptions,
    SystemSpec,
)
from supervisor.messages import RegisterSystem, SystemRegistered
from supervisor.runtime.actor_system import start_actor_system
from supervisor.specs.options import LogLevel

T = TypeVar("T")

ITEM: Final = b"x" * 32
_ANSWER_TIMEOUT: Final = 10.0
_STARTED_AT_ONCE: Final = 10
"""Systems: each has a time in which it must have started, also on a busy machine."""
SINK: Final = "sink"
"""The mock system that takes items."""
SOURCE: Final = "source"
"""The mock system that gives back the items it was sent."""
VICTIM: Final = "victim"
"""The mock system that is killed."""
CALM: Final = 0.2
"""Seconds after which a restart counts as long ago, so that the next has no backoff."""


class RawRuntime:
    """A supervisor in an actor system of this process, asked by actor messages.

    Ended like a bare one, with its worker.
    """

    def __init__(self) -> None:
        directory = Path(tempfile.mkdtemp(prefix="raw-", dir=os.environ["XDG_RUNTIME_DIR"]))
        self._system = start_actor_system(directory)
        self._supervisor = self._system.createActor(Supervisor)
        self._ask(RegisterSystem(SystemSpec(SINK, "mock")), SystemRegistered)
        self._ask(ConnectSystem(SINK), SystemConnected)

    def send_each(self, count: int) -> float:
        """Send ``count`` items, each with an ``ask`` of its own; in seconds."""
        for _ in range(WARM_UPS):
            self._ask(SendData(SINK, ITEM), DataSent)
        began = time.perf_counter()
        for _ in range(count):
            self._ask(SendData(SINK, ITEM), DataSent)
        return time.perf_counter() - began

    def _ask(self, request: Any, expected: type) -> None:
        reply = self._system.ask(self._supervisor, request, _ANSWER_TIMEOUT)
        if not isinstance(reply, expected):
            raise RuntimeError(f"{type(request).__name__} was answered by {reply}")


class ManagedRuntime:
    """An embedded runtime behind an :class:`ExternalSystemManager`; every method blocks."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._manager = ExternalSystemManager(
            strict=True, options=SupervisorOptions(log_level=LogLevel.CRITICAL)
        )
        self._patient = RestartPolicy(max_restarts=2, period=CALM, stable_after=CALM)

    def start(self, *names: str) -> None:
        """Start connected mock systems of these names."""
        for first in range(0, len(names), _STARTED_AT_ONCE):
            for name in names[first : first + _STARTED_AT_ONCE]:
                self._manager.register_system(
                    SystemSpec(name, "mock", {"echo": name == SOURCE}, restart=self._patient)
                )
            self._run(self._manager.connect_all())

    def start_with(self, policy: Policy, name: str) -> None:
        """Start a connected mock system whose calls are looked after."""
        self._manager.register_system(SystemSpec(name, "mock", policy=policy))
        self._run(self._manager.connect_all())

    def send_each(self, item: bytes, count: int, name: str = SINK) -> None:
        """Send ``count`` items, one after the other."""

        async def send() -> None:
            for _ in range(count):
                await self._manager.send_data_to_system(name, item)

        self._run(send())

    def warm_up(self) -> None:
        """Wake its processes, as the bare sides do before they measure."""
        self.send_each(ITEM, WARM_UPS)

    def send_at_once(self, item: bytes, count: int) -> None:
        """Send ``count`` items from one task, all outstanding together."""
        sends = (self._manager.send_data_to_system(SINK, item) for _ in range(count))
        self._run(_all_of(*sends))

    def fill_source(self, item: bytes, count: int) -> None:
        """Have ``count`` items wait to be received."""
        self._run(self._manager.send_many_to_system(SOURCE, [item] * count))

    def receive_at_once(self, count: int) -> None:
        """Receive ``count`` items into one task, all outstanding together."""
        receives = (self._manager.receive_data_from_system(SOURCE) for _ in range(count))
        items = self._run(_all_of(*receives))
        if None in items:
            raise RuntimeError("an item was not received")

    def send_from_tasks(self, item: bytes, tasks: int, each: int) -> None:
        """Send from many tasks at once, each one item after the other."""

        async def send() -> None:
            for _ in range(each):
                await self._manager.send_data_to_system(SINK, item)

        self._run(_all_of(*(send() for _ in range(tasks))))

    def send_until_answered(self, item: bytes, seconds: float, *names: str) -> None:
        """Send to each of these systems again and again until it takes an item.

        Raises:
            TimeoutError: one did not.
        """

        async def send(name: str) -> None:
            while True:
                try:
                    await self._manager.send_data_to_system(name, item)
                    return
                except Exception:
                    await asyncio.sleep(0.001)

        async def send_to_all() -> None:
            async with asyncio.timeout(seconds):
                await asyncio.gather(*map(send, names))

        self._run(send_to_all())

    def pids_of(self, *names: str) -> list[int]:
        pids = {system.name: system.pid for system in self._run(self._manager.status_all())}
        found = [pids[name] for name in names]
        if None in found:
            raise RuntimeError(f"without a process: {[n for n in names if pids[n] is None]}")
        return [pid for pid in found if pid is not None]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._run(self._manager.close())
        finally:
            self._runner.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)


async def _all_of(*work: Coroutine[Any, Any, T]) -> list[T]:
    return await asyncio.gather(*work)
