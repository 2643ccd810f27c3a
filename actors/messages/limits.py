"""How much may wait for one system, whichever way it comes."""

from __future__ import annotations

from typing import Final

from actors.messages.requests import (
    CallCommand,
    Failure,
    FailureCode,
    Fence,
    Request,
    SendData,
    SendMany,
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
"""A delivery ends with the request that reaches one of these."""


def measure(request: Request) -> tuple[int, int]:
    """What :func:`weight_of` and :func:`size_of` say."""
    if type(request) is SendData:  # nearly always
        return 1, payload_size(request.data)
    return weight_of(request), size_of(request)


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
        case SendData():
            return payload_size(request.data)
        case SendMany():
            return sum(map(payload_size, request.items))
        case CallCommand():
            return payload_size(request.args) + payload_size(request.kwargs)
    return 0


def overload(
    request: Request, weight: int, size: int, waiting: int, waiting_bytes: int, mailbox_size: int
) -> Failure | None:
    """The answer to a request that is one too many; None when there is room for it.

    Args:
        weight: of the request; ``size`` its bytes.
        waiting: items that wait already; ``waiting_bytes`` their bytes.
    """
    if waiting + weight > mailbox_size:
        return too_many(request, waiting, mailbox_size)
    if waiting_bytes + size > MAILBOX_BYTES:
        text = f"{waiting_bytes:,} bytes wait already; send less, or wait for answers"
        return request.failure(FailureCode.OVERLOADED, text)
    return None


def too_many(request: Request, waiting: int, mailbox_size: int) -> Failure:
    """The answer to what does not fit beside the items that wait."""
    text = f"{waiting} items wait already (mailbox_size {mailbox_size})"
    return request.failure(FailureCode.OVERLOADED, f"{text}; send less, or wait for answers")
