"""All that is done about the calls of one system, beside the calls themselves."""

from __future__ import annotations

from typing import Final

import attrs

from actors.resilience.bulkhead import Bulkhead
from actors.resilience.pool_policy import PoolPolicy
from actors.resilience.rate_limit import RateLimit
from actors.resilience.timeouts import Timeouts
from actors.resilience.when_down import WHEN_DOWN, WhenDown, to_when_down
from actors.settings import table_of


@attrs.frozen(kw_only=True)
class Policy:
    """How the calls of one system are looked after, in its own process; of one system, or of
    several that share it. What is None, or not set, costs nothing.

    In a configuration the fields are keys of a ``[[system]]``, or of a ``[policy.NAME]`` that
    systems name by ``policy = "NAME"``.
    """

    bulkhead: Bulkhead | None = attrs.field(default=None, validator=table_of(Bulkhead).or_none())
    pool: PoolPolicy | None = attrs.field(default=None, validator=table_of(PoolPolicy).or_none())
    rate_limit: RateLimit | None = attrs.field(
        default=None, validator=table_of(RateLimit).or_none()
    )
    timeouts: Timeouts | None = attrs.field(default=None, validator=table_of(Timeouts).or_none())
    when_down: WhenDown | None = attrs.field(
        default=None, converter=to_when_down, validator=WHEN_DOWN
    )
    """None is ``"fail"``."""

    @property
    def waits_when_down(self) -> bool:
        """Whether what is asked of a system that is down waits."""
        return self.when_down is WhenDown.WAIT


NO_POLICY: Final = Policy()
