"""How long a request may take. Pure."""

from __future__ import annotations

from typing import Protocol

from actors.messages import (
    RECEIVING_KINDS,
    ConnectSystem,
    Failure,
    FailureCode,
    Outcome,
    QueryData,
    Request,
)


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
    if isinstance(request, (*RECEIVING_KINDS, QueryData)):
        return defaults.request_timeout + (request.wait or 0.0)
    return defaults.request_timeout


def timed_out(request: Request, defaults: Defaults, *, was_sent: bool, why: str = "") -> Failure:
    """The answer to a request that has run out of time.

    Args:
        was_sent: whether it went to the system, which may have done it.
        why: what is known of the reason, to follow the text.
    """
    doing = "no answer" if was_sent else "its turn did not come"
    outcome = Outcome.UNKNOWN if was_sent else Outcome.NOT_SENT
    text = f"{doing} within {patience_of(request, defaults):g} s{why}"
    return request.failure(FailureCode.TIMEOUT, text, outcome)
