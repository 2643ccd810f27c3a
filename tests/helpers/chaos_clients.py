"""Clients that ask without a break while everything around them is killed, and what they
remember of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterator, Sequence
from itertools import count
from random import Random
from typing import Any

import attrs

from actors.messages import (
    CallCommand,
    CheckHealth,
    Failure,
    FailureCode,
    Outcome,
    ReceiveData,
    Reply,
    SendData,
    SendMany,
)
from supervisor import ExternalSystemError, ExternalSystemManager
from supervisor.client.connection import SupervisorConnection
from supervisor.messages import GetAllStatus, GetStatus, GetTree, Ping, RestartSystem, WhichChildren

ANSWERED_WITHIN = 60.0
"""Seconds after which a request counts as never answered."""
EXPECTED = {
    FailureCode.SYSTEM_CRASHED,
    FailureCode.UNAVAILABLE,
    FailureCode.NOT_CONNECTED,
    FailureCode.TIMEOUT,
    FailureCode.CONNECTOR_ERROR,
    FailureCode.OVERLOADED,
}
"""What may become of a request to a system that is being killed."""


@attrs.define
class Ledger:
    """What was asked, and what came of it."""

    made: int = 0
    outcomes: Counter[str] = attrs.field(factory=Counter)
    unanswered: list[str] = attrs.field(factory=list)
    wrong: list[str] = attrs.field(factory=list)
    """Answers that there must not be."""
    sent_to: dict[int, str] = attrs.field(factory=dict)
    """The system that each item was sent to."""
    not_sent: set[int] = attrs.field(factory=set)
    """Items of which an answer said that they were not sent."""
    received: Counter[int] = attrs.field(factory=Counter)
    _numbers: Any = attrs.field(factory=lambda: count(1))

    async def settle(self, what: str, work: Coroutine[Any, Any, Any]) -> Any:
        """Await a request and note what came of it."""
        self.made += 1
        try:
            result = await asyncio.wait_for(work, ANSWERED_WITHIN)
        except ExternalSystemError as error:
            self.note_failure(what, error.failure)
            return error.failure
        except TimeoutError:
            self.unanswered.append(what)
            return None
        self.outcomes["answered"] += 1
        return result

    def note_failure(self, what: str, failure: Failure) -> None:
        self.outcomes[failure.code.value] += 1
        if failure.code not in EXPECTED:
            self.wrong.append(f"{what}: {failure.code}: {failure.text}")

    def new_item(self, name: str) -> int:
        item: int = next(self._numbers)
        self.sent_to[item] = name
        return item

    def note_sent(self, item: int, result: Any) -> None:
        if isinstance(result, Failure) and result.outcome is Outcome.NOT_SENT:
            self.not_sent.add(item)

    def note_received(self, name: str, item: Any) -> None:
        if item is None or isinstance(item, Failure):
            return
        self.received[item] += 1
        if self.sent_to.get(item) != name:
            self.wrong.append(f"{name} gave {item}, which was sent to {self.sent_to.get(item)}")

    def problems(self) -> Iterator[str]:
        """Where a request had no answer, or an answer was not true."""
        if self.unanswered:
            yield f"never answered: {self.unanswered[:10]}"
        if self.wrong:
            yield f"wrong answers: {self.wrong[:10]}"
        if sum(self.outcomes.values()) != self.made - len(self.unanswered):
            yield f"{self.made} requests, but outcomes are {self.outcomes}"
        twice = [item for item, times in self.received.items() if times > 1]
        if twice:
            yield f"received twice: {twice[:10]}"
        lies = self.not_sent & set(self.received)
        if lies:
            yield f"received, though they were said not to be sent: {sorted(lies)[:10]}"


async def host_client(
    manager: ExternalSystemManager,
    names: Sequence[str],
    random: Random,
    ledger: Ledger,
    over: asyncio.Event,
) -> None:
    """Asks by the manager, as a host does; now and then it does not wait for the answer."""
    while not over.is_set():
        name = random.choice(names)
        match random.randrange(8):
            case 0 | 1 | 2:
                item = ledger.new_item(name)
                work = manager.send_data_to_system(name, item)
                ledger.note_sent(item, await ledger.settle(f"send to {name}", work))
            case 3 | 4:
                receive = manager.receive_data_from_system(name, timeout=0.05)
                got = await ledger.settle(f"receive from {name}", receive)
                ledger.note_received(name, got)
            case 5:
                await impatient_receive(manager, name, random, ledger)
            case 6:
                command = manager.call_command(name, "sent_count")
                await ledger.settle(f"command to {name}", command)
            case _:
                await ledger.settle(f"status of {name}", manager.status(name))
        await asyncio.sleep(random.uniform(0.0, 0.01))


async def impatient_receive(
    manager: ExternalSystemManager, name: str, random: Random, ledger: Ledger
) -> None:
    """A receive that is cancelled, unless it is quick. What it leaves is somebody else's."""
    receive = asyncio.ensure_future(
        ledger.settle(
            f"impatient receive from {name}", manager.receive_data_from_system(name, timeout=1.0)
        )
    )
    await asyncio.wait([receive], timeout=random.uniform(0.0, 0.02))
    if receive.done():
        ledger.note_received(name, receive.result())
        return
    receive.cancel()
    try:
        ledger.note_received(name, await receive)
    except asyncio.CancelledError:
        ledger.outcomes["cancelled"] += 1


