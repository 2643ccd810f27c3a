"""Requests to systems in flight: all that is kept of one from when it is accepted until it
is answered. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable

import attrs

from actors.messages import Failure, Reply, Request
from actors.messages.results import Results
from supervisor.core.actions import Client
from supervisor.messages import SupervisorRequest
from supervisor.timing.timers import Timer


@attrs.define(eq=False)
class Gathering:
    """A request to all systems, while their answers come in."""

    client: Client | None
    """None when nobody waits for the answer any more."""
    request: SupervisorRequest
    missing: int
    results: dict[str, bool | Failure] = attrs.field(factory=dict)


@attrs.define(eq=False)
class Pending:
    """A request to a system, until it is answered."""

    ref: int
    client: Client | None
    """None when nobody waits for the answer any more, or the supervisor asks itself."""
    request: Request
    weight: int
    size: int
    since: float
    """When it was accepted."""
    gathering: Gathering | None = None
    results: Results | None = None
    """Of a SendMany."""
    hear: Callable[[Reply], None] | None = None
    """Told of the answer, where the supervisor itself wants it."""
    own: bool = False
    """Whether the supervisor itself asks."""
    deadline: float = math.inf
    timer: Timer | None = None
    """Of the deadline."""
    delivered: bool = False
