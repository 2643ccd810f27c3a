"""How long a request may take. Pure."""

from __future__ import annotations

from typing import Protocol

from actors.messages import RECEIVING_KINDS, ConnectSystem, Request


class Defaults(Protocol):
    """What holds for requests that name no timeout; seconds."""

    @property
    def request_timeout(self) -> float: ...

    @property
    def connect_timeout(self) -> float: ...


def patience_of(request: Request, defaults: Defaults) -> float:
    """Seconds until a request is answered with ``timeout``."""
    if request.timeout is not None:
        return request.timeout
    if isinstance(request, ConnectSystem):
        return defaults.connect_timeout
    if isinstance(request, RECEIVING_KINDS):
        return defaults.request_timeout + (request.wait or 0.0)
    return defaults.request_timeout
