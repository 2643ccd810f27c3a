"""What can be wrong with a request by itself, before anything is done about it."""

from __future__ import annotations

import sys
from typing import Any

from actors.interface import check_system_name
from actors.messages import CallCommand, ReceiveData, ReceiveMany, Request, SendData, SendMany
from actors.messages.limits import size_of
from actors.payload import PayloadError, payload_size
from supervisor.messages.children import (
    ChangeSpecs,
    ChildRequest,
    CountChildren,
    StartChild,
    WhichChildren,
)
from supervisor.messages.requests import RegisterSystem, Subscribe
from supervisor.specs.spec import GroupSpec, SystemSpec


def mistake_in(request: Any, max_payload_bytes: int) -> str | None:
    """What is wrong with a request, as a sentence; None when nothing is."""
    if type(request.request_id) is not int and not _is_whole_number(request.request_id):
        return f"request_id is a whole number, not {type(request.request_id).__name__}"
    if request.timeout is not None and not _is_number(request.timeout, above=0):
        return f"timeout is a number of seconds greater than 0, or None: {request.timeout!r}"
    if isinstance(request, Request):
        mistake = _mistake_in_name(request.system_name)
        if mistake:
            return mistake
    match request:
        case SendData() | SendMany():
            return _mistake_in_data(request, max_payload_bytes)
        case ReceiveData() | ReceiveMany() if not _is_number(request.wait, least=0):
            return f"wait is a number of seconds, 0 or greater, or None: {request.wait!r}"
        case ReceiveMany() if not (_is_whole_number(request.max_items) and request.max_items > 0):
            return f"max_items is a whole number greater than 0: {request.max_items!r}"
        case CallCommand() if not isinstance(request.command, str):
            return f"a command's name is a string, not {type(request.command).__name__}"
        case CallCommand():
            return _mistake_in_data(request, max_payload_bytes)
        case RegisterSystem() if not isinstance(request.spec, SystemSpec):
            return f"spec is a SystemSpec, not {type(request.spec).__name__}"
        case StartChild() if not isinstance(request.spec, SystemSpec | GroupSpec):
            return f"spec is a SystemSpec or a GroupSpec, not {type(request.spec).__name__}"
        case ChangeSpecs() if not isinstance(request.spec, GroupSpec):
            return f"spec is a GroupSpec, not {type(request.spec).__name__}"
        case RegisterSystem() | StartChild() | WhichChildren() | CountChildren():
            return None if request.group is None else _mistake_in_name(request.group, "group")
        case ChildRequest():
            return _mistake_in_name(request.name, "name")
        case Subscribe(since=since) if since is not None and not _is_whole_number(since):
            return f"since is the sequence number of an event, or None: {since!r}"
        case Subscribe() if not isinstance(request.lifecycle, bool):
            return f"lifecycle is True or False: {request.lifecycle!r}"
        case Subscribe() if not _are_names(request.data_from):
            return "data_from is a sequence of system names, or None for all"
    return None


def _mistake_in_name(name: object, field: str | None = None) -> str | None:
    try:
        check_system_name(name)
    except ValueError as error:
        return str(error) if field is None else f"{field}: {error}"
    return None


def _mistake_in_data(request: SendData | SendMany | CallCommand, limit: int) -> str | None:
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


def _is_number(value: object, above: float | None = None, least: float | None = None) -> bool:
    if value is None:
        return True
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return False
    if isinstance(value, int) and abs(value) > sys.float_info.max:
        return False  # it cannot be added to a time
    return (above is None or value > above) and (least is None or value >= least)


def _is_whole_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _are_names(names: object) -> bool:
    return names is None or (
        isinstance(names, tuple) and all(isinstance(name, str) for name in names)
    )
