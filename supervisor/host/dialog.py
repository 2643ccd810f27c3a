"""What a host says to its supervisor and hears from it, in the order it was said.

The supervisor is started, or found, when it is first needed. Everything here runs on the
host's event loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import attrs

from actors import loggers
from actors.messages import (
    Failure,
    FailureCode,
    Reply,
    Request,
    SystemConnected,
    SystemDisconnected,
)
from actors.payload import PayloadError, payload_size, wrap
from supervisor.client.batching import PLAIN, Manner, Measured, SendBatcher, Sent
from supervisor.client.connection import Event, SupervisorConnection
from supervisor.client.receiving_order import ReceivingOrder
from supervisor.client.session import Session
from supervisor.client.system_links import SystemLinks
from supervisor.errors import error_of
from supervisor.host.batchers import Batchers
from supervisor.host.host_log import log_lines
from supervisor.host.registering import OnRefused, Registrations
from supervisor.host.streams import EventStream, Streams
from supervisor.messages import (
    AllConnected,
    AllDisconnected,
    AllStatusGiven,
    EventKind,
    GetAllStatus,
    LifecycleEvent,
    LinesSaid,
    StatusGiven,
    Subscribe,
    Subscribed,
    SupervisorRequest,
    SystemStatus,
)
from supervisor.specs.options import SupervisorOptions
from supervisor.specs.spec import SystemSpec

_log = logging.getLogger(loggers.MANAGER)


class Dialog:
    """Of one manager."""

    def __init__(
        self,
        options: SupervisorOptions,
        strict: bool,
        direct: bool = True,
    ) -> None:
        """
        Args:
            options: of an embedded supervisor.
            strict: whether a registration that fails is raised, by the call that needed it.
            direct: whether requests may go straight to systems.
        """
        self._options = options
        self._strict = strict
        self.session = Session(options, self._hear, self._come_back, self._lose, self._end)
        self.streams = Streams()
        self.names: set[str] = set()
        """Of the systems that are registered, as far as this process has heard."""
        self.links = SystemLinks(
            self.session, self.names.__contains__, self._disconnected, direct=direct
        )
        self._order = ReceivingOrder(self.session, self.links.ask)
        self.connected: set[str] = set()
        self._registrations = Registrations(self.session, self.names)
        self._last_event = 0
        """The sequence number of the last event heard,"""
        self._last_line = 0
        """and of the last line that a system said."""
        self._starting: asyncio.Task[None] | None = None
        self._batchers = Batchers(self.links.ask_now)

    def attach_to(self, socket_path: str, direct: bool) -> None:
        """Talk to a standalone supervisor, before anything is said."""
        self.session.attach_to(socket_path)
        self.links.is_direct = direct

    def register(self, spec: SystemSpec, group: str | None, on_refused: OnRefused) -> None:
        """Have the next request be preceded by this system's registration.

        Args:
            on_refused: called if there comes to be no such system.
        """
        self._registrations.add(spec, group, on_refused)

    def forget(self, name: str) -> None:
        """A system is not registered any more."""
        self.names.discard(name)
        self.connected.discard(name)
        self._batchers.forget(name)
        self._registrations.forget(name)

    async def start(self) -> None:
        """See that the supervisor runs and knows what was registered.

        Raises:
            RuntimeError: it did not start.
            OSError: there is none to attach to.
            ExternalSystemError: a registration failed, and that is raised.
        """
        self.session.check_loop()
        while not self._is_ready:
            if self._starting is None:
                self._starting = asyncio.create_task(self._start())
                self._starting.add_done_callback(_retrieve)
            await asyncio.shield(self._starting)

    @property
    def _is_ready(self) -> bool:
        return self.session.is_open and self._registrations.are_said and self._starting is None

    async def _start(self) -> None:
        try:
            if not self.session.is_open:
                await self.session.open()
                await self.subscribe()
                if self.session.is_attached:
                    await self._learn_systems()
            failures = await self._registrations.say()
        finally:
            self._starting = None
        if failures and self._strict:
            raise error_of(failures[0])

    async def _learn_systems(self) -> None:
        reply = await self.session.ask(GetAllStatus())
        if isinstance(reply, AllStatusGiven):
            self.names.update(status.name for status in reply.systems)
            self.connected.update(s.name for s in reply.systems if s.is_connected)

    async def subscribe(self) -> None:
        """Hear lifecycle events, and the data that the streams are for."""
        reply = await self.session.ask(self._wanted())
        if isinstance(reply, Subscribed):
            self._last_event = max(self._last_event, reply.next_sequence - 1)

    async def until_ready(self, name: object = None) -> Failure | None:
        """See that something can be asked; the answer to all that is, once it is over.

        Args:
            name: of the system concerned, if it is one.

        Raises:
            RuntimeError, OSError, ExternalSystemError: as of :meth:`start`.
        """
        if self.session.over is None:
            if self._is_ready:
                return None
            try:
                await self.start()
                return None
            except RuntimeError:
                if self.session.over is None:
                    raise  # else it was closed meanwhile
        return host_failure(name, self.session.over, FailureCode.UNAVAILABLE)

    def _wanted(self, since: int | None = None) -> Subscribe:
        """What is to be heard unasked.

        Args:
            since: the sequence number of the last event that is not to come again.
        """
        attached = self.session.is_attached
        return Subscribe(
            data_from=self.streams.data_names,
            since=since,
            output_of=self.streams.line_names if attached else None,
            output_since=(self._last_line or None) if attached else self._last_line,
        )

    async def catch_up(self, stream: EventStream) -> None:
        """Have the events come again that a stream asks for; when nothing can be asked any more,
        it ends.

        Raises:
            EventsLostError: they are not all kept any more.
            UnavailableError: with ``strict``, in place of the end.
        """
        failure = await self.until_ready()
        if failure is not None:
            stream.caught_up()
            if self._strict:
                raise error_of(failure)
            _log.warning("%s", failure.text)
            return
        done: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

        def begin(reply: Reply) -> None:
            # Now, and not when this task runs next: the events follow.
            if not isinstance(reply, Failure):
                stream.caught_up()
            if not done.done():
                done.set_result(reply)

        wanted = self._wanted(stream.last)
        self.session.ask_stream(wanted, begin)
        reply = await done
        if isinstance(reply, Failure):
            raise error_of(reply)

    async def _come_back(self, connection: SupervisorConnection) -> None:
        """The supervisor was restarted: go on where the last one ended."""
        wanted = self._wanted(self._last_event)
        if isinstance(await connection.ask(wanted), Failure):  # it does not know them all
            wanted = self._wanted()
            reply = await connection.ask(wanted)
            if isinstance(reply, Subscribed):
                self._last_event = reply.next_sequence - 1
                self.streams.count_anew(self._last_event)
        learnt: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def learn(reply: Reply) -> None:
            # Now, and not when this task runs next: events may follow.
            if isinstance(reply, AllStatusGiven):
                names = {status.name for status in reply.systems}
                for name in self.names - names - self._registrations.open:
                    self.forget(name)
                self.names |= names
                self.connected = {each.name for each in reply.systems if each.is_connected}
            if not learnt.done():
                learnt.set_result(None)

        connection.ask_stream(GetAllStatus(), learn)
        await learnt

    async def ask(self, request: Request | SupervisorRequest) -> Reply:
        """Ask, and wait for the answer."""
        over = await self.until_ready()
        if over is not None:
            return request.failure(FailureCode.UNAVAILABLE, over.text)
        self.session.check_loop()
        # What this task sent before, to this system or to any, must not be overtaken.
        self._batchers.flush(request.system_name if isinstance(request, Request) else None)
        reply = await self._order.ask(request)
        self._note(reply)
        if isinstance(reply, Failure):
            return self._registrations.explain(reply)
        return self._with_untaken(reply)

    def _with_untaken(self, reply: Reply) -> Reply:
        """What this manager has sent, and no system has taken, waits too."""
        match reply:
            case StatusGiven():
                return attrs.evolve(reply, status=self._count_untaken(reply.status))
            case AllStatusGiven():
                return attrs.evolve(reply, systems=tuple(map(self._count_untaken, reply.systems)))
        return reply

    def _count_untaken(self, status: SystemStatus) -> SystemStatus:
        untaken = self.links.untaken(status.name)
        return attrs.evolve(status, waiting=status.waiting + untaken) if untaken else status

    async def send(self, name: str, data: Any, manner: Manner = PLAIN) -> Sent:
        """Send an item, together with what other tasks send now."""
        over = None if self._is_ready else await self.until_ready(name)
        batcher = over or self._batcher_for(name, manner)
        if isinstance(batcher, Failure):
            return batcher
        item = self._measure(name, data)
        if isinstance(item, Failure):
            return item
        result = await batcher.send(*item)
        return self._registrations.explain(result) if isinstance(result, Failure) else result

    async def send_many(
        self, name: str, items: Sequence[Any], manner: Manner = PLAIN
    ) -> list[Sent]:
        """Send items in order; for each what became of it."""
        over = None if self._is_ready else await self.until_ready(name)
        batcher = over or self._batcher_for(name, manner)
        if isinstance(batcher, Failure):
            return [batcher] * len(items)
        measured = [self._measure(name, each) for each in items]
        good = [each for each in measured if not isinstance(each, Failure)]
        explain = self._registrations.explain
        sent = await batcher.send_many(good)
        results = iter([explain(each) if isinstance(each, Failure) else each for each in sent])
        return [each if isinstance(each, Failure) else next(results) for each in measured]

    def _batcher_for(self, name: object, manner: Manner) -> SendBatcher | Failure:
        self.session.check_loop()
        if not isinstance(name, str):
            return host_failure(name, f"a system name is a string, not {type(name).__name__}")
        return self._batchers.of(name, manner)

    def _measure(self, name: str, data: Any) -> Measured | Failure:
        """Pickle an item, if it needs it."""
        try:
            wrapped = wrap(data)
            size = payload_size(wrapped)
        except PayloadError as error:
            return host_failure(name, str(error))
        limit = self.session.max_payload_bytes or self._options.max_payload_bytes
        if size > limit:
            text = f"the data has {size:,} bytes, more than max_payload_bytes ({limit:,})"
            return host_failure(name, text)
        return wrapped, size

    def _note(self, reply: Reply) -> None:
        """Keep what the answer to an order says of connections: its event may come later."""
        match reply:
            case SystemConnected(system_name=str(name)):
                self.connected.add(name)
            case SystemDisconnected(system_name=str(name)):
                self.connected.discard(name)
            case AllConnected():
                self.connected.update(n for n, done in reply.results.items() if done is True)
            case AllDisconnected():
                self.connected.difference_update(
                    n for n, done in reply.results.items() if done is True
                )

    def _disconnected(self, name: str) -> None:
        self.connected.discard(name)

    def _hear(self, event: Event) -> None:
        if isinstance(event, LinesSaid):
            self._hear_lines(event)
            return
        # What comes again, for a stream that asked for the past, is no news.
        if isinstance(event, LifecycleEvent) and event.sequence > self._last_event:
            self._note_event(event)
        self.streams.hear(event)

    def _hear_lines(self, said: LinesSaid) -> None:
        new = tuple(line for line in said.lines if line.sequence > self._last_line)
        if not new:
            return
        self._last_line = new[-1].sequence
        if not self.session.is_attached:  # else its own log has them
            log_lines(new, self._options.log_level.number)
        self.streams.hear(LinesSaid(new))

    def _note_event(self, event: LifecycleEvent) -> None:
        self._last_event = event.sequence
        self.links.hear(event)
        name = event.system_name
        match event.kind:
            case EventKind.REGISTERED:
                self.names.add(name)
            case EventKind.CONNECTED:
                self.connected.add(name)
            case EventKind.DISCONNECTED | EventKind.FAILED | EventKind.CRASHED | EventKind.STOPPED:
                self.connected.discard(name)
            case EventKind.UNREGISTERED:
                self.forget(name)

    def _lose(self, why: str, for_good: bool) -> None:
        self.connected.clear()
        self.links.supervisor_lost(why)
        if not for_good:
            _log.warning("%s; waiting for the next", why)
            return
        self.streams.end()
        if self._starting is None:  # else whoever starts is told by an error
            _log.warning("%s; its systems cannot be reached any more", why)

    def _end(self, why: str) -> None:
        self.links.close(why)
        self._order.close()
        self._registrations.give_up()


def _retrieve(task: asyncio.Task[None]) -> None:
    """Whoever waited for it may have been cancelled: then nobody misses its error."""
    if not task.cancelled():
        task.exception()


def host_failure(
    name: object, text: str, code: FailureCode = FailureCode.INVALID_REQUEST
) -> Failure:
    """A failure found here, before anything was asked or after it was answered."""
    known = name if isinstance(name, str) else None
    who = f"{known[:40]}: " if known else ""
    return Failure(request_id=0, system_name=known, code=code, text=f"{who}{text}")
