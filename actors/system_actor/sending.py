"""The sending side of one system: one item after the other, each with its own result.

Runs on the system actor's event loop, in the engine's lane.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final

from actors.delivery import delivering
from actors.errors import (
    EXPECTED_ERRORS,
    ConnectorError,
    ItemRefusedError,
    NotSentError,
    describe,
)
from actors.interface import ExternalSystemInterface, sends_many_at_once
from actors.messages import (
    DataSent,
    Failure,
    FailureCode,
    ManySent,
    Outcome,
    SendData,
    SendMany,
)
from actors.payload import PayloadError, payload_size, unwrap
from actors.resilience.batch import Batch
from actors.system_actor.calls import AT_ONCE, Turn
from actors.system_actor.guards import Guards, guarded
from actors.system_actor.losses import why_not_connected
from actors.system_actor.reports import Origin

_TURN: Final = 100
"""Items after which a system that never waits lets others have the event loop."""
_PART_EVERY: Final = 0.005
"""Seconds after which results of an unfinished SendMany are reported."""


def gave(result: object) -> str:
    """What a connector's coroutine returned in place of True, and what is to be done."""
    return "gave None; it must return True" if result is None else "gave False"


OnError = Callable[[Exception], None]
"""Told of each expected error of the system's."""


async def send_one(
    system: ExternalSystemInterface, request: SendData, on_error: OnError
) -> DataSent | Failure:
    """Carry out a send; the answer to it."""
    result = await _send_item(system, request, request.data, on_error)
    if isinstance(result, Failure):
        return result
    return DataSent(request_id=request.request_id, system_name=request.system_name)


async def send_many(
    system: ExternalSystemInterface,
    origin: Origin,
    request: SendMany,
    is_cut: Callable[[], bool],
    on_error: OnError,
    guards: Guards | None,
    batch: Batch | None = None,
    turn: Turn = AT_ONCE,
) -> None:
    """Carry out a send of several items, and answer it. A cancellation leaves results so far
    reported.

    Args:
        is_cut: whether it was cancelled; a connector may have swallowed that.
        guards: stand around the call for each item, or for all where that is one.
        batch: how many go with one call, where all could.
    """
    parts = _Parts(origin, request)
    try:
        if sends_many_at_once(type(system)):
            await _send_in_bulks(system, request, parts, is_cut, on_error, guards, batch, turn)
            parts.close(final=True)
            return
        for number, item in enumerate(request.items, 1):
            if number % _TURN == 0:
                await asyncio.sleep(0)
            if is_cut():
                raise asyncio.CancelledError
            if guards is None and not request.deliveries:  # the most frequent by far
                result = await _send_item(system, request, item, on_error)
            else:
                send = partial(_send_item, system, request, item, on_error)
                with delivering(request.deliveries[number - 1 : number]):
                    result = await guarded(guards, request, send, 1, turn)
            parts.results.append(result)  # only now: a part may have gone out meanwhile
            if request.until_failure and isinstance(result, Failure):
                parts.results += [_not_tried(request)] * (len(request.items) - number)
                break
            if guards is not None:
                turn = turn.anew()
    except BaseException:
        parts.close(final=False)
        raise
    parts.close(final=True)


async def _send_in_bulks(
    system: ExternalSystemInterface,
    request: SendMany,
    parts: _Parts,
    is_cut: Callable[[], bool],
    on_error: OnError,
    guards: Guards | None,
    batch: Batch | None,
    turn: Turn,
) -> None:
    """The results of a system with a bulk operation of its own; in one, unless so many items
    may not go at once."""
    begin = 0
    for count in _counts(request, guards, batch):
        if is_cut():
            raise asyncio.CancelledError
        end = begin + count
        bulk = partial(_send_bulk, system, request, begin, end, on_error)
        results = await guarded(guards, request, bulk, count, turn)
        if isinstance(results, Failure):
            results = (results,) * count
        parts.results.extend(results)
        if guards is not None:
            turn = turn.anew()
        begin = end
        if request.until_failure and any(isinstance(each, Failure) for each in results):
            parts.results += [_not_tried(request)] * (len(request.items) - begin)
            return


def _counts(request: SendMany, guards: Guards | None, batch: Batch | None) -> Iterable[int]:
    """How many items go with each call."""
    counts: Iterable[int] = (len(request.items),)
    if batch is not None and request.items:
        counts = batch.parts(map(payload_size, request.items))
    most = guards.most_at_once if guards is not None else None
    if most is None:
        return counts
    return (min(most, count - at) for count in counts for at in range(0, max(1, count), most))


