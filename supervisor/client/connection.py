"""A client's asyncio connection to a supervisor.

Everything said during one turn of the event loop leaves as one frame, so that requests
of many tasks travel together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from actors.errors import describe
from actors.messages import (
    Failure,
    FailureCode,
    Outcome,
    Reply,
    Request,
    invalid_request,
    is_final,
    items_in,
)
from actors.wire.client import DoorConnection
from actors.wire.frames import WireError, WireVersionError, encode_frames, frame_limit
from actors.wire.versions import silent_peer
from supervisor.messages import (
    CancelRequest,
    DataArrived,
    DataLost,
    LifecycleEvent,
    LinesSaid,
    ReturnData,
    Subscribed,
    SupervisorClosing,
    SupervisorRequest,
)
from supervisor.messages.record import RecordChanged

Event = LifecycleEvent | DataArrived | DataLost | LinesSaid
Told = Event | RecordChanged
"""What comes unasked."""

STOPPED = "the supervisor was stopped"
"""Why a connection ended, when the supervisor ended in order."""


class SupervisorConnection(DoorConnection):
    """Made by :meth:`open`. All methods run on the event loop that opened it."""

    def __init__(
        self, on_event: Callable[[Told], None], on_lost: Callable[[str, bool], None]
    ) -> None:
        super().__init__()
        self._on_event = on_event
        self._on_lost = on_lost
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._streams: dict[int, Callable[[Any], None]] = {}
        self._about: dict[int, str] = {}
        """The system that each request is about, if it is about one."""
        self._outgoing: list[Any] = []
        self._flush_scheduled = False
        self._paused = False
        self._lost: str | None = None
        self._path: str | None = None
        """Where to ask who it was, should it hang up without a word."""
        self._who_was_it: asyncio.Task[None] | None = None
        self._closed = asyncio.get_running_loop().create_future()
        self.max_payload_bytes: int | None = None
        self.state_dir: str | None = None
        """What the supervisor takes, once it has said so."""

    @classmethod
    async def open(
        cls, path: str, on_event: Callable[[Told], None], on_lost: Callable[[str, bool], None]
    ) -> SupervisorConnection:
        """Connect to the socket file at ``path``.

        Args:
            on_event: called with each event subscribed to, and each change of a record kept.
            on_lost: called once when the connection ends, with the reason, and whether the
                supervisor said that it ends for good, or speaks another version.

        Raises:
            OSError: nobody listens there, or the socket is another user's.
        """

        made: list[SupervisorConnection] = []

        def make() -> SupervisorConnection:
            connection = cls(on_event, on_lost)
            connection._path = path
            made.append(connection)
            return connection

        try:
            return await cls.connect(path, make)
        except BaseException:
            for each in made:
                each._path = None  # it is this process that hangs up
            raise

    @property
    def is_open(self) -> bool:
        return self._lost is None and self._who_was_it is None

    async def ask(self, request: Request | SupervisorRequest) -> Reply:
        """Send a request, and wait for its reply. Being cancelled takes the request back."""
        if self._lost is not None:
            return request.failure(FailureCode.UNAVAILABLE, self._lost)
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[request.request_id] = future
        self._note(request)
        self._say(request)
        try:
            return await future
        except asyncio.CancelledError:
            self._about.pop(request.request_id, None)
            if self._waiting.pop(request.request_id, None) is not None:
                self._say(CancelRequest((request.request_id,)))
            elif not future.cancelled():
                self._return_data(future.result())
            raise

    def ask_stream(
        self, request: Request | SupervisorRequest, on_part: Callable[[Any], None]
    ) -> None:
        """Send a request that may be answered in parts; ``on_part`` gets each reply, up to
        the final one or a failure, before anything that was said after it is heard."""
        if self._lost is not None:
            on_part(request.failure(FailureCode.UNAVAILABLE, self._lost))
            return
        self._streams[request.request_id] = on_part
        self._note(request)
        self._say(request)

    def cancel(self, request_id: int) -> None:
        """Take back what was asked with :meth:`ask_stream`; nothing more is heard of it."""
        self._about.pop(request_id, None)
        if self._streams.pop(request_id, None) is not None:
            self._say(CancelRequest((request_id,)))

    def give_back(self, message: ReturnData) -> None:
        """Items that reached nobody are for the next caller."""
        if self._lost is None:
            self._say(message)

    def _note(self, request: Request | SupervisorRequest) -> None:
        if isinstance(request, Request):
            self._about[request.request_id] = request.system_name

    def give_up(self, why: str) -> None:
        """Answer all that waits, and close at once."""
        self._lose(why)
        self.abort()

    def abort(self) -> None:
        self._path = None  # nobody else hung up, whom to ask who he was
        super().abort()

    async def close(self) -> None:
        """Close, after what was said is sent."""
        self._path = None
        self._paused = False  # the transport sends all that it has before it closes
        self._flush()
        if self._transport is not None:
            self._transport.close()
        await asyncio.shield(self._closed)

    # ---- out -------------------------------------------------------------------------

    def _say(self, message: Any) -> None:
        self._outgoing.append(message)
        if not self._flush_scheduled:
            self._flush_scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_scheduled = False
        if self._outgoing and not self._paused and self._transport is not None:
            messages, self._outgoing = self._outgoing, []
            limit = frame_limit(self.max_payload_bytes or 0)
            for frame in encode_frames(messages, self._refuse_to_send, limit):
                self._transport.write(frame)

    def _refuse_to_send(self, message: Any, error: Exception) -> None:
        text = f"{type(message).__name__} cannot be sent: {describe(error)}"
        self._hear(invalid_request(message, text))

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._flush()

    # ---- in --------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._flush()

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        if not self._closed.done():
            self._closed.set_result(None)

    def _end(self, error: Exception | None) -> None:
        if isinstance(error, WireVersionError):
            self._refuse(error)
        elif isinstance(error, WireError):
            self._lose(str(error))
        else:
            why = "the supervisor ended" if error is None else f"connection lost: {error}"
            if self._has_heard or self._path is None or self._lost is not None:
                self._lose(why)
                return
            self._paused = True
            asking = self._ask_who_was_it(self._path, why)
            self._who_was_it = asyncio.get_running_loop().create_task(asking)

    async def _ask_who_was_it(self, path: str, why: str) -> None:
        error = await silent_peer(path)
        if error is None:
            self._lose(why)
        else:
            self._refuse(error)

    def _refuse(self, error: WireVersionError) -> None:
        # It is not tried again: it would be the same.
        self._lose(str(error), for_good=True, answer=str(error))

    def _hear(self, message: Any) -> None:
        if isinstance(message, Subscribed):
            self.max_payload_bytes = message.max_payload_bytes
            self.state_dir = message.state_dir
        match message:
            case Reply() if message.request_id in self._streams:
                on_part = self._streams[message.request_id]
                if is_final(message):
                    del self._streams[message.request_id]
                    self._about.pop(message.request_id, None)
                on_part(message)
            case Reply():
                future = self._waiting.pop(message.request_id, None)
                self._about.pop(message.request_id, None)
                if future is not None and not future.done():
                    future.set_result(message)
                else:
                    self._return_data(message)
            case LifecycleEvent() | DataArrived() | DataLost() | LinesSaid() | RecordChanged():
                self._on_event(message)
            case SupervisorClosing():
                self._lose(message.reason or STOPPED, for_good=True)

    def _return_data(self, reply: Reply) -> None:
        """The caller left while its data was on its way: let the next caller have it."""
        if self._lost is not None or reply.system_name is None:
            return
        items = items_in(reply)
        if not items:
            return
        last = self._outgoing[-1] if self._outgoing else None
        if isinstance(last, ReturnData) and last.system_name == reply.system_name:
            items = (*self._outgoing.pop().items, *items)  # each ReturnData goes to the front
        self._say(ReturnData(reply.system_name, items))

    def _lose(self, why: str, for_good: bool = False, answer: str | None = None) -> None:
        """
        Args:
            answer: for requests that wait; None says that it ended before it answered.
        """
        if self._lost is not None:
            return
        self._lost = why
        text = f"{why} before it answered" if answer is None else answer
        waiting, self._waiting = self._waiting, {}
        streams, self._streams = self._streams, {}
        about, self._about = self._about, {}
        for request_id, future in waiting.items():
            if not future.done():
                future.set_result(_lost_reply(request_id, about.get(request_id), text))
        for request_id, on_part in streams.items():
            on_part(_lost_reply(request_id, about.get(request_id), text))
        self._on_lost(why, for_good)


def _lost_reply(request_id: int, system_name: str | None, text: str) -> Failure:
    """The supervisor is gone. Only the text names the system, for nothing is known of it."""
    who = "" if system_name is None else f"{system_name}: "
    return Failure(
        request_id=request_id,
        code=FailureCode.UNAVAILABLE,
        text=f"{who}{text}",
        outcome=Outcome.UNKNOWN,
    )
