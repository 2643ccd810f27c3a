"""What a system actor understands, and what it answers.

A host sends the same requests to a supervisor, which passes them on untouched: a
request is one object on its whole way. Every request gets exactly one reply with its
``request_id``: the typed result named in its docstring, or a :class:`Failure`.

Data fields hold what :func:`actors.payload.wrap` makes, and never print.
"""

from __future__ import annotations

import enum
import itertools
from typing import Any, Protocol, Self

import attrs

from actors.delivery import Delivery
from actors.payload import unwrap, wrap, wrap_items

_request_numbers = itertools.count(1)


def new_request_id() -> int:
    """A number that no other request of this process has."""
    return next(_request_numbers)


class FailureCode(enum.StrEnum):
    """Why a request failed. The values are stable: programs may test for them."""

    UNKNOWN_SYSTEM = "unknown_system"
    ALREADY_STARTED = "already_started"
    """The name is taken, by a child that runs."""
    ALREADY_PRESENT = "already_present"
    """The name is taken, by a child that does not run; perhaps it will be restarted."""
    NOT_FOUND = "not_found"
    """There is no child of this name."""
    RUNNING = "running"
    """The child must not run for this, and does."""
    RESTARTING = "restarting"
    """The child must not run for this, and is being restarted."""
    INVALID_SPEC = "invalid_spec"
    EVENTS_LOST = "events_lost"
    """The events asked for are not kept any more."""
    NOT_CONNECTED = "not_connected"
    FAILED = "failed"
    """The system cannot be connected, or lost its connection, for a reason that somebody must mend
    first; it is not tried again by itself."""
    SYSTEM_CRASHED = "system_crashed"
    TIMEOUT = "timeout"
    OVERLOADED = "overloaded"
    RATE_LIMITED = "rate_limited"
    """Its rate limit lets no more through just now."""
    INVALID_REQUEST = "invalid_request"
    UNKNOWN_COMMAND = "unknown_command"
    CONNECTOR_ERROR = "connector_error"
    ITEM_REFUSED = "item_refused"
    """The connector says that this item cannot be sent, whenever that is tried."""
    CIRCUIT_OPEN = "circuit_open"
    """Too many of the last calls failed; it is not called for a while."""
    UNAVAILABLE = "unavailable"
    NOT_TRIED = "not_tried"
    """An item before it failed, and it was to wait for that."""
    DEAD_LETTER = "dead_letter"
    """It was accepted, and is not tried any more."""


class Outcome(enum.StrEnum):
    """What happened to the data of a failed request."""

    NOT_SENT = "not_sent"
    """The system never got it: it is safe to send it again."""
    UNKNOWN = "unknown"
    """It went to the system, and nobody knows whether it arrived."""


@attrs.frozen(kw_only=True)
class Reply:
    """The answer to one request."""

    request_id: int
    system_name: str | None = None
    """The system concerned; None where the request concerned none or all."""


@attrs.frozen(kw_only=True)
class Failure(Reply):
    """The request failed."""

    code: FailureCode
    text: str
    """What happened, to which system, and what to do, in one line."""
    outcome: Outcome = Outcome.NOT_SENT
    retry_after: float | None = None
    """Seconds after which it is worth to try again, where that is known."""

    @classmethod
    def to(
        cls,
        request: _Asked,
        system_name: str | None,
        code: FailureCode,
        text: str,
        outcome: Outcome = Outcome.NOT_SENT,
        retry_after: float | None = None,
    ) -> Self:
        """The failed answer to a request; its text begins with the name of the system
        concerned, if there is one."""
        return cls(
            request_id=request.request_id,
            system_name=system_name,
            code=code,
            text=text if system_name is None else f"{system_name}: {text}",
            outcome=outcome,
            retry_after=retry_after,
        )


class _Asked(Protocol):
    @property
    def request_id(self) -> int: ...


