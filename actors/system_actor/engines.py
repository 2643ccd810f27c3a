"""What carries out the requests to a system: one engine, or one for each connection of its pool."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from actors.connectors.kinds import build_system
from actors.interface import ExternalSystemInterface
from actors.messages import Reason, StartSystem
from actors.resilience.policy import Policy
from actors.system_actor.cached import CachedEngine
from actors.system_actor.deduplicating import Repetitions, key_function
from actors.system_actor.engine import Engine
from actors.system_actor.face import SystemEngine
from actors.system_actor.guards import Guards
from actors.system_actor.liveness import check_pings
from actors.system_actor.policy_news import News
from actors.system_actor.pooled import PooledEngine
from actors.system_actor.receiving import Together
from actors.system_actor.reports import Reporting, Reports


def check_policy(system: ExternalSystemInterface, policy: Policy) -> None:
    """
    Raises:
        ActorSetupError: its policy asks for what cannot be done.
    """
    check_pings(system, policy)
    if policy.deduplicate is not None:
        key_function(policy.deduplicate, system.system_name)


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
    repetitions = Repetitions.of(policy, system.system_name)
    news = News(reports.schedule)
    reports.take_policies = news.take
    guards = Guards.of(
        policy,
        system,
        start.level_path,
        lambda: reports.is_connected,
        definition.policy_state,
        news,
    )

    def engine(
        system: ExternalSystemInterface,
        reports: Reporting,
        on_crash: Callable[[Reason], None],
        together: Together | None = None,
    ) -> Engine:
        if cached is not None:
            system._extsys_on_invalidate = cached.told
        return Engine(
            system,
            reports,
            on_crash,
            start.max_payload_bytes,
            guards,
            together,
            policy,
            repetitions,
            definition.request_timeout,
        )

    cached: CachedEngine | None = None
    made: SystemEngine
    if policy.pool is None:
        reports.connected_to = lambda: system.connected_to
        made = engine(system, reports, on_crash)
    else:
        made = pooled = PooledEngine(
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
    if policy.cache is not None:
        made = cached = CachedEngine(made, system, policy.cache, reports)
        system._extsys_on_invalidate = cached.told
    return made
