"""All that is done about the calls of one system, beside the calls themselves."""

from __future__ import annotations

from typing import Final

import attrs

from actors.interface import ExternalSystemInterface, sends_many_at_once
from actors.resilience.batch import Batch
from actors.resilience.bulkhead import Bulkhead
from actors.resilience.cache import CachePolicy
from actors.resilience.circuit_breaker import CircuitBreakerPolicy
from actors.resilience.deduplication import Deduplication
from actors.resilience.keep_alive import KeepAlive
from actors.resilience.pool_policy import PoolPolicy
from actors.resilience.rate_limit import RateLimit
from actors.resilience.retry import RetryPolicy
from actors.resilience.timeouts import Timeouts
from actors.resilience.when_down import WHEN_DOWN, WhenDown, to_when_down
from actors.settings import seconds, setting, table_of


@attrs.frozen(kw_only=True)
class Policy:
    """How the calls of one system are looked after, in its own process; of one system, or of
    several that share it. What is None, or not set, costs nothing.

    In a configuration the fields are keys of a ``[[system]]``, or of a ``[policy.NAME]`` that
    systems name by ``policy = "NAME"``.
    """

    batch: Batch | None = attrs.field(default=None, validator=table_of(Batch).or_none())
    bulkhead: Bulkhead | None = attrs.field(default=None, validator=table_of(Bulkhead).or_none())
    cache: CachePolicy | None = attrs.field(default=None, validator=table_of(CachePolicy).or_none())
    """Answers that are given again."""
    deduplicate: Deduplication | None = attrs.field(
        default=None, validator=table_of(Deduplication).or_none()
    )
    """Received items that are dropped, as they have come before."""
    keep_alive: KeepAlive | None = attrs.field(
        default=None, validator=table_of(KeepAlive).or_none()
    )
    """A connection that does not answer is dropped, and made anew."""
    pool: PoolPolicy | None = attrs.field(default=None, validator=table_of(PoolPolicy).or_none())
    rate_limit: RateLimit | None = attrs.field(
        default=None, validator=table_of(RateLimit).or_none()
    )
    stale_after: float | None = setting(seconds().or_none(), None)
    """Seconds for which nothing is received of a system that should be talking; then its
    connection is dropped, and made anew."""
    circuit_breaker: CircuitBreakerPolicy | None = attrs.field(
        default=None, validator=table_of(CircuitBreakerPolicy).or_none()
    )
    retry: RetryPolicy | None = attrs.field(default=None, validator=table_of(RetryPolicy).or_none())
    timeouts: Timeouts | None = attrs.field(default=None, validator=table_of(Timeouts).or_none())
    when_down: WhenDown | None = attrs.field(
        default=None, converter=to_when_down, validator=WHEN_DOWN
    )
    """None is ``"fail"``."""

    def __attrs_post_init__(self) -> None:
        if self.pool is not None and self.stale_after is not None:
            raise ValueError(
                "stale_after and pool do not go together: a connection of a pool that is not used "
                "is silent, and in order; use keep_alive, which pings each connection"
            )
        if self.pool is not None and self.batch is not None:
            raise ValueError(
                "batch and pool do not go together: each item goes to a connection of the pool "
                "that is free, so that none waits with another; leave one of them out"
            )

    @property
    def waits_when_down(self) -> bool:
        """Whether what is asked of a system that is down waits."""
        return self.when_down is WhenDown.WAIT

    def mistakes_for(self, system_class: type[ExternalSystemInterface]) -> list[str]:
        """What of it cannot be done for systems of a class, one text per mistake."""
        if self.batch is None or sends_many_at_once(system_class):
            return []
        who = system_class.__qualname__
        text = f"batch: {who} has no send_many of its own, so that nothing can go out together"
        return [f"{text}; leave batch out, or give the class one"]


NO_POLICY: Final = Policy()
