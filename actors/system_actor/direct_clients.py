"""Clients that speak straight with a system actor, on a door of its own.

Lives on the event loop: the loop watches the door, and what comes in goes to the engine
without crossing the message thread or the supervisor. A client speaks as a supervisor does:
it delivers requests, each with a number, and is told what became of them.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

import attrs

from actors import loggers
from actors.errors import describe
from actors.messages import (
    DIRECT_KINDS,
    RECEIVING_KINDS,
    Answered,
    Deliver,
    DoorAddress,
    Failure,
    Forget,
    Reply,
    Request,
    SendMany,
    TakeBack,
    invalid_request,
    is_final,
)
from actors.messages.checks import mistake_in_request, mistake_in_speech
from actors.messages.limits import Line, admit, in_parts, weight_of
from actors.messages.results import Results
from actors.messages.tallied import received_items, taken_items
from actors.system_actor.face import SystemEngine
from actors.system_actor.reports import Origin, Reports
from actors.wire.frames import frame_limit
from actors.wire.front_door import Arrived, DoorClient, FrontDoor, Left
from actors.wire.loop_selector import LoopSelector
from actors.wire.tally import Tally, tally_path


@attrs.define(eq=False)
class _Open:
    """A request of a client, until it is answered."""

    client: _Client | None
    """None when it has left: what it asked to send still goes."""
    theirs: int
    """The client's own number for it."""
    request: Request
    weight: int
    size: int
    since: float
    """When it came; seconds of a monotonic clock."""
    results: Results | None
    """Of a SendMany. A client gets each part as it comes, whatever its own caller wants."""

    @property
    def only_waits(self) -> bool:
        return isinstance(self.request, RECEIVING_KINDS)


@attrs.define(eq=False)
class _Client:
    who: DoorClient
    refs: dict[int, int] = attrs.field(factory=dict)
    """Ours, by the client's own."""
    taken: int = 0
    replies: list[tuple[int, Reply]] = attrs.field(factory=list)
    refused: list[int] = attrs.field(factory=list)