async def _send_item(
    system: ExternalSystemInterface, request: SendData | SendMany, data: Any, on_error: OnError
) -> bool | Failure:
    """True when the system took the item, or why not."""
    if not system.is_connected:
        return request.failure(*why_not_connected(system))
    try:
        item = unwrap(data)
    except PayloadError as error:
        return request.failure(FailureCode.INVALID_REQUEST, str(error))
    try:
        taken = await system.send_data(item)
    except EXPECTED_ERRORS as error:
        on_error(error)
        return _failed(request, error)
    return True if taken else _refused(system, request, "send_data", taken)


async def _send_bulk(
    system: ExternalSystemInterface, request: SendMany, begin: int, end: int, on_error: OnError
) -> tuple[bool | Failure, ...]:
    """The same of those items that go out with one call."""
    count = end - begin
    if not system.is_connected:
        return (request.failure(*why_not_connected(system)),) * count
    items: list[Any] = []
    unreadable: dict[int, Failure] = {}
    for position, data in enumerate(request.items[begin:end]):
        try:
            items.append(unwrap(data))
        except PayloadError as error:
            unreadable[position] = request.failure(FailureCode.INVALID_REQUEST, str(error))
    own = request.deliveries[begin:end]
    deliveries = tuple([each for n, each in enumerate(own) if n not in unreadable])
    try:
        with delivering(deliveries):
            taken = await system.send_many(items) if items else []
    except EXPECTED_ERRORS as error:
        on_error(error)
        # Of one that was refused, others of this call may have gone out.
        known = isinstance(error, NotSentError) and not isinstance(error, ItemRefusedError)
        outcome = Outcome.NOT_SENT if known else Outcome.UNKNOWN
        failed = request.failure(code_of(error), describe(error), outcome)
        return tuple(unreadable.get(position, failed) for position in range(count))
    if len(taken) != len(items):
        raise TypeError(
            f"{type(system).__name__}.send_many gave {len(taken)} results for {len(items)} items"
        )
    rest = (_bulk_result(system, request, result) for result in taken)
    return tuple(
        unreadable[position] if position in unreadable else next(rest) for position in range(count)
    )


def _bulk_result(
    system: ExternalSystemInterface, request: SendMany, result: bool | ConnectorError
) -> bool | Failure:
    if isinstance(result, ConnectorError):
        return _failed(request, result)
    return True if result else _refused(system, request, "send_many", result)


class _Parts:
    """The results of a SendMany, said in parts while it lasts."""

    def __init__(self, origin: Origin, request: SendMany) -> None:
        self.results: list[bool | Failure] = []
        self._origin = origin
        self._request = request
        self._timer = asyncio.get_running_loop().call_later(_PART_EVERY, self._tick)

    def _tick(self) -> None:
        self._say(final=False)
        self._timer = asyncio.get_running_loop().call_later(_PART_EVERY, self._tick)

    def _say(self, *, final: bool) -> None:
        if self.results or final:
            self._origin.reply(_part(self._request, self.results, final=final))
            self.results = []

    def close(self, *, final: bool) -> None:
        self._timer.cancel()
        self._say(final=final)


def _part(request: SendMany, results: Sequence[bool | Failure], *, final: bool) -> ManySent:
    return ManySent(
        request_id=request.request_id,
        system_name=request.system_name,
        results=tuple(results),
        final=final,
    )


def _not_tried(request: SendMany) -> Failure:
    return request.failure(FailureCode.NOT_TRIED, "an item before it failed")


def _failed(request: SendData | SendMany, error: Exception) -> Failure:
    known = isinstance(error, NotSentError)
    outcome = Outcome.NOT_SENT if known else Outcome.UNKNOWN
    return request.failure(code_of(error), describe(error), outcome)


def code_of(error: Exception) -> FailureCode:
    """What to call the answer that an expected error is."""
    refused = isinstance(error, ItemRefusedError)
    return FailureCode.ITEM_REFUSED if refused else FailureCode.CONNECTOR_ERROR


def _refused(
    system: ExternalSystemInterface, request: SendData | SendMany, method: str, result: object
) -> Failure:
    if not system.is_connected:
        return request.failure(FailureCode.NOT_CONNECTED, "the connection was lost")
    text = f"the system did not take it ({method} {gave(result)})"
    # False says that it was not sent; None says nothing.
    outcome = Outcome.UNKNOWN if result is None else Outcome.NOT_SENT
    return request.failure(FailureCode.CONNECTOR_ERROR, text, outcome)
