"""The face of what carries out the requests to a system, to the actor and to direct clients."""

from __future__ import annotations

from typing import Any, Protocol

from actors.messages import (
    CacheInvalidated,
    FailureCode,
    Fence,
    FencePassed,
    InvalidateCache,
    Reason,
    Reply,
    Request,
)
from actors.system_actor.reports import Origin


class SystemEngine(Protocol):
    """One engine, or one for each connection of a pool, or one of these behind a cache."""

    @property
    def is_stopping(self) -> bool: ...

    @property
    def is_tapped(self) -> bool: ...

    @property
    def is_connected(self) -> bool: ...

    @property
    def may_have_lost(self) -> bool: ...

    def submit(self, origin: Origin, request: Request) -> None: ...

    def forget(self, origins: frozenset[Origin]) -> None: ...

    def look(self) -> None: ...

    def background_failed(self, error: Exception) -> None: ...

    def take_back(self, items: tuple[Any, ...]) -> None: ...

    def set_tap(self, on: bool) -> None: ...

    async def stop(self, grace: float) -> Reason | None: ...


def answered_at_once(request: Request) -> Reply:
    """The answer to what needs nothing of the system, or means nothing to it. Of an engine itself
    there are no answers that could be forgotten."""
    request_id, system_name = request.request_id, request.system_name
    match request:
        case InvalidateCache():
            return CacheInvalidated(request_id=request_id, system_name=system_name, answers=0)
        case Fence():
            return FencePassed(request_id=request_id, system_name=system_name)
    text = f"a system actor does not understand {type(request).__name__}"
    return request.failure(FailureCode.INVALID_REQUEST, text)
