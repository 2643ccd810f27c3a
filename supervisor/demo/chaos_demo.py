"""``extsys demo --chaos``: a supervision tree, live, while its processes are killed.

Thirteen systems answer questions all the time, while one after the other is killed,
raises, exits or hangs, and now and then the supervisor itself is killed. What is done next
is decided in :mod:`supervisor.demo.chaos`, how it is shown in :mod:`supervisor.demo.chaos_view`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import signal
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Final

import attrs

from actors import loggers
from supervisor.demo.chaos import (
    INSTRUMENT,
    Deed,
    Healed,
    Ledger,
    Mischief,
    Plan,
    all_is_well,
    plant,
    ready_systems,
    report,
)
from supervisor.demo.chaos_view import (
    AFTER_FRAMES,
    FIRST_FRAME,
    deed_as_text,
    frame,
    healed_as_text,
    redrawn,
    report_as_text,
)
from supervisor.demo.simulator import HOST, instrument_simulator
from supervisor.errors import ExternalSystemError
from supervisor.host.manager import ExternalSystemManager
from supervisor.messages import DesiredState, LifecycleEvent, SystemStatus, TreeNode
from supervisor.specs.options import LogLevel, SupervisorOptions

_PAUSE: Final = 0.05
"""Seconds between two questions to a system,"""
_PAUSE_AFTER_FAILURE: Final = 0.02
"""and after one that failed."""
_WAIT: Final = 0.5
"""Seconds in which an answer comes."""
_LOST_AFTER: Final = 40.0
"""Seconds after which a request without an answer counts as lost. All limits that the
runtime itself sets are shorter."""
_COME_BACK: Final = 30.0
"""Seconds that everything may take to be well, at the beginning and at the end."""
_QUIET_END: Final = 2.0
"""Seconds at the end in which nothing is done any more."""
_REDRAW: Final = 0.2
"""Seconds between two frames in which nothing happens."""
_LEAST_REDRAW: Final = 0.04
"""Seconds in which what happens is shown together."""
_FAULTS: Final[dict[Deed, dict[str, Any]]] = {
    Deed.EXCEPTION: {"action": "bug"},
    Deed.EXIT: {"action": "exit", "exit_code": 7},
}
_SIGNALS: Final = {Deed.KILL: signal.SIGKILL, Deed.HANG: signal.SIGSTOP}


async def run_chaos(*, seconds: float, seed: int, json_: bool) -> int:
    """Run the demo.

    Args:
        seconds: how long.
        seed: of what is done to whom; the times are up to the machine.
        json_: print only the final report, as JSON.

    Returns:
        the exit code: 0 if no request was lost and all systems came back.
    """
    logging.getLogger(loggers.ALL).setLevel(logging.CRITICAL)  # the demo tells it all itself
    options = SupervisorOptions(log_level=LogLevel.CRITICAL, request_timeout=10.0)
    ledger = Ledger()
    began = time.monotonic()
    async with (
        instrument_simulator() as port,
        ExternalSystemManager(strict=True, options=options) as manager,
    ):
        for spec in plant(HOST, port):
            await manager.start_child(spec)
        show = _Silent() if json_ else _Screen() if sys.stdout.isatty() else _Lines()
        chaos = _Chaos(manager, ledger, show, Mischief(Random(seed)), seconds)
        async with show.live(chaos):
            systems = await chaos.run()
    found = report(ledger, systems, seed, time.monotonic() - began)
    print(json.dumps(found) if json_ else "\n" + report_as_text(found), flush=True)
    return 0 if all_is_well(found) else 1


# ---- showing ------------------------------------------------------------------------------


class _Silent:
    """Shows nothing."""

    @asynccontextmanager
    async def live(self, chaos: _Chaos) -> AsyncIterator[None]:
        """Show what happens inside."""
        yield

    def say(self, text: str) -> None:
        """Something was done, or somebody came back."""


class _Lines(_Silent):
    """A line for everything that is done, and for everybody who comes back."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self._began:6.2f} s  {text}", flush=True)


class _Screen(_Silent):
    """The tree, drawn again and again in place."""

    def __init__(self) -> None:
        self._colour = "NO_COLOR" not in os.environ
        self._last = ""

    def say(self, text: str) -> None:
        self._last = text

    @asynccontextmanager
    async def live(self, chaos: _Chaos) -> AsyncIterator[None]:
        sys.stdout.write(FIRST_FRAME)
        try:
            async with _beside(self._draw_all(chaos)):
                yield
            await self._draw(chaos)
        finally:
            sys.stdout.write(AFTER_FRAMES)
            sys.stdout.flush()

    async def _draw_all(self, chaos: _Chaos) -> None:
        while True:
            await self._draw(chaos)
            await chaos.wait_for_news()

    async def _draw(self, chaos: _Chaos) -> None:
        if (root := await chaos.look()) is None:
            return
        lines = frame(
            root,
            chaos.events,
            chaos.ledger,
            f"{chaos.elapsed:.0f} of {chaos.seconds:g} s   {self._last}",
            rows=shutil.get_terminal_size().lines,
            colour=self._colour,
        )
        sys.stdout.write(redrawn(lines))
        sys.stdout.flush()


# ---- doing --------------------------------------------------------------------------------


