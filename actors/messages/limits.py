"""How much may wait for one system, whichever way it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import attrs

from actors.messages.requests import (
    CallCommand,
    CommandCalled,
    Failure,
    FailureCode,
    Fence,
    QueryAnswered,
    QueryData,
    Reply,
    Request,
    SendData,
    SendMany,
    items_in,
)
from actors.payload import payload_size

MAILBOX_BYTES: Final = 256 << 20
"""User data waiting for one system above which it is overloaded."""
WINDOW: Final = 2
"""Deliveries that an actor may have before its event loop takes them. A hung one never takes
any: Thespian stops sending to everybody after twenty messages that nobody takes."""
UNHEARD: Final = 16
"""How often an actor that says nothing is told to forget requests: these are messages that
a hung one does not take, either."""
DELIVERY_ITEMS: Final = 1000
DELIVERY_BYTES: Final = 1 << 20
"""A delivery ends with the request that reaches one of these; so does what is put together
into one SendMany with the item."""
_SOON: Final = 0.05
_LATE: Final = 30.0
"""Seconds; to try again sooner is of no use, and later of none either."""


def is_full(items: int, size: int) -> bool:
    """Whether so many items of so many bytes are enough for one delivery."""
    return items >= DELIVERY_ITEMS or size >= DELIVERY_BYTES


def weight_of(request: Request) -> int:
    """How many items a request stands for in a mailbox."""
    if isinstance(request, SendMany):
        return max(1, len(request.items))
    return 0 if isinstance(request, Fence) else 1  # which asks for nothing to be done


def size_of(request: Request) -> int:
    """The bytes of user data in a request, roughly.

    Raises:
        PayloadError: some of it cannot be pickled.
    """
    match request:
        case SendData() | QueryData():
            return payload_size(request.data)
        case SendMany():
            return sum(map(payload_size, request.items))
        case CallCommand():
            return payload_size(request.args) + payload_size(request.kwargs)
    return 0


def size_of_answer(reply: Reply) -> int:
    """The bytes of user data in an answer, roughly.

    Raises:
        PayloadError: some of it cannot be pickled.
    """
    if isinstance(reply, CommandCalled):
        return payload_size(reply.result)
    if isinstance(reply, QueryAnswered):
        return payload_size(reply.data)
    return sum(map(payload_size, items_in(reply)))


def in_parts(
    answers: Sequence[tuple[int, Reply]],
) -> Iterator[tuple[tuple[int, Reply], ...]]:
    """Cut answers into what goes as one message each."""
    begin = size = 0
    for place, (_, reply) in enumerate(answers):
        size += size_of_answer(reply)
        if size >= DELIVERY_BYTES:
            yield tuple(answers[begin : place + 1])
            begin, size = place + 1, 0
    if begin < len(answers):
        yield tuple(answers[begin:])


class Admitted(NamedTuple):
    """A request that there is room for, at least in part."""

    request: Request
    """A SendMany may have lost its last items."""
    weight: int
    size: int
    refused: tuple[Failure, ...] = ()
    """The results of those; :class:`~actors.messages.results.Results` puts them behind the
    others."""


class Line(NamedTuple):
    """What waits for a system, for who is refused."""

    state: str
    """Of the system."""
    waited: float
    """Seconds for which the first has waited."""


def admit(
    request: Request,
    waiting: int,
    waiting_bytes: int,
    mailbox_size: int,
    size: int | None = None,
    line: Callable[[], Line] | None = None,
) -> Admitted | Failure:
    """What of a request there is room for, beside what waits already; else the answer to it.

    Args:
        waiting: items that wait; ``waiting_bytes`` their bytes.
        size: bytes of user data, where they are known.
        line: asked where something is refused.

    Raises:
        PayloadError: some of the request cannot be pickled.
    """
    refused: tuple[Failure, ...] = ()
    room = mailbox_size - waiting
    if isinstance(request, SendMany) and 0 < room < len(request.items):
        refusal = _overloaded(request, f"{waiting} items wait", mailbox_size, line)
        refused = (refusal,) * (len(request.items) - room)
        request, size = attrs.evolve(request, items=request.items[:room]), None
    weight = weight_of(request)
    if size is None:
        size = size_of(request)
    if weight > room:
        return _overloaded(request, f"{waiting} items wait", mailbox_size, line)
    if waiting_bytes + size > MAILBOX_BYTES:
        return _overloaded(request, f"{waiting_bytes:,} bytes wait", None, line)
    return Admitted(request, weight, size, refused)


def _overloaded(
    request: Request, waits: str, mailbox_size: int | None, line: Callable[[], Line] | None
) -> Failure:
    """The answer to what does not fit beside what waits.

    Args:
        mailbox_size: None where it is not that which is full.
    """
    limit = "" if mailbox_size is None else f" (mailbox_size {mailbox_size})"
    text, again = f"{waits} already{limit}", _SOON
    if line is not None:
        state, waited = line()
        # By then what waits now has been dealt with, if it goes on as it did.
        again = min(max(waited, _SOON), _LATE)
        text = f"it is {state}; {text}, the first for {waited:.3g} s"
    text = f"{text}; send less, or wait for answers"
    return request.failure(FailureCode.OVERLOADED, text, retry_after=again)
