"""An external system without a system: for tests, demonstrations and rehearsed disasters."""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final, Literal

import attrs

from actors.connectors.mock.faults import (
    Fault,
    FaultAction,
    FaultScript,
    Operation,
    Sleep,
    carry_out,
    carry_out_in_constructor,
)
from actors.errors import ConnectorError
from actors.interface import ExternalSystemInterface, command
from actors.settings import (
    Allowed,
    MistakesError,
    flag,
    mistakes_in,
    number,
    one_of,
    read_details,
    seconds,
    tables_of,
    whole_number,
)

_WAIT: Final = seconds(zero=True)


@attrs.frozen(kw_only=True)
class MockSettings:
    """The keys of ``connection_details`` that a mock system knows. All may be left out."""

    connect_delay: float = attrs.field(default=0.0, validator=_WAIT)
    """Seconds that connecting takes."""
    disconnect_delay: float = attrs.field(default=0.0, validator=_WAIT)
    """Seconds that disconnecting takes."""
    receive_timeout: float = attrs.field(default=0.1, validator=_WAIT)
    """Seconds that a receive waits for data."""
    latency: float = attrs.field(default=0.0, validator=_WAIT)
    """Seconds that every call takes in addition."""
    jitter: float = attrs.field(default=0.0, validator=_WAIT)
    """Seconds that it takes longer at most."""
    failure_rate: float = attrs.field(default=0.0, validator=number(0, 1))
    """The share of the calls that fail with a ConnectorError, when no other fault strikes."""
    seed: int | None = attrs.field(default=None, validator=whole_number().or_none())
    """Of all chance in the system; without it, the system's name is the seed."""
    faults: tuple[Fault, ...] = attrs.field(default=(), validator=tables_of(Fault))
    """What goes wrong, in this order. In TOML an array of tables."""
    echo: bool = attrs.field(default=False, validator=flag())
    """Each item sent comes back as received."""
    answers: Mapping[Any, Any] = attrs.field(
        factory=dict,
        validator=Allowed(text="a table of questions with their answers", types=(dict,)),
    )
    """What comes back when an item is sent, such as ``{"*IDN?" = "ACME,MOCK,1,1.0"}``."""
    query_timeout: float = attrs.field(default=5.0, validator=_WAIT)
    """Seconds that the answer to a question may take."""
    unasked: Literal["receive", "drop"] = attrs.field(
        default="receive", validator=one_of("receive", "drop")
    )
    """What becomes of items that come unasked around a question."""
    queue_size: int = attrs.field(default=100_000, validator=whole_number(0))
    """Items waiting to be received above which no more come in."""
    record_size: int = attrs.field(default=1000, validator=whole_number(0))
    """How many of the sent items are remembered, the latest ones."""


@attrs.define(eq=False)
class _Record:
    """What was sent, over all connections."""

    items: deque[Any]
    """The last of them."""
    count: int = 0
    """Of all."""