class DirectClients:
    """All of one incarnation."""

    def __init__(
        self,
        address: DoorAddress,
        system_name: str,
        incarnation: int,
        max_payload_bytes: int,
        engine: SystemEngine,
        reports: Reports,
        on_bug: Callable[[Exception], None],
    ) -> None:
        """Open the door, on the running event loop.

        Args:
            on_bug: called when serving a client raised something.

        Raises:
            OSError: it cannot be opened.
        """
        self._mailbox_size = address.mailbox_size
        self._system_name = system_name
        self._incarnation = incarnation
        self._max_payload_bytes = max_payload_bytes
        self._engine = engine
        self._reports = reports
        self._on_bug = on_bug
        self._tally = Tally(tally_path(address.path))
        try:
            limit = frame_limit(max_payload_bytes)
            selector = LoopSelector(self._serve)
            self._door = FrontDoor(address.path, selector, max_frame=limit)
        except OSError:
            self._tally.close()
            raise
        self._clients: dict[DoorClient, _Client] = {}
        self._news: dict[DoorClient, _Client] = {}
        """Those that something is to be said to."""
        self._refs = itertools.count(1)
        self._open: dict[int, _Open] = {}
        self._busy: OrderedDict[int, _Open] = OrderedDict()
        self._receives: OrderedDict[int, _Open] = OrderedDict()
        """Both in the order they came: all that is open."""
        self._noted: _Open | None = None
        self._bytes = 0
        self._supervisors: dict[int, int] = {}
        """The weight of each open request that came from the supervisor."""
        self._supervisors_weight = 0
        reports.beside = self

    # ---- in --------------------------------------------------------------------------

    def _serve(self, connection: Any, events: int) -> None:
        try:
            self._hear(self._door.ready(connection, events))
        except Exception as error:
            self._on_bug(error)

    def look(self) -> None:
        """Make again what was removed of the door's files; to be called now and then."""
        try:
            self._door.look()
            self._tally.look()
        except OSError:
            pass  # the directory is not there: its owner makes it again

    def serve_all(self) -> None:
        """Take what has come."""
        self._hear(self._door.read_all())

    def _hear(self, came: Iterable[Arrived | Left]) -> None:
        for event in came:
            if isinstance(event, Arrived):
                self._hear_message(event.client, event.message)
            else:
                self._left(event.client)

    def _hear_message(self, who: DoorClient, message: Any) -> None:
        client = self._clients.get(who)
        if client is None:
            client = self._clients[who] = _Client(who)
        if isinstance(message, Deliver | Forget | TakeBack):
            mistake = mistake_in_speech(message)
            if mistake is None and isinstance(message, Deliver):
                mistake = _repeated(client, message)
            if mistake is not None:
                self._door.hang_up(who, f"{self._system_name}: {mistake}")
                return
        match message:
            case Deliver():
                for theirs, request in message.requests:
                    self._take(client, theirs, request)
                client.taken = message.number
            case Forget():
                self._forget(client.refs.pop(theirs, 0) for theirs in message.refs)
            case TakeBack():
                if not self._engine.is_tapped:
                    self._tally.count_received(-len(message.items))
                self._engine.take_back(message.items)
            case _:
                text = f"a system actor does not understand {type(message).__name__}"
                failure = invalid_request(message, text)
                client.replies.append((failure.request_id, failure))
        self._news[who] = client
        self._reports.schedule()

    def _take(self, client: _Client, theirs: int, request: Any) -> None:
        if not isinstance(request, DIRECT_KINDS):
            text = f"a system actor does not understand {type(request).__name__}"
            client.replies.append((theirs, invalid_request(request, text)))
            return
        mistake = self._mistake_in(request)
        if mistake is not None:
            failure = invalid_request(request, f"{type(request).__name__}: {mistake}")
            client.replies.append((theirs, failure))
            return
        if self._engine.is_stopping:
            client.refused.append(theirs)
            return
        waiting = self._tally.waiting + self._supervisors_weight
        admitted = admit(request, waiting, self._bytes, self._mailbox_size, line=self._line)
        if isinstance(admitted, Failure):
            client.replies.append((theirs, admitted))
            return
        request, weight, size, refused = admitted
        results = None
        if isinstance(request, SendMany):
            results = Results(request, refused, in_parts=True)
        ref = next(self._refs)
        now = time.monotonic()
        asked = self._open[ref] = _Open(client, theirs, request, weight, size, now, results)
        (self._receives if asked.only_waits else self._busy)[ref] = asked
        client.refs[theirs] = ref
        self._bytes += size
        self._tally.count_waiting(weight)
        if self._noted is None or self._noted.only_waits:
            self._note_oldest()  # before it begins: it may be what ends this process
        self._engine.submit(Origin(self, ref), request)

    def _line(self) -> Line:
        """What waits for the system, for who is refused."""
        first = next(iter(self._open.values()), None)
        waited = 0.0 if first is None else time.monotonic() - first.since
        return Line("connected" if self._reports.is_connected else "disconnected", waited)

    def _mistake_in(self, request: Request) -> str | None:
        mistake = mistake_in_request(request, self._max_payload_bytes)
        if mistake is None and request.system_name != self._system_name:
            mistake = f"this is the door of {self._system_name}, not of {request.system_name}"
        return mistake

    def _left(self, who: DoorClient) -> None:
        """A client is gone. What it asked to send still goes; nothing is received for it."""
        client = self._clients.pop(who, None)
        self._news.pop(who, None)
        if client is None:
            return
        receives = [ref for ref in client.refs.values() if self._open[ref].only_waits]
        for ref in client.refs.values():
            self._open[ref].client = None
        self._forget(receives)

    def _forget(self, refs: Iterable[int]) -> None:
        known = frozenset(ref for ref in refs if ref in self._open)
        for ref in known:
            self._close(ref)
        if known:
            self._engine.forget(frozenset(Origin(self, ref) for ref in known))

    # ---- what the supervisor has here --------------------------------------------------

    def supervisor_delivers(self, requests: Iterable[tuple[int, Request]]) -> None:
        """Count these."""
        for ref, request in requests:
            weight = self._supervisors[ref] = weight_of(request)
            self._supervisors_weight += weight

    def supervisor_forgets(self, refs: Iterable[int]) -> None:
        for ref in refs:
            self._supervisors_weight -= self._supervisors.pop(ref, 0)

    def supervisors_reply(self, ref: int, reply: Reply) -> None:
        if is_final(reply):
            self._supervisors_weight -= self._supervisors.pop(ref, 0)

    # ---- out -------------------------------------------------------------------------

    def reply(self, ref: int, reply: Reply) -> None:
        """Something came of a client's request."""
        self._reports.schedule()
        self._tally.count_sent(taken_items(reply))
        asked = self._open.get(ref)
        if asked is None:
            return  # nobody waits for it any more
        ends = is_final(reply)
        if ends:
            self._close(ref)
        client = asked.client
        if client is None:
            return
        if ends:
            client.refs.pop(asked.theirs, None)
        if asked.results is not None:
            reply = asked.results.pass_on(reply) or reply
        self._tally.count_received(received_items(reply, self._engine.is_tapped))
        client.replies.append((asked.theirs, reply))
        self._news[client.who] = client

    def flush(self, is_connected: bool) -> None:
        """Tell all clients what is new."""
        self._tally.note_connected(is_connected)
        if not self._news:
            return
        for who, client in self._news.items():
            refused = tuple(client.refused)
            for replies in [*in_parts(client.replies)] or [()]:
                said = Answered(
                    self._system_name,
                    self._incarnation,
                    client.taken,
                    replies,
                    refused,
                    is_connected,
                )
                self._door.tell(who, said)
                refused = ()
            client.replies.clear()
            client.refused.clear()
        self._news.clear()
        self._door.flush()
        self._hear(self._door.left())

    def _close(self, ref: int) -> None:
        asked = self._open.pop(ref)
        self._busy.pop(ref, None)
        self._receives.pop(ref, None)
        self._bytes -= asked.size
        self._tally.count_waiting(-asked.weight)
        if asked is self._noted:
            self._note_oldest()

    def _note_oldest(self) -> None:
        first = next(iter((self._busy or self._receives).values()), None)
        self._noted = first
        self._tally.note_busy(None if first is None else first.request)


def _repeated(client: _Client, said: Deliver) -> str | None:
    """Whether two of a client's requests would have one number."""
    numbers = [theirs for theirs, _ in said.requests]
    if len(set(numbers)) < len(numbers) or not client.refs.keys().isdisjoint(numbers):
        return "a number is that of two requests"
    return None


def open_door(
    address: DoorAddress,
    system_name: str,
    incarnation: int,
    max_payload_bytes: int,
    engine: SystemEngine,
    reports: Reports,
    on_bug: Callable[[Exception], None],
) -> DirectClients | None:
    """Let clients in, on the running event loop; None where that cannot be, and the supervisor
    is the only way."""
    try:
        return DirectClients(
            address, system_name, incarnation, max_payload_bytes, engine, reports, on_bug
        )
    except OSError as error:
        log = logging.getLogger(loggers.SYSTEM_ACTOR)
        log.warning("%s: no door for direct clients: %s", system_name, describe(error))
        return None
