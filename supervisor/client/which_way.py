"""Which requests can go straight to a system, and which must go through the supervisor."""

from __future__ import annotations

from typing import Final, TypeGuard

from actors.messages import (
    DIRECT_KINDS,
    ConnectSystem,
    DisconnectSystem,
    Request,
    SendData,
    SendMany,
)
from supervisor.client.ways import Ways
from supervisor.messages import (
    ChangeSpecs,
    ConnectAll,
    DisconnectAll,
    RestartChild,
    RestartSystem,
    SupervisorRequest,
    TerminateChild,
    UnregisterSystem,
)

_TWO_WAYS: Final = (*DIRECT_KINDS, ConnectSystem, DisconnectSystem)
_UNSEEN: Final = (
    ConnectAll,
    DisconnectAll,
    RestartSystem,
    UnregisterSystem,
    RestartChild,
    TerminateChild,
    ChangeSpecs,
)


def has_two_ways(request: Request | SupervisorRequest) -> TypeGuard[Request]:
    """Whether it can go straight, or must keep its order with what can."""
    return isinstance(request, _TWO_WAYS)


def is_unseen(request: Request | SupervisorRequest) -> bool:
    """Whether it changes how systems are, and goes through the supervisor alone."""
    return isinstance(request, _UNSEEN)


def is_durable(request: Request, ways: Ways) -> bool:
    """Whether it is for an outbox. The supervisor accepts it, also when the system hangs: it
    waits for nothing that is on its way there, and nothing waits for it."""
    if not isinstance(request, SendData | SendMany):
        return False
    return ways.is_durable if request.durable is None else request.durable
