"""Whether the connection of one system lives: it is pinged, and dropped if it is dead.

Runs on the system actor's event loop, at the side of the engine. A ping goes out in the engine's
lane, as a question does, before all that waits there. What is under way already is before it: a
question has its own time; a send that takes longer than a ping may, while nothing comes, is as bad
as a ping that is not answered.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from random import Random
from typing import Final

from actors.connectors.classes import why_no_pings
from actors.errors import EXPECTED_ERRORS, ActorSetupError, describe
from actors.interface import ExternalSystemInterface
from actors.messages import (
    DisconnectSystem,
    Failure,
    FailureCode,
    Outcome,
    QueryData,
    Reason,
    Request,
)
from actors.resilience.keep_alive import Dead, KeepAlive, LifeSigns, Ping, Silence
from actors.resilience.policy import Policy
from actors.system_actor.asking import Asker
from actors.system_actor.calls import Call, Operation, T, Work
from actors.system_actor.dropping import DropLink
from actors.system_actor.guards import Guards, with_innermost
from actors.system_actor.lane import Job, Lane
from actors.system_actor.receiving import Guard, Receiver
from actors.system_actor.renewing import NOBODY, Renew

_NO_ANSWER: Final = "a ping was not answered within {:g} s"
_CHANGES: Final = (DisconnectSystem, Renew, DropLink)
"""After which there is no connection, or another one."""


class SendPing(Request):
    """Asked by the engine itself."""


class Sends:
    """Since when a send is under way. The guard next to the call."""

    def __init__(self) -> None:
        self._began: dict[object, float] = {}

    @property
    def oldest(self) -> float:
        """When the oldest began that is under way; long ago if none is."""
        return min(self._began.values(), default=-math.inf)

    async def around(self, call: Call, go_on: Work[T | Failure]) -> T | Failure:
        """Make the call."""
        if call.operation is not Operation.SEND:
            return await go_on()
        this = object()
        self._began[this] = asyncio.get_running_loop().time()
        try:
            return await go_on()
        finally:
            del self._began[this]


def check_pings(system: ExternalSystemInterface, policy: Policy) -> None:
    """
    Raises:
        ActorSetupError: pings that its class has no way to send.
    """
    why = why_no_pings(type(system), policy.keep_alive)
    if why is not None:
        raise ActorSetupError(f"system {system.system_name!r}: {why}")


class Unwatched:
    """Of a system whose policy asks for nothing of this."""

    def among(self, guards: Guards | None) -> Guards | None:
        return guards

    def look(self) -> None:
        pass

    def connection_ended(self) -> None:
        pass

    def close(self) -> None:
        pass

    async def ping(self) -> None:
        pass

    async def prove(self) -> str | None:
        return None


def look_after(
    policy: Policy,
    system: ExternalSystemInterface,
    asker: Asker,
    receiver: Receiver,
    lane: Lane,
    guard: Guard,
    on_crash: Callable[[BaseException], None],
) -> Liveness | Unwatched:
    """See that the connection lives, as far as a policy asks for that.

    Args:
        guard: runs a coroutine, and takes an exception that escapes as a crash.
        on_crash: called when the connector does what it must not.
    """
    if policy.keep_alive is None and policy.stale_after is None:
        return Unwatched()
    return Liveness(policy, system, asker, receiver, lane, guard, on_crash, Random())


class Liveness:
    """Of one system."""

    def __init__(
        self,
        policy: Policy,
        system: ExternalSystemInterface,
        asker: Asker,
        receiver: Receiver,
        lane: Lane,
        guard: Guard,
        on_crash: Callable[[BaseException], None],
        random: Random,
    ) -> None:
        self.sends: Final = Sends()
        self._system = system
        self._policy = policy.keep_alive
        self._asker = asker
        self._receiver = receiver
        self._lane = lane
        self._guard = guard
        self._on_crash = on_crash
        self._life = LifeSigns(policy.keep_alive, policy.stale_after, random)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._beside: asyncio.Task[None] | None = None
        """Of a class that has several questions under way: the ping among them."""
        self._is_pinging = False
        self._items = 0
        """How many came."""
        self._closed = False
        receiver.on_item = self._item_came
        receiver.reads_ahead = policy.stale_after is not None
        asker.on_answer = self._answer_came

    def among(self, guards: Guards | None) -> Guards | None:
        """What stands around the calls of the connector, with what this is to know of them."""
        return with_innermost(guards, self.sends)

    def look(self) -> None:
        """Do what is to be done now. Called when it is time to, and when a connection may have
        changed."""
        if self._closed:
            return
        if not self._system.is_connected or any(isinstance(r, _CHANGES) for r in self._lane):
            self.connection_ended()
            return
        now = self._loop.time()
        if not self._life.is_on:
            self._life.connected(now)
            self._receiver.run()
        told = self._life.look(
            now, held_until=self._held_until(now), is_listening=self._receiver.is_listening
        )
        match told:
            case Ping.SEND:
                if not any(isinstance(request, SendPing) for request in self._lane):
                    self._lane.enter_first(Job(NOBODY, SendPing(self._system.system_name)))
            case Ping.WITHDRAW:
                self._lane.take_out(lambda job: isinstance(job.request, SendPing))
            case Dead():
                self._drop(Reason(told.kind.value, told.text))
        self._set_timer()

    def connection_ended(self) -> None:
        """What is known is of no use for the next connection."""
        self._life.disconnected()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._beside is not None and self._beside is not asyncio.current_task():
            self._beside.cancel()

    def close(self) -> None:
        """Do nothing more."""
        self._closed = True
        self.connection_ended()

    async def ping(self) -> None:
        """Carry out a ping whose turn it is in the lane."""
        if type(self._system).concurrent_queries:
            self._beside = asyncio.create_task(self._guard(self._ping))
            await asyncio.sleep(0)  # it goes out before what was asked for after it
        else:
            await self._ping()

    async def prove(self) -> str | None:
        """Ask what pings ask, on a connection that was just made; why that was not answered, if it
        was not. A check of its health is made anyway."""
        if self._policy is None or self._policy.query is None:
            return None
        return await self._ask(self._policy)

    # ---- details ----------------------------------------------------------------------------

    async def _ping(self) -> None:
        await self._asker.until_free()
        policy = self._policy
        if policy is None or not self._life.is_on or not self._system.is_connected:
            return
        self._life.began(self._loop.time())
        self._set_timer()
        self._is_pinging = True
        try:
            ask = self._ask_health if policy.query is None else self._ask
            why = await ask(policy)
        finally:
            self._is_pinging = False
        if not self._life.is_on or not self._system.is_connected:
            return  # lost meanwhile, for a reason of its own
        if why is None:
            self._life.answered(self._loop.time())
            self._set_timer()
        else:
            self._enter_drop(Reason(Silence.KEEP_ALIVE.value, why))

    async def _ask(self, policy: KeepAlive) -> str | None:
        """Why the question was not answered, if it was not."""
        name, items = self._system.system_name, self._items
        reply = await self._asker.ask(QueryData(name, policy.query, policy.timeout))
        if not isinstance(reply, Failure):
            return None
        if reply.code is FailureCode.TIMEOUT:
            return _NO_ANSWER.format(policy.timeout)
        if reply.outcome is Outcome.NOT_SENT and self._items != items:
            return None  # it talks so much that nothing can be asked
        return f"a ping failed: {reply.text.removeprefix(f'{name}: ')}"

    async def _ask_health(self, policy: KeepAlive) -> str | None:
        """Why the check of its health failed, if it did."""
        try:
            async with asyncio.timeout(policy.timeout) as limit:
                is_healthy = await self._system.check_health()
        except EXPECTED_ERRORS as error:
            if limit.expired():
                return _NO_ANSWER.format(policy.timeout)
            self._asker.on_error(error)  # it may be one for which the connection is given up
            return f"a ping failed: check_health: {describe(error)}"
        return None if is_healthy else "a ping failed: check_health says that nothing works"

    def _drop(self, why: Reason) -> None:
        """Drop the connection, whatever is under way on it."""
        self._lane.cut(f"the connection was dropped: {why.text}")
        self._enter_drop(why)

    def _enter_drop(self, why: Reason) -> None:
        self.connection_ended()
        self._lane.enter_first(Job(NOBODY, DropLink(self._system.system_name, why)))

    def _held_until(self, now: float) -> float:
        """Until when what a ping waits for may take its time."""
        held = max(self._asker.asked_until, self.sends.oldest)
        return now if held == -math.inf else held

    def _item_came(self, is_data: bool) -> None:
        self._items += 1
        self._life.heard(self._loop.time(), data=is_data)

    def _answer_came(self) -> None:
        self._life.heard(self._loop.time(), data=not self._is_pinging)

    def _set_timer(self) -> None:
        due = self._life.next_look
        if due == math.inf:
            return
        if self._timer is not None:
            if self._timer.when() <= due and not self._timer.cancelled():
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._tick)

    def _tick(self) -> None:
        self._timer = None
        try:
            self.look()
        except Exception as error:  # a property of the connector's
            self._on_crash(error)