@attrs.define(eq=False)
class _Chaos:
    _manager: ExternalSystemManager
    ledger: Ledger
    _show: _Silent
    _mischief: Mischief
    seconds: float
    events: deque[LifecycleEvent] = attrs.field(factory=lambda: deque(maxlen=50))
    _news: asyncio.Event = attrs.field(factory=asyncio.Event)
    _tree: TreeNode | None = None
    _over: bool = False
    _began: float = attrs.field(factory=time.monotonic)

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._began

    async def look(self) -> TreeNode | None:
        """The tree, or as it last was: there is nobody to ask while the supervisor is
        being restarted."""
        try:
            async with asyncio.timeout(_REDRAW):
                self._tree = await self._manager.tree()
        except (TimeoutError, ExternalSystemError):
            pass
        return self._tree

    async def run(self) -> tuple[SystemStatus, ...]:
        """Everything, until all questions are answered; how the systems are then."""
        async with _beside(self._hear_events()):
            await self._until_well()
            names = {system.name for system in await self._manager.status_all()}
            talks = [asyncio.create_task(self._talk(name)) for name in names]
            try:
                await self._do_mischief(names)
                systems = await self._until_well()
            finally:
                self._over = True
                await asyncio.gather(*talks)
        return systems

    async def _hear_events(self) -> None:
        async for event in self._manager.events():
            self.events.append(event)
            self._news.set()

    async def wait_for_news(self) -> None:
        """Until it is time for another frame."""
        await asyncio.sleep(_LEAST_REDRAW)
        try:
            async with asyncio.timeout(_REDRAW - _LEAST_REDRAW):
                await self._news.wait()
        except TimeoutError:
            pass
        self._news.clear()

    async def _until_well(self) -> tuple[SystemStatus, ...]:
        """Wait until all systems are connected and have answered again, but not for ever."""
        systems: tuple[SystemStatus, ...] = ()
        deadline = time.monotonic() + _COME_BACK
        while time.monotonic() < deadline:
            try:
                systems = await self._manager.status_all()
            except ExternalSystemError:
                pass
            if not self.ledger.wounds and systems and all(map(_is_as_meant, systems)):
                break
            await asyncio.sleep(_PAUSE)
        return systems

    # ---- questions ----

    async def _talk(self, name: str) -> None:
        """Ask one system all the time."""
        question = "MEAS:VOLT?" if name == INSTRUMENT else "how are you?"
        while not self._over:
            well = await self._request(
                name, self._manager.send_data_to_system(name, question)
            ) and await self._request(
                name, self._manager.receive_data_from_system(name, timeout=_WAIT)
            )
            await asyncio.sleep(_PAUSE if well else _PAUSE_AFTER_FAILURE)

    async def _request(self, name: str, request: Awaitable[Any]) -> bool:
        """False if it failed."""
        began = time.monotonic()
        self.ledger.begin()
        try:
            async with asyncio.timeout(_LOST_AFTER):
                await request
        except ExternalSystemError as error:
            self.ledger.fail(name, error.failure.outcome, time.monotonic())
            return False
        except TimeoutError:
            self.ledger.give_up()
            return False
        for healed in self.ledger.answer(name, began, time.monotonic()):
            self._tell(healed)
        return True

    def _tell(self, healed: Healed) -> None:
        self._show.say(healed_as_text(healed))

    # ---- deeds ----

    async def _do_mischief(self, names: set[str]) -> None:
        while self.elapsed + _QUIET_END < self.seconds:
            await asyncio.sleep(self._mischief.pause())
            try:
                systems = await self._manager.status_all()
            except ExternalSystemError:
                continue
            ready = ready_systems(systems, self.ledger.hurt)
            plan = self._mischief.next(ready, calm=ready == names)
            if plan is not None:
                pids = {system.name: system.pid for system in systems}
                await self._do(plan, pids, names)

    async def _do(self, plan: Plan, pids: dict[str, int | None], names: set[str]) -> None:
        if plan.deed in _FAULTS:
            assert plan.target is not None
            await self._strike_from_within(plan, plan.target)
            return
        supervisor = plan.target is None
        pid = self._manager.supervisor_pid if plan.target is None else pids[plan.target]
        if pid is None:
            return
        self._show.say(deed_as_text(plan, pid))
        hurt = names if plan.target is None else {plan.target}
        self.ledger.strike(plan.deed, hurt, time.monotonic())
        os.kill(pid, signal.SIGKILL if supervisor else _SIGNALS[plan.deed])

    async def _strike_from_within(self, plan: Plan, name: str) -> None:
        """Have a system fail in its next send, and send."""
        self._show.say(deed_as_text(plan, None))
        wound = self.ledger.strike(plan.deed, {name}, None)
        inject = self._manager.call_command(
            name, "inject_fault", operation="send", **_FAULTS[plan.deed]
        )
        if await self._request(name, inject):
            await self._request(name, self._manager.send_data_to_system(name, "fail now"))
        # A process that ended for another reason took the fault with it.
        self.ledger.call_off(wound)


def _is_as_meant(system: SystemStatus) -> bool:
    return system.is_connected and system.desired is DesiredState.CONNECTED


@asynccontextmanager
async def _beside(work: Any) -> AsyncIterator[None]:
    """Have a coroutine run beside what is done inside."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
