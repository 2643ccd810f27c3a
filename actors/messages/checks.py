"""What can be wrong with what somebody says to a system, before anything is done about it. Pure.

Who makes a message in Python is told at once of most mistakes. What was unpickled has been
through none of that: its fields may hold anything, or be missing.
"""

from __future__ import annotations

import sys
from typing import Any

from actors.errors import describe
from actors.messages.limits import size_of
from actors.messages.requests import (
    CallCommand,
    ConnectSystem,
    InvalidateCache,
    QueryData,
    ReceiveData,
    ReceiveMany,
    SendData,
    SendMany,
)
from actors.messages.supervision import Deliver, Forget, TakeBack
from actors.payload import PayloadError, payload_size


def mistake_in_request(request: Any, max_payload_bytes: int) -> str | None:
    """What is wrong with a request to a system, as a sentence; None when nothing is. Whether
    there is a system of that name is not asked."""
    try:
        return mistake_in_head(request) or _mistake_in_body(request, max_payload_bytes)
    except Exception as error:  # a field is missing, or of a class whose own code raises
        return f"it cannot be read: {describe(error)}"


def mistake_in_speech(message: Deliver | Forget | TakeBack) -> str | None:
    """What is wrong with the form of what a client says to a system actor. The requests of a
    delivery are not looked at."""
    try:
        match message:
            case Deliver(number=int(), requests=tuple() as requests):
                if all(type(each) is tuple and len(each) == 2 for each in requests):
                    return None if all(type(ref) is int for ref, _ in requests) else _NO_REFS
                return "the requests of a delivery are pairs of a number and a request"
            case Forget(refs=tuple() as refs):
                return None if all(type(ref) is int for ref in refs) else _NO_REFS
            case TakeBack(system_name=str(), items=tuple() as items):
                sum(map(payload_size, items))
                return None
    except Exception as error:
        return f"{type(message).__name__} cannot be read: {describe(error)}"
    return f"{type(message).__name__} has a field of a wrong type"


_NO_REFS = "requests are counted by whole numbers"


def mistake_in_head(request: Any) -> str | None:
    """What is wrong with what all requests have, those to a supervisor as well."""
    if type(request.request_id) is not int and not is_whole_number(request.request_id):
        return f"request_id is a whole number, not {type(request.request_id).__name__}"
    if request.timeout is not None and not is_number(request.timeout, above=0):
        return f"timeout is a number of seconds greater than 0, or None: {request.timeout!r}"
    return None


def _mistake_in_body(request: Any, max_payload_bytes: int) -> str | None:
    match request:
        case ConnectSystem() if not isinstance(request.keep_trying, bool):
            return f"keep_trying is True or False: {request.keep_trying!r}"
        case SendMany() if not isinstance(request.items, tuple):
            return f"items is a tuple, not {type(request.items).__name__}"
        case SendMany() if not isinstance(request.stream, bool):
            return f"stream is True or False: {request.stream!r}"
        case SendMany() if not isinstance(request.until_failure, bool):
            return f"until_failure is True or False: {request.until_failure!r}"
        case SendMany() if request.deliveries and len(request.deliveries) != len(request.items):
            return "deliveries has one for each item, or none"
        case SendData() | SendMany():
            mistake = _mistake_in_durability(request.durable, request.wait)
            return mistake or _mistake_in_data(request, max_payload_bytes)
        case ReceiveData() | ReceiveMany() | QueryData() if not is_number(request.wait, least=0):
            return f"wait is a number of seconds, 0 or greater, or None: {request.wait!r}"
        case ReceiveMany() if not (is_whole_number(request.max_items) and request.max_items > 0):
            return f"max_items is a whole number greater than 0: {request.max_items!r}"
        case CallCommand() if not isinstance(request.command, str):
            return f"a command's name is a string, not {type(request.command).__name__}"
        case InvalidateCache() if not isinstance(request.command, str | None):
            return f"a command's name is a string, or None: {type(request.command).__name__}"
        case CallCommand() | QueryData():
            return _mistake_in_data(request, max_payload_bytes)
    return None


def _mistake_in_durability(durable: object, wait: object) -> str | None:
    if durable is not None and not isinstance(durable, bool):
        return f"durable is True, False or None: {durable!r}"
    if not isinstance(wait, bool):
        return f"wait is True or False: {wait!r}"
    if wait and durable is False:
        return "wait is for what is sent durably; durable is False"
    return None


def _mistake_in_data(
    request: SendData | SendMany | QueryData | CallCommand, limit: int
) -> str | None:
    try:
        if isinstance(request, SendMany):
            return _mistake_in_size(max(map(payload_size, request.items), default=0), limit)
        return _mistake_in_size(size_of(request), limit)
    except PayloadError as error:
        return str(error)


def _mistake_in_size(size: int, limit: int) -> str | None:
    if size > limit:
        return (
            f"the data has {size:,} bytes, more than max_payload_bytes ({limit:,}); "
            "send it in parts, or raise the limit"
        )
    return None


def is_number(value: object, above: float | None = None, least: float | None = None) -> bool:
    """Whether it is None, or a number that can be added to a time, within these bounds."""
    if value is None:
        return True
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return False
    if isinstance(value, int) and abs(value) > sys.float_info.max:
        return False  # it cannot be added to a time
    return (above is None or value > above) and (least is None or value >= least)


def is_whole_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
