"""What can be wrong with a request by itself, before anything is done about it."""

from __future__ import annotations

from typing import Any

import attrs

from actors.errors import describe
from actors.interface import check_system_name
from actors.messages import Request
from actors.messages.checks import (
    is_number,
    is_whole_number,
    mistake_in_head,
    mistake_in_request,
)
from supervisor.messages.children import (
    ChangeSpecs,
    ChildRequest,
    CountChildren,
    StartChild,
    WhichChildren,
)
from supervisor.messages.dead_letter_checks import is_letter, mistake_in_choice
from supervisor.messages.dead_letters import (
    DiscardDeadLetters,
    ImportDeadLetters,
    ListDeadLetters,
    RetryDeadLetters,
)
from supervisor.messages.inbox import SettleData, TakeData
from supervisor.messages.requests import ConnectAll, GetLogs, RegisterSystem, Subscribe
from supervisor.specs.spec import ChildSpec, GroupSpec, SystemSpec


def mistake_in(request: Any, max_payload_bytes: int) -> str | None:
    """What is wrong with a request, as a sentence; None when nothing is."""
    try:
        if isinstance(request, Request):
            mistake = _mistake_in_name(request.system_name)
            mistake = mistake or mistake_in_request(request, max_payload_bytes)
            return mistake or _mistake_in_taking(request)
        return mistake_in_head(request) or _mistake_in_body(request)
    except Exception as error:  # a field is missing, or of a class whose own code raises
        return f"it cannot be read: {describe(error)}"


def _mistake_in_taking(request: Request) -> str | None:
    match request:
        case TakeData(wait=wait) if not is_number(wait, least=0):
            return f"wait is a number of seconds, 0 or greater, or None: {wait!r}"
        case SettleData(item_id=item_id) if not is_whole_number(item_id):
            return f"item_id is a whole number: {item_id!r}"
        case SettleData(done=done) if not isinstance(done, bool):
            return f"done is True or False: {done!r}"
    return None


def _mistake_in_body(request: Any) -> str | None:
    match request:
        case ConnectAll() if not isinstance(request.keep_trying, bool):
            return f"keep_trying is True or False: {request.keep_trying!r}"
        case RegisterSystem() if not isinstance(request.spec, SystemSpec):
            return f"spec is a SystemSpec, not {type(request.spec).__name__}"
        case StartChild() if not isinstance(request.spec, SystemSpec | GroupSpec):
            return f"spec is a SystemSpec or a GroupSpec, not {type(request.spec).__name__}"
        case ChangeSpecs() if not isinstance(request.spec, GroupSpec):
            return f"spec is a GroupSpec, not {type(request.spec).__name__}"
        case ChangeSpecs():
            return _mistake_in_spec(request.spec)
        case RegisterSystem() | StartChild():
            group = request.group
            in_group = None if group is None else _mistake_in_name(group, "group")
            return in_group or _mistake_in_spec(request.spec)
        case WhichChildren() | CountChildren():
            return None if request.group is None else _mistake_in_name(request.group, "group")
        case ChildRequest():
            return _mistake_in_name(request.name, "name")
        case Subscribe(since=since) if since is not None and not is_whole_number(since):
            return f"since is the sequence number of an event, or None: {since!r}"
        case Subscribe() if not isinstance(request.lifecycle, bool):
            return f"lifecycle is True or False: {request.lifecycle!r}"
        case Subscribe() if not _are_names(request.data_from):
            return "data_from is a sequence of system names, or None for all"
        case Subscribe() if not _are_names(request.output_of):
            return "output_of is a sequence of system names, or None for all"
        case Subscribe(output_since=since) if since is not None and not is_whole_number(since):
            return f"output_since is the sequence number of a line, or None: {since!r}"
        case GetLogs() if not (is_whole_number(request.count) and request.count > 0):
            return f"count is a whole number greater than 0: {request.count!r}"
        case ImportDeadLetters() if not all(map(is_letter, request.letters)):
            return "letters is a sequence of dead letters whose entries have an origin"
        case ListDeadLetters() | RetryDeadLetters() | DiscardDeadLetters():
            name = request.system_name
            in_name = None if name is None else _mistake_in_name(name, "system_name")
            return in_name or mistake_in_choice(request)
    return None


def _mistake_in_spec(spec: ChildSpec) -> str | None:
    """A spec is checked when it is made, but not when it is unpickled."""
    try:
        for each in spec.walk() if isinstance(spec, GroupSpec) else (spec,):
            attrs.validate(each)
            attrs.validate(each.restart)
            if isinstance(each, SystemSpec):
                attrs.validate(each.reconnect)
                if each.durable is not None:
                    attrs.validate(each.durable)
    except Exception as error:
        who = getattr(spec, "name", None)
        return f"the spec of {who!r} makes no sense: {error}"
    return None


def _mistake_in_name(name: object, field: str | None = None) -> str | None:
    try:
        check_system_name(name)
    except ValueError as error:
        return str(error) if field is None else f"{field}: {error}"
    return None


def _are_names(names: object) -> bool:
    return names is None or (
        isinstance(names, tuple) and all(isinstance(name, str) for name in names)
    )