@attrs.frozen
class Request:
    """A question or an order to one system."""

    system_name: str
    request_id: int = attrs.field(factory=new_request_id, kw_only=True)
    timeout: float | None = attrs.field(default=None, kw_only=True)
    """Seconds until the request is answered with ``timeout``; None takes the
    supervisor's default."""

    def failure(
        self,
        code: FailureCode,
        text: str,
        outcome: Outcome = Outcome.NOT_SENT,
        retry_after: float | None = None,
    ) -> Failure:
        """The failed answer to this request; its text begins with the system's name."""
        return Failure.to(self, self.system_name, code, text, outcome, retry_after)


def invalid_request(message: object, text: str) -> Failure:
    """The answer to what cannot be a request, perhaps not even a message of ours."""
    request_id = getattr(message, "request_id", None)
    system_name = getattr(message, "system_name", None)
    return Failure(
        request_id=request_id if isinstance(request_id, int) else 0,
        system_name=system_name if isinstance(system_name, str) else None,
        code=FailureCode.INVALID_REQUEST,
        text=text,
    )


@attrs.frozen
class ConnectSystem(Request):
    """Connect, and stay connected, whatever ends the connection. Answered by
    :class:`SystemConnected`."""

    keep_trying: bool = attrs.field(default=True, kw_only=True)
    """Whether the system is meant to be connected from now on, also if this fails: the
    supervisor then tries it again until it works. Otherwise only once it is connected."""


@attrs.frozen
class DisconnectSystem(Request):
    """Disconnect, and stay so across crashes. Answered by :class:`SystemDisconnected`.

    Sends asked for earlier go out first, if they can within the system's grace time."""


@attrs.frozen
class SendData(Request):
    """Send one item. Answered by :class:`DataSent`; if it is sent durably and nobody waits for
    its delivery, by :class:`DataAccepted`."""

    data: Any = attrs.field(repr=False, converter=wrap)
    durable: bool | None = attrs.field(default=None, kw_only=True)
    """Whether it goes by way of the outbox: it is on the disk before it is accepted, and is then
    delivered at least once. None does as the system's spec says."""
    wait: bool = attrs.field(default=False, kw_only=True)
    """Of what is sent durably: whether it is answered only when it is delivered."""


@attrs.frozen
class SendMany(Request):
    """Send items in order. Answered by :class:`ManySent`; if they are sent durably and nobody
    waits for their delivery, by :class:`DataAccepted`."""

    items: tuple[Any, ...] = attrs.field(repr=False, converter=wrap_items)
    stream: bool = attrs.field(default=False, kw_only=True)
    """Answer in several :class:`ManySent`, as results come in; the last has ``final``."""
    durable: bool | None = attrs.field(default=None, kw_only=True)
    """As of :class:`SendData`: all of them are accepted, or none."""
    wait: bool = attrs.field(default=False, kw_only=True)
    """As of :class:`SendData`."""
    until_failure: bool = attrs.field(default=False, kw_only=True)
    """Whether an item is sent only if all before it were; else it has failed with
    ``not_tried``. A system's own bulk operation is given them all."""
    deliveries: tuple[Delivery, ...] = attrs.field(default=(), kw_only=True)
    """What an outbox says of each item, for the connector; empty where none sends it."""


@attrs.frozen
class ReceiveData(Request):
    """Take one item. Answered by :class:`DataReceived` or :class:`NothingReceived`."""

    wait: float | None = None
    """Seconds to wait for data, counted by the system actor, so that no item is taken
    for a caller who has left; None waits as long as one ``receive_data`` of the system
    takes."""


@attrs.frozen
class ReceiveMany(Request):
    """Take up to ``max_items`` items. Answered by :class:`ManyReceived`."""

    max_items: int
    wait: float | None = None
    """Seconds to wait for the first item, as in :class:`ReceiveData`."""


@attrs.frozen
class QueryData(Request):
    """Ask a question, and wait for its own answer. Answered by :class:`QueryAnswered`.

    It goes out in the order of asking, after the sends and questions asked for before it. A
    question is never asked twice, unless the system's policy says that this is safe. When its
    answer does not come in time, the failure's code is ``timeout``."""

    data: Any = attrs.field(repr=False, converter=wrap)
    """The question."""
    wait: float | None = None
    """Seconds to wait for the answer, counted by the system actor from when the question has
    gone out; None waits as long as the system's own ``query_timeout`` says."""


