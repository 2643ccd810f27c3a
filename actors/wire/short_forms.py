"""Everyday messages as plain tuples, which pickle several times as fast as the objects.

A short form is ``(code, field, field...)``. A message without one goes as it is: no message
is a tuple by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from actors.messages import (
    Answered,
    DataReceived,
    DataSent,
    Deliver,
    ManySent,
    ReceiveData,
    Reply,
    Request,
    SendData,
    SendMany,
)


def shorten(message: Any) -> Any:
    """The short form of a message; itself if it has none."""
    shortener = _SHORTENERS.get(type(message))
    return message if shortener is None else shortener(message)


def restore(form: Any) -> Any:
    """The message that :func:`shorten` made this of.

    Raises:
        Exception: it was none, whatever that raises.
    """
    return _RESTORERS[form[0]](*form[1:]) if type(form) is tuple else form


def _shorten_each(pairs: tuple[tuple[int, Any], ...]) -> tuple[tuple[int, Any], ...]:
    return tuple([(ref, shorten(message)) for ref, message in pairs])


def _restore_each(pairs: tuple[tuple[int, Any], ...]) -> tuple[tuple[int, Any], ...]:
    return tuple([(ref, restore(form)) for ref, form in pairs])


_DELIVER, _ANSWERED, _SEND, _SEND_MANY, _RECEIVE, _SENT, _MANY_SENT, _RECEIVED = range(1, 9)

_SHORTENERS: Final[dict[type, Callable[[Any], Any]]] = {
    Deliver: lambda m: (_DELIVER, m.number, _shorten_each(m.requests)),
    Answered: lambda m: (
        _ANSWERED,
        m.system_name,
        m.incarnation,
        m.taken,
        _shorten_each(m.replies),
        m.refused,
        m.is_connected,
    ),
    SendData: lambda m: (
        (_SEND, m.system_name, m.request_id, m.timeout, m.data)
        if m.durable is None and not m.wait
        else m
    ),
    SendMany: lambda m: (
        (_SEND_MANY, m.system_name, m.request_id, m.timeout, m.items, m.stream)
        if m.durable is None and not m.wait and not m.until_failure and not m.deliveries
        else m
    ),
    ReceiveData: lambda m: (_RECEIVE, m.system_name, m.request_id, m.timeout, m.wait),
    DataSent: lambda m: (_SENT, m.request_id, m.system_name),
    ManySent: lambda m: (_MANY_SENT, m.request_id, m.system_name, m.results, m.final),
    DataReceived: lambda m: (_RECEIVED, m.request_id, m.system_name, m.data),
}


def _send(name: str, request_id: int, timeout: float | None, data: Any) -> Request:
    return SendData(name, data, request_id=request_id, timeout=timeout)


def _send_many(
    name: str, request_id: int, timeout: float | None, items: tuple[Any, ...], stream: bool
) -> Request:
    return SendMany(name, items, stream=stream, request_id=request_id, timeout=timeout)


def _receive(name: str, request_id: int, timeout: float | None, wait: float | None) -> Request:
    return ReceiveData(name, wait, request_id=request_id, timeout=timeout)


def _sent(request_id: int, name: str | None) -> Reply:
    return DataSent(request_id=request_id, system_name=name)


def _many_sent(request_id: int, name: str | None, results: tuple[Any, ...], final: bool) -> Reply:
    return ManySent(request_id=request_id, system_name=name, results=results, final=final)


def _received(request_id: int, name: str | None, data: Any) -> Reply:
    return DataReceived(request_id=request_id, system_name=name, data=data)


_RESTORERS: Final[dict[int, Callable[..., Any]]] = {
    _DELIVER: lambda number, requests: Deliver(number, _restore_each(requests)),
    _ANSWERED: lambda name, incarnation, taken, replies, refused, is_connected: Answered(
        name, incarnation, taken, _restore_each(replies), refused, is_connected
    ),
    _SEND: _send,
    _SEND_MANY: _send_many,
    _RECEIVE: _receive,
    _SENT: _sent,
    _MANY_SENT: _many_sent,
    _RECEIVED: _received,
}
