"""Many external systems under one supervisor.

The door to the package: the manager for asyncio hosts, the supervisor actor for hosts
that speak in actor messages, what they are configured with, and their errors.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from actors.resilience.backoff import BackoffPolicy
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
from supervisor.specs.options import SupervisorOptions
from supervisor.specs.policies import (
    AutoShutdown,
    GiveUp,
    OnStartFailure,
    ReconnectPolicy,
    RestartPolicy,
    RestartType,
    Strategy,
)
from supervisor.specs.spec import GroupSpec, SystemSpec

if TYPE_CHECKING:
    from supervisor.host.manager import ExternalSystemManager
    from supervisor.host.streams import FellBehindError
    from supervisor.host.synchronous import SynchronousManager
    from supervisor.runtime.frozen import freeze_support
    from supervisor.runtime.supervisor_actor import Supervisor

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
    "ReconnectPolicy",
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
    "freeze_support",
]


_MODULES: Final = {
    "ExternalSystemManager": "host.manager",
    "FellBehindError": "host.streams",
    "Supervisor": "runtime.supervisor_actor",
    "SynchronousManager": "host.synchronous",
    "freeze_support": "runtime.frozen",
}
"""Where to find what is imported when it is first used: a host needs no Thespian in its
process, and the runtime's own processes, which are to start quickly, no manager."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
