"""Many external systems under one supervisor.

The door to the package: the manager for asyncio hosts, the supervisor actor for hosts
that speak in actor messages, what they are configured with, and their errors.
"""

from typing import TYPE_CHECKING, Any

from supervisor.errors import (
    AlreadyPresentError,
    AlreadyStartedError,
    ChildNotFoundError,
    ChildRestartingError,
    ChildRunningError,
    ConnectorFailedError,
    DuplicateSystemError,
    EventsLostError,
    ExternalSystemError,
    InvalidRequestError,
    InvalidSpecError,
    NotConnectedError,
    OverloadedError,
    RequestTimeoutError,
    SystemCrashedError,
    UnavailableError,
    UnknownCommandError,
    UnknownSystemError,
)
from supervisor.manager import ExternalSystemManager
from supervisor.options import SupervisorOptions
from supervisor.policies import (
    AutoShutdown,
    BackoffPolicy,
    GiveUp,
    OnStartFailure,
    RestartPolicy,
    RestartType,
    Strategy,
)
from supervisor.spec import GroupSpec, SystemSpec
from supervisor.streams import FellBehindError
from supervisor.synchronous import SynchronousManager

if TYPE_CHECKING:
    from supervisor.supervisor import Supervisor

__all__ = [
    "AlreadyPresentError",
    "AlreadyStartedError",
    "AutoShutdown",
    "BackoffPolicy",
    "ChildNotFoundError",
    "ChildRestartingError",
    "ChildRunningError",
    "ConnectorFailedError",
    "DuplicateSystemError",
    "EventsLostError",
    "ExternalSystemError",
    "ExternalSystemManager",
    "FellBehindError",
    "GiveUp",
    "GroupSpec",
    "InvalidRequestError",
    "InvalidSpecError",
    "NotConnectedError",
    "OnStartFailure",
    "OverloadedError",
    "RequestTimeoutError",
    "RestartPolicy",
    "RestartType",
    "Strategy",
    "Supervisor",
    "SupervisorOptions",
    "SynchronousManager",
    "SystemCrashedError",
    "SystemSpec",
    "UnavailableError",
    "UnknownCommandError",
    "UnknownSystemError",
]


def __getattr__(name: str) -> Any:
    # Only hosts that use the actor themselves need Thespian in their process.
    if name == "Supervisor":
        from supervisor.supervisor import Supervisor

        return Supervisor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