class MockExternalSystem(ExternalSystemInterface):
    """The kind ``mock``: behaves like a system, and fails like one when it is told to.

    What it "receives" is what :meth:`mock_incoming_data` was given. What it was sent,
    :meth:`sent_items` tells. :meth:`inject_fault` and the key ``faults`` make calls fail,
    hang or end the process; a send or receive while disconnected uses up no fault.

    An object pickles with its queue, its record and its faults, but never as connected.
    So each incarnation that starts from such a snapshot has the same faults before it.

    Args:
        system_name: the name the runtime routes by.
        connection_details: the keys of :class:`MockSettings`; others are ignored.
        answers: gives the answer to an item that was sent, None for none; in place of the key
            of this name. Must pickle for an object that goes to another process.
        sleep: waits for some seconds; tests pass one that does not take its time. Must
            pickle for an object that goes to another process.

    Raises:
        ActorSetupError: a known key has a wrong value; the text names all such keys.
        ConnectorError, ConnectionResetError, InjectedBug: a fault of ``construct`` says so.

    Attributes:
        mock_data_queue: what is waiting to be received. Items may be added before the
            system runs; then :meth:`mock_incoming_data` is the way, as it wakes a receive.
    """

    check_on_connect = False  # else each connect would use up faults of ``health``

    def __init__(
        self,
        system_name: str,
        connection_details: dict[str, Any],
        *,
        answers: Callable[[Any], Any] | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        super().__init__(system_name, connection_details)
        settings = read_details(MockSettings, system_name, connection_details, ignore_unknown=True)
        seed = system_name if settings.seed is None else settings.seed
        self.mock_data_queue: deque[Any] = deque()
        self._settings = settings
        self._answers = answers
        self._answering: set[asyncio.Task[None]] = set()
        self.query_timeout = settings.query_timeout
        self.unasked = settings.unasked
        self.quiet_time = 0.0
        self._sleep = sleep
        self._script = FaultScript(settings.faults, seed)
        if settings.failure_rate:
            self._script.add(
                Fault(
                    operation=Operation.ANY,
                    action=FaultAction.FAIL,
                    times="always",
                    rate=settings.failure_rate,
                )
            )
        # Its own chance, so that latency does not change which calls fail.
        self._latency_random = Random(seed)
        self._record = _Record(deque(maxlen=settings.record_size))
        self._waiting: set[asyncio.Future[None]] = set()
        if fault := self._script.next(Operation.CONSTRUCT):
            carry_out_in_constructor(fault, system_name)

    @classmethod
    def check_details(cls, details: Mapping[str, Any]) -> list[str]:
        """What is wrong with ``details``, one text per mistake, each naming its key and
        none quoting a value. Nothing is built, and no fault strikes."""
        return mistakes_in(MockSettings, details, ignore_unknown=True)

    def __getstate__(self) -> dict[str, Any]:
        # Whoever waits, and the connection, belong to this process.
        return {**self.__dict__, "_waiting": set(), "_answering": set(), "is_connected": False}

    def another_connection(self) -> MockExternalSystem:
        """One more connection to the same system: what it was sent, and which calls go wrong, is
        counted over all of them. What it says on one comes on that one."""
        other = copy.copy(self)
        other.mock_data_queue = deque()
        return other

    async def connect(self) -> bool:
        if not await self._begin(Operation.CONNECT, self._settings.connect_delay):
            return False
        self.is_connected = True
        return True

    async def disconnect(self) -> bool:
        if not await self._begin(Operation.DISCONNECT, self._settings.disconnect_delay):
            return False
        self._drop_connection()
        return True

    async def send_data(self, data: Any) -> bool:
        """Record ``data``; False when disconnected, or when an echo finds no room."""
        if not self.is_connected or not await self._begin(Operation.SEND):
            return False
        if not self.is_connected:  # disconnected during the latency
            return False
        if self._settings.echo:
            if self._is_full():
                return False
            self._take_in(data)
        self._record.items.append(data)
        self._record.count += 1
        answer = self._answer(data)
        if answer is not None:
            await self._say(answer)
        return True

    def _answer(self, item: Any) -> Any:
        if self._answers is not None:
            return self._answers(item)
        try:
            return self._settings.answers.get(item)
        except TypeError:  # it cannot be a key
            return None

    async def _say(self, answer: Any) -> None:
        """Have the answer come, now or later; or never."""
        fault = self._script.next(Operation.ANSWER)
        if fault is None:
            self._take_in(answer)
            return
        task = asyncio.create_task(self._say_later(answer, fault))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _say_later(self, answer: Any, fault: Fault) -> None:
        try:
            comes = await carry_out(fault, Operation.ANSWER, self.system_name, sleep=self._sleep)
        except ConnectionError as error:
            self._drop_connection()
            self.report_loss(error)
            return
        if comes:
            self._take_in(answer)

    async def receive_data(self) -> Any | None:
        """The next item; None when disconnected, or when none comes in ``receive_timeout``.

        When it is cancelled, no item is lost: it takes one as its very last step.
        """
        if not self.is_connected or not await self._begin(Operation.RECEIVE):
            return None
        if not self.mock_data_queue:
            await self._wait_for_data()
        if not self.is_connected or not self.mock_data_queue:
            return None
        return self.mock_data_queue.popleft()

    async def check_health(self) -> bool:
        return await self._begin(Operation.HEALTH) and self.is_connected

    @command
    async def mock_incoming_data(self, data: Any) -> None:
        """Let ``data`` come in from the system; works also while disconnected.

        Raises:
            ConnectorError: ``queue_size`` items are waiting already.
        """
        if self._is_full():
            raise ConnectorError(
                f"mock system {self.system_name!r} holds {self._settings.queue_size} items "
                "that nobody received; receive them, or raise queue_size"
            )
        self._take_in(data)

    @command
    async def inject_fault(self, operation: str, action: str, **options: Any) -> None:
        """Add a fault behind those still to come.

        Args:
            operation: a value of :class:`.faults.Operation`, such as ``send``.
            action: a value of :class:`.faults.FaultAction`, such as ``exit``.
            options: the other fields of :class:`.faults.Fault`, such as ``times``.

        Raises:
            ConnectorError: there is no such fault; nothing was added.
        """
        try:
            fault = Fault.from_table({"operation": operation, "action": action, **options})
        except MistakesError as error:
            # No crash: the mistake is the caller's.
            raise ConnectorError(
                f"mock system {self.system_name!r} cannot inject this fault: {error}"
            ) from error
        self._script.add(fault)

    @command
    async def clear_faults(self) -> None:
        """Forget all faults, ``failure_rate`` too. Latency stays."""
        self._script.clear()

    @command
    async def sent_items(self) -> list[Any]:
        """The last items sent, oldest first, ``record_size`` of them at most."""
        return list(self._record.items)

    @command
    async def sent_count(self) -> int:
        """How many items were sent in all, also those no longer recorded."""
        return self._record.count

    async def _begin(self, operation: Operation, delay: float = 0.0) -> bool:
        """What every call begins with: its fault, then its time. False when refused."""
        if fault := self._script.next(operation):
            try:
                if not await carry_out(fault, operation, self.system_name, sleep=self._sleep):
                    return False
            except ConnectionError:
                self._drop_connection()
                raise
        settings = self._settings
        delay += settings.latency
        if settings.jitter:
            delay += self._latency_random.uniform(0, settings.jitter)
        if delay:
            await self._sleep(delay)
        return True

    def _is_full(self) -> bool:
        return len(self.mock_data_queue) >= self._settings.queue_size

    def _take_in(self, data: Any) -> None:
        self.mock_data_queue.append(data)
        self._wake_receivers()

    def _drop_connection(self) -> None:
        self.is_connected = False
        for task in self._answering:  # what it had to say, it says to nobody
            task.cancel()
        self._wake_receivers()

    def _wake_receivers(self) -> None:
        # All of them: one that was just cancelled could not pass the news on.
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    async def _wait_for_data(self) -> None:
        """Until there is data, the connection is gone, or ``receive_timeout`` is over."""
        loop = asyncio.get_running_loop()
        timer = asyncio.ensure_future(self._sleep(self._settings.receive_timeout))
        try:
            while self.is_connected and not self.mock_data_queue and not timer.done():
                waiter: asyncio.Future[None] = loop.create_future()
                self._waiting.add(waiter)
                try:
                    await asyncio.wait({waiter, timer}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    self._waiting.discard(waiter)
        finally:
            timer.cancel()
