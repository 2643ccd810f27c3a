"""Chaos: thirty systems in nested groups, killed, stopped and broken at random, with clients
that ask all the while. What holds afterwards is checked by :meth:`Chaos.check`."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import attrs
import psutil

from supervisor import (
    ChildNotFoundError,
    ExternalSystemError,
    ExternalSystemManager,
    RestartType,
    SupervisorOptions,
    SystemSpec,
    UnknownSystemError,
)
from supervisor.messages import DesiredState, EventKind, LifecycleEvent, SystemState, SystemStatus
from supervisor.specs.options import LogLevel
from tests.helpers.chaos_clients import Ledger, WireClient, host_client
from tests.helpers.chaos_plant import GROUPS, plant, systems
from tests.helpers.processes import parts_of

SETTLED_WITHIN = 60.0
"""Seconds after the last fault in which all is to be as it is meant to be."""
OPTIONS = SupervisorOptions(request_timeout=5.0, connect_timeout=10.0, log_level=LogLevel.CRITICAL)


@attrs.frozen(kw_only=True)
class Plan:
    seconds: float
    seed: int
    fault_every: float = 0.15
    """Seconds between two faults, on average."""
    supervisor_every: float | None = 8.0
    """Seconds between two kills of the supervisor; its guardian gives up at more than five
    within thirty seconds. None leaves it alone."""
    guardian_every: float | None = None
    """The same of the guardian, with which the whole runtime is started anew; its root gives
    up at more than three within a minute."""
    supervisor_stops: float | None = None
    """The same of a SIGSTOP, which its guardian takes twenty seconds to find."""
    hosts: int = 12
    """Tasks that ask by the manager."""
    wires: int = 3
    """Connections of their own."""


class Chaos:
    """One run. All in it happens on the event loop of :meth:`run`."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.ledger = Ledger()
        self.faults: Counter[str] = Counter()
        self.events: list[LifecycleEvent] = []
        self.parts_hit: list[tuple[str, int]] = []
        """Which part of the runtime, and how many events had been heard by then."""
        self._random = Random(plan.seed)
        self._over = asyncio.Event()
        self._wires: list[WireClient] = []
        self._orders: list[asyncio.Task[Any]] = []
        self._guests = count(1)

    async def run(self) -> None:
        """Everything, up to the checks."""
        async with ExternalSystemManager(strict=True, options=OPTIONS) as manager:
            stream = manager.events()
            for child in plant():
                await manager.start_child(child)
            listening = asyncio.create_task(self._listen(stream))
            names = [status.name for status in await manager.status_all()]
            await self._until_settled(manager)
            clients = self._start_clients(manager, names)
            try:
                await self._inject(manager, names)
                self._over.set()
                await asyncio.gather(*clients)
                await asyncio.gather(*self._orders)
                await self._until_settled(manager)
                await self._use_all(manager, names)
            finally:
                self._over.set()
                for client in clients:
                    client.cancel()
                await asyncio.gather(*clients, return_exceptions=True)
                for wire in self._wires:
                    await wire.close()
        await listening
        self.check()

    async def _listen(self, stream: Any) -> None:
        async for event in stream:
            self.events.append(event)

    def _start_clients(
        self, manager: ExternalSystemManager, names: list[str]
    ) -> list[asyncio.Task[None]]:
        seeds = Random(self.plan.seed + 1)
        path = manager._dialog.session._recovery.path
        assert Path(path).exists()
        self._wires = [
            WireClient(path, names, Random(seeds.random()), self.ledger, self._over)
            for _ in range(self.plan.wires)
        ]
        hosts = (
            host_client(manager, names, Random(seeds.random()), self.ledger, self._over)
            for _ in range(self.plan.hosts)
        )
        works = [*hosts, *(wire.run() for wire in self._wires)]
        return [asyncio.create_task(work) for work in works]

    # ---- faults --------------------------------------------------------------------------

    async def _inject(self, manager: ExternalSystemManager, names: list[str]) -> None:
        end = time.monotonic() + self.plan.seconds
        plan = self.plan
        rare = [
            _Rare(plan.supervisor_every, lambda: self._hit_supervisor(manager, signal.SIGKILL)),
            _Rare(plan.supervisor_stops, lambda: self._hit_supervisor(manager, signal.SIGSTOP)),
            _Rare(plan.guardian_every, lambda: self._kill_guardian(manager)),
        ]
        while (now := time.monotonic()) < end:
            for each in rare:
                each.look(now)
            name = self._random.choice(names)
            fault = self._random.choice(_FAULTS)
            self.faults[fault] += 1
            if fault in _SIGNALS:
                await self._signal(manager, name, _SIGNALS[fault])
            else:
                self._order(getattr(self, f"_{fault}")(manager, name))
            await asyncio.sleep(self._random.expovariate(1 / self.plan.fault_every))

    def _hit_supervisor(self, manager: ExternalSystemManager, number: signal.Signals) -> None:
        connection = manager._dialog.session._recovery.connection
        pid = connection.peer_pid if connection is not None and connection.is_open else None
        if pid is not None:
            self._hit(pid, number, "supervisor")

    def _kill_guardian(self, manager: ExternalSystemManager) -> None:
        try:
            pid = parts_of(manager)["guardian"].pid
        except (StopIteration, ValueError, psutil.NoSuchProcess):
            return  # just now there is none
        self._hit(pid, signal.SIGKILL, "guardian")

    def _hit(self, pid: int, number: signal.Signals, part: str) -> None:
        self.faults[f"{part} {number.name}"] += 1
        self.parts_hit.append((part, len(self.events)))
        os.kill(pid, number)

    async def _signal(
        self, manager: ExternalSystemManager, name: str, number: signal.Signals
    ) -> None:
        try:
            status = await manager.status(name)
            if status is not None and status.pid is not None:
                os.kill(status.pid, number)
        except (ExternalSystemError, ProcessLookupError):
            pass

    def _order(self, work: Any) -> None:
        """Let something be done beside the rest."""
        task = asyncio.create_task(self.ledger.settle("a fault", work))
        self._orders.append(task)

    async def _bug(self, manager: ExternalSystemManager, name: str) -> None:
        operation = self._random.choice(["send", "receive", "health", "connect"])
        await manager.call_command(name, "inject_fault", operation, "bug")

    async def _hang(self, manager: ExternalSystemManager, name: str) -> None:
        await manager.call_command(name, "inject_fault", "any", "hang_loop")

    async def _lose(self, manager: ExternalSystemManager, name: str) -> None:
        await manager.call_command(name, "inject_fault", "send", "lose_connection")

    async def _exit(self, manager: ExternalSystemManager, name: str) -> None:
        await manager.call_command(name, "leave_at_once", 3)

    async def _leave(self, manager: ExternalSystemManager, name: str) -> None:
        command = self._random.choice(["leave", "leave_at_once"])
        await manager.call_command(name, command)

    async def _restart(self, manager: ExternalSystemManager, name: str) -> None:
        await manager.restart_system(name)

    async def _guest(self, manager: ExternalSystemManager, _: str) -> None:
        """A system that comes to a group and goes again. What was answered holds, whoever is
        killed meanwhile."""
        name = f"guest-{next(self._guests)}"
        group = self._random.choice([*GROUPS, None])
        [spec] = systems(name, 1)
        if await _tried(manager.start_child(spec, group)):
            assert await self._is_there(manager, spec.name) is not False, f"{name} is forgotten"
        if self._random.random() < 0.5:
            await _tried(manager.terminate_child(spec.name))
            await _tried(manager.restart_child(spec.name))
        while True:
            try:
                await manager.unregister_system(spec.name)
            except UnknownSystemError:
                break
            except ExternalSystemError:
                continue  # a supervisor that was killed over it may or may not know it
        assert await self._is_there(manager, spec.name) is not True, f"{name} is still there"

    async def _is_there(self, manager: ExternalSystemManager, name: str) -> bool | None:
        """None if nobody can say just now."""
        try:
            await manager.get_child_spec(name)
        except ChildNotFoundError:
            return False
        except ExternalSystemError:
            return None
        return True

    # ---- afterwards ----------------------------------------------------------------------

    async def _until_settled(self, manager: ExternalSystemManager) -> None:
        """Until each system is what it is meant to be; nothing is left to wait for."""
        statuses: tuple[SystemStatus, ...] = ()
        try:
            async with asyncio.timeout(SETTLED_WITHIN):
                while True:
                    try:
                        statuses = await manager.status_all()
                    except ExternalSystemError:
                        continue  # the supervisor is being restarted
                    if len(statuses) == 30 and not [s for s in statuses if not _is_settled(s)]:
                        return
                    await asyncio.sleep(0.05)
        except TimeoutError:
            text = ", ".join(
                f"{s.name} {s.state} (desired {s.desired}, #{s.incarnation}, {s.last_error}, "
                f"waiting {s.waiting})"
                for s in statuses
                if not _is_settled(s)
            )
            last = [f"{e.sequence} {e.kind} {e.system_name}" for e in self.events[-30:]]
            raise AssertionError(f"not settled: {text}; the last events: {last}") from None

    async def _use_all(self, manager: ExternalSystemManager, names: list[str]) -> None:
        """Each system works, also one that has ended and is started again."""
        for status in await manager.status_all():
            if status.desired is DesiredState.TERMINATED:
                spec = await manager.get_child_spec(status.name)
                assert isinstance(spec, SystemSpec)
                assert spec.restart_type is RestartType.TRANSIENT, f"{status.name} is terminated"
                assert await manager.restart_child(status.name)
        await self._until_settled(manager)
        async with asyncio.timeout(SETTLED_WITHIN):
            for name in names:
                while not await self._works(manager, name):
                    await asyncio.sleep(0.05)
        await self._until_settled(manager)

    async def _works(self, manager: ExternalSystemManager, name: str) -> bool:
        """One that was stopped last, or has a fault before it, does not show that yet."""
        await _tried(manager.call_command(name, "clear_faults"))
        item = self.ledger.new_item(name)
        return await _tried(manager.send_data_to_system(name, item))

    def check(self) -> None:
        """What must hold at the end, whatever happened."""
        problems = [*self.ledger.problems(), *self._problems_of_events()]
        for wire in self._wires:
            problems += wire.problems()
        assert not problems, f"seed {self.plan.seed}: " + "\n".join(problems[:20])

    def _problems_of_events(self) -> Iterator[str]:
        for number, (before, after) in enumerate(zip(self.events, self.events[1:], strict=False)):
            if after.sequence != before.sequence + 1:
                yield (
                    f"{after} follows {before} (events heard: {number + 1}; parts of the runtime "
                    f"were hit when so many had been heard: {self.parts_hit})"
                )
        last: dict[str, int] = {}
        for event in self.events:
            before_it = last.get(event.system_name, 0)
            if event.kind is EventKind.STARTING:
                last[event.system_name] = event.incarnation
                if event.incarnation <= before_it:
                    yield f"after #{before_it} came {event}"
            elif event.incarnation > before_it:
                yield f"too early, after #{before_it}: {event}"

    def report(self) -> str:
        kinds = Counter(event.kind.value for event in self.events)
        return (
            f"seed {self.plan.seed}: faults {dict(self.faults)}; requests {self.ledger.made}: "
            f"{dict(self.ledger.outcomes)}; items received {len(self.ledger.received)}; "
            f"events {dict(kinds)}; wire connections {[len(w.connections) for w in self._wires]}"
        )


@attrs.define
class _Rare:
    """A fault that comes at regular times, the first after half of one."""

    every: float | None
    strike: Callable[[], None]
    _next: float | None = None

    def look(self, now: float) -> None:
        if self.every is None:
            return
        if self._next is None:
            self._next = now + self.every / 2
        elif now >= self._next:
            self._next = now + self.every
            self.strike()


async def _tried(work: Coroutine[Any, Any, Any]) -> bool:
    """Whether it was done, as far as anybody knows."""
    try:
        return (await work) is not False
    except ExternalSystemError:
        return False


def _is_settled(status: SystemStatus) -> bool:
    match status.desired:
        case DesiredState.CONNECTED:
            return status.state is SystemState.CONNECTED
        case DesiredState.TERMINATED:
            return status.state is SystemState.TERMINATED
    return False  # each was meant to be connected


_SIGNALS = {"killed": signal.SIGKILL, "stopped": signal.SIGSTOP, "terminated": signal.SIGTERM}
_FAULTS = (
    *("killed", "killed", "killed", "stopped", "terminated"),
    *("bug", "bug", "hang", "lose", "exit", "leave", "restart", "guest"),
)