@attrs.frozen
class CallCommand(Request):
    """Call a method marked with ``@command``. Answered by :class:`CommandCalled`."""

    command: str
    args: Any = attrs.field(default=(), repr=False, converter=wrap)
    kwargs: Any = attrs.field(factory=dict, repr=False, converter=wrap)


@attrs.frozen
class CheckHealth(Request):
    """Ask the system's ``check_health``. Answered by :class:`HealthChecked`."""


@attrs.frozen
class InvalidateCache(Request):
    """Give no answer again that the system has given so far. Answered by
    :class:`CacheInvalidated`. What is being asked still answers who asked it."""

    command: str | None = None
    """Only answers of this command; None forgets all."""


@attrs.frozen
class Fence(Request):
    """Ask the event loop for a sign that it took all that was asked before, the same way.
    Answered by :class:`FencePassed`, before anything of that needs to be done."""


@attrs.frozen(kw_only=True)
class SystemConnected(Reply):
    """The system is connected."""


@attrs.frozen(kw_only=True)
class SystemDisconnected(Reply):
    """The system is disconnected."""


@attrs.frozen(kw_only=True)
class DataSent(Reply):
    """The system took the item."""


@attrs.frozen(kw_only=True)
class DataAccepted(Reply):
    """All of it is on the disk, and will be delivered, whatever ends before."""

    ids: tuple[str, ...]
    """Of each item in order: the idempotency id that its receiver may be told."""


@attrs.frozen(kw_only=True)
class ManySent(Reply):
    """For each item in order, True when the system took it, or its Failure."""

    results: tuple[bool | Failure, ...]
    final: bool = True
    """False in every part but the last of a streamed answer."""


@attrs.frozen(kw_only=True)
class DataReceived(Reply):
    """One item came."""

    data: Any = attrs.field(repr=False, converter=wrap)

    def load(self) -> Any:
        """The item.

        Raises:
            PayloadError: it cannot be unpickled in this process.
        """
        return unwrap(self.data)


@attrs.frozen(kw_only=True)
class NothingReceived(Reply):
    """No item came in time."""


@attrs.frozen(kw_only=True)
class ManyReceived(Reply):
    """The items that came, perhaps none."""

    items: tuple[Any, ...] = attrs.field(repr=False, converter=wrap_items)

    def load(self) -> list[Any]:
        """The items.

        Raises:
            PayloadError: one of them cannot be unpickled in this process.
        """
        return [unwrap(item) for item in self.items]


@attrs.frozen(kw_only=True)
class QueryAnswered(Reply):
    """The answer to the question came."""

    data: Any = attrs.field(repr=False, converter=wrap)

    given_again: bool = False
    """Whether the system was not asked for it, as it had answered that before, or was about to."""

    def load(self) -> Any:
        """The answer.

        Raises:
            PayloadError: it cannot be unpickled in this process.
        """
        return unwrap(self.data)


@attrs.frozen(kw_only=True)
class CommandCalled(Reply):
    """The command returned."""

    result: Any = attrs.field(repr=False, converter=wrap)

    def load(self) -> Any:
        """What it returned.

        Raises:
            PayloadError: it cannot be unpickled in this process.
        """
        return unwrap(self.result)


@attrs.frozen(kw_only=True)
class HealthChecked(Reply):
    """What the system says of its health."""

    healthy: bool


@attrs.frozen(kw_only=True)
class CacheInvalidated(Reply):
    """The answers are forgotten."""

    answers: int
    """How many there were."""


@attrs.frozen(kw_only=True)
class FencePassed(Reply):
    """What was asked before has been taken."""


def is_final(reply: Reply) -> bool:
    """Whether this ends the answer to its request; a part of one does not."""
    return not isinstance(reply, ManySent) or reply.final


def items_in(reply: Reply) -> tuple[Any, ...]:
    """The items that were received with it: if nobody waits for them, the next caller is to
    have them. The answer to a question is nobody else's."""
    match reply:
        case DataReceived():
            return (reply.data,)
        case ManyReceived():
            return reply.items
    return ()
