"""What carries out the requests to a system: one engine, or one for each connection of its pool."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Protocol

from actors.connectors.kinds import build_system
from actors.interface import ExternalSystemInterface
from actors.messages import Reason, Request, StartSystem
from actors.system_actor.engine import Engine
from actors.system_actor.guards import Guards
from actors.system_actor.pooled import PooledEngine
from actors.system_actor.receiving import Together
from actors.system_actor.reports import Origin, Reporting, Reports


class SystemEngine(Protocol):
    """The face of both, to the actor and to direct clients."""

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


def engine_for(
    start: StartSystem,
    system: ExternalSystemInterface,
    reports: Reports,
    on_crash: Callable[[Reason], None],
) -> SystemEngine:
    """Make it, on the running event loop.

    Args:
        system: built as ``start`` says.
        on_crash: called once, with the reason, when a connector raised something it must not.
    """
    definition = start.definition
    policy = definition.policy
    # One for all connections: what limits a system does not limit each of them.
    guards = Guards.of(policy, system, start.level_path, lambda: reports.is_connected)

    def engine(
        system: ExternalSystemInterface,
        reports: Reporting,
        on_crash: Callable[[Reason], None],
        together: Together | None = None,
    ) -> Engine:
        return Engine(system, reports, on_crash, start.max_payload_bytes, guards, together, policy)

    if policy.pool is None:
        reports.connected_to = lambda: system.connected_to
        return engine(system, reports, on_crash)
    pooled = PooledEngine(
        system,
        lambda: system.another_connection() or build_system(definition),
        policy.pool,
        reports,
        on_crash,
        engine,
        start.max_payload_bytes,
        Random(),
    )
    reports.pool_state = lambda: pooled.pool_state
    reports.connected_to = lambda: pooled.connected_to
    return pooled
