"""Many external systems under one supervisor.

The door to the package: the manager for asyncio hosts, the supervisor actor for hosts
that speak in actor messages, what they are configured with, and their errors.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from actors.resilience.backoff import BackoffPolicy
    from supervisor.errors import (
        AlreadyPresentError,
        AlreadyStartedError,
        ChildNotFoundError,
        ChildRestartingError,
        ChildRunningError,
        CircuitOpenError,
        ConnectorFailedError,
        DeadLetterError,
        DuplicateSystemError,
        EventsLostError,
        ExternalSystemError,
        InvalidRequestError,
        InvalidSpecError,
        NotConnectedError,
        NotTriedError,
        OverloadedError,
        PartlyFailedError,
        RateLimitedError,
        RefusedItemError,
        RequestTimeoutError,
        SystemCrashedError,
        SystemFailedError,
        UnavailableError,
        UnknownCommandError,
        UnknownSystemError,
    )
    from supervisor.host.manager import ExternalSystemManager
    from supervisor.host.streams import FellBehindError
    from supervisor.host.synchronous import SynchronousManager
    from supervisor.runtime.frozen import freeze_support
    from supervisor.runtime.supervisor_actor import Supervisor
    from supervisor.specs.durable import DurablePolicy, OnDead, WhenFull
    from supervisor.specs.options import SupervisorOptions
    from supervisor.specs.policies import (
        AutoShutdown,
        GiveUp,
        OnStartFailure,
        ReconnectPolicy,
        RestartPolicy,
        RestartType,
        Startup,
        Strategy,
    )
    from supervisor.specs.spec import GroupSpec, SystemSpec

__all__ = [
    "AlreadyPresentError",
    "AlreadyStartedError",
    "AutoShutdown",
    "BackoffPolicy",
    "ChildNotFoundError",
    "ChildRestartingError",
    "ChildRunningError",
    "CircuitOpenError",
    "ConnectorFailedError",
    "DeadLetterError",
    "DuplicateSystemError",
    "DurablePolicy",
    "EventsLostError",
    "ExternalSystemError",
    "ExternalSystemManager",
    "FellBehindError",
    "GiveUp",
    "GroupSpec",
    "InvalidRequestError",
    "InvalidSpecError",
    "NotConnectedError",
    "NotTriedError",
    "OnDead",
    "OnStartFailure",
    "OverloadedError",
    "PartlyFailedError",
    "RateLimitedError",
    "ReconnectPolicy",
    "RefusedItemError",
    "RequestTimeoutError",
    "RestartPolicy",
    "RestartType",
    "Startup",
    "Strategy",
    "Supervisor",
    "SupervisorOptions",
    "SynchronousManager",
    "SystemCrashedError",
    "SystemFailedError",
    "SystemSpec",
    "UnavailableError",
    "UnknownCommandError",
    "UnknownSystemError",
    "WhenFull",
    "freeze_support",
]


_MODULES: Final = {
    "AlreadyPresentError": "supervisor.errors",
    "AlreadyStartedError": "supervisor.errors",
    "AutoShutdown": "supervisor.specs.policies",
    "BackoffPolicy": "actors.resilience.backoff",
    "ChildNotFoundError": "supervisor.errors",
    "ChildRestartingError": "supervisor.errors",
    "ChildRunningError": "supervisor.errors",
    "CircuitOpenError": "supervisor.errors",
    "ConnectorFailedError": "supervisor.errors",
    "DeadLetterError": "supervisor.errors",
    "DuplicateSystemError": "supervisor.errors",
    "DurablePolicy": "supervisor.specs.durable",
    "EventsLostError": "supervisor.errors",
    "ExternalSystemError": "supervisor.errors",
    "ExternalSystemManager": "supervisor.host.manager",
    "FellBehindError": "supervisor.host.streams",
    "GiveUp": "supervisor.specs.policies",
    "GroupSpec": "supervisor.specs.spec",
    "InvalidRequestError": "supervisor.errors",
    "InvalidSpecError": "supervisor.errors",
    "NotConnectedError": "supervisor.errors",
    "NotTriedError": "supervisor.errors",
    "OnDead": "supervisor.specs.durable",
    "OnStartFailure": "supervisor.specs.policies",
    "OverloadedError": "supervisor.errors",
    "PartlyFailedError": "supervisor.errors",
    "RateLimitedError": "supervisor.errors",
    "ReconnectPolicy": "supervisor.specs.policies",
    "RefusedItemError": "supervisor.errors",
    "RequestTimeoutError": "supervisor.errors",
    "RestartPolicy": "supervisor.specs.policies",
    "RestartType": "supervisor.specs.policies",
    "Startup": "supervisor.specs.policies",
    "Strategy": "supervisor.specs.policies",
    "Supervisor": "supervisor.runtime.supervisor_actor",
    "SupervisorOptions": "supervisor.specs.options",
    "SynchronousManager": "supervisor.host.synchronous",
    "SystemCrashedError": "supervisor.errors",
    "SystemFailedError": "supervisor.errors",
    "SystemSpec": "supervisor.specs.spec",
    "UnavailableError": "supervisor.errors",
    "UnknownCommandError": "supervisor.errors",
    "UnknownSystemError": "supervisor.errors",
    "WhenFull": "supervisor.specs.durable",
    "freeze_support": "supervisor.runtime.frozen",
}
"""Where to find what is imported when it is first used: a host needs no Thespian in its
process, the runtime's own processes, which are to start quickly, no manager, and a Ctrl-C at the
start of the command line is met by it before anything that takes time is imported."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
