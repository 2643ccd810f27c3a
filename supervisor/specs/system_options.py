"""The options of a system, for whoever passes them on by their names."""

from __future__ import annotations

from typing import TypedDict

from actors.resilience.backoff import BackoffPolicy
from actors.resilience.policy import Policy
from supervisor.specs.durable import DurablePolicy
from supervisor.specs.policies import RestartPolicy, RestartType, Shutdown, Startup


class SystemOptions(TypedDict, total=False):
    """The keyword fields of a :class:`~supervisor.SystemSpec`, by which a misspelt one is an
    error for a type checker."""

    connect: bool
    startup: Startup | str
    restart_type: RestartType | str
    restart: RestartPolicy
    significant: bool
    reconnect: BackoffPolicy
    start_timeout: float
    shutdown: Shutdown
    hang_timeout: float | str
    mailbox_size: int
    policy: Policy
    durable: DurablePolicy | bool | None
    inbox: bool