@attrs.define
class WireClient:
    """Asks on connections of its own, and counts what comes back for each request."""

    path: str
    names: Sequence[str]
    random: Random
    ledger: Ledger
    over: asyncio.Event
    connections: list[_Counting] = attrs.field(factory=list)

    async def run(self) -> None:
        """Ask until it is over; connect again whenever the supervisor is gone."""
        while not self.over.is_set():
            try:
                connection = await _Counting.open(self.path, lambda _: None, lambda *_: None)
            except OSError:  # no supervisor just now
                await asyncio.sleep(0.01)
                continue
            assert isinstance(connection, _Counting)
            self.connections.append(connection)
            while connection.is_open and not self.over.is_set():
                some = (self._ask(connection) for _ in range(self.random.randint(1, 10)))
                await asyncio.gather(*some)

    async def _ask(self, connection: _Counting) -> None:
        name = self.random.choice(self.names)
        item = None
        request: Any
        match self.random.randrange(9):
            case 0 | 1:
                item = self.ledger.new_item(name)
                request = SendData(name, item)
            case 2 | 3:
                request = ReceiveData(name, 0.05)
            case 4:
                items = [self.ledger.new_item(name) for _ in range(5)]
                request = SendMany(name, items)
            case 5:
                request = self.random.choice([CheckHealth(name), GetStatus(name)])
            case 6:
                request = CallCommand(name, "sent_count")
            case 7:
                request = self.random.choice([GetTree(), WhichChildren(), GetAllStatus(), Ping()])
            case _:
                # Also a race of the orders of several clients for one system.
                request = RestartSystem(name) if self.random.random() < 0.02 else Ping()
        self.ledger.made += 1
        what = f"{type(request).__name__} of {name} on the wire"
        connection.asked.add(request.request_id)
        try:
            reply = await asyncio.wait_for(connection.ask(request), ANSWERED_WITHIN)
        except TimeoutError:
            self.ledger.unanswered.append(what)
            return
        if isinstance(reply, Failure):
            self.ledger.note_failure(what, reply)
        else:
            self.ledger.outcomes["answered"] += 1
        if item is not None:
            self.ledger.note_sent(item, reply)
        if isinstance(request, ReceiveData) and hasattr(reply, "load"):
            self.ledger.note_received(name, reply.load())

    async def close(self) -> None:
        for connection in self.connections:
            await connection.close()

    def problems(self) -> Iterator[str]:
        """Where a request had two replies, or none though its connection was not lost."""
        for connection in self.connections:
            often = [r for r, times in connection.replies.items() if times > 1]
            if often:
                yield f"more than one reply to the requests {often[:10]}"
            strange = connection.replies.keys() - connection.asked
            if strange:
                yield f"replies to requests that nobody made: {sorted(strange)[:10]}"
            missing = connection.asked - connection.replies.keys()
            if missing and not connection.was_lost:
                yield f"no reply to {sorted(missing)[:10]}"


class _Counting(SupervisorConnection):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.asked: set[int] = set()
        self.replies: Counter[int] = Counter()
        self.was_lost = False

    def _hear(self, message: Any) -> None:
        if isinstance(message, Reply):
            self.replies[message.request_id] += 1
        super()._hear(message)

    def _lose(self, why: str, for_good: bool = False, answer: str | None = None) -> None:
        self.was_lost = self.was_lost or not for_good
        super()._lose(why, for_good, answer)
