"""Whether and when a crashed system is restarted. Pure: time and chance are arguments."""

from __future__ import annotations

from collections import deque
from random import Random

import attrs

from supervisor.policies import BackoffPolicy, RestartPolicy


@attrs.define
class RestartHistory:
    """The recent restarts of one system.

    Follows ``add_restart`` of OTP's supervisor: the new restart is put in front, those
    older than ``period`` are dropped, and more than ``max_restarts`` left means giving up
    (https://www.erlang.org/doc/apps/stdlib/supervisor.html, "intensity" and "period").
    """

    policy: RestartPolicy
    _times: deque[float] = attrs.field(factory=deque)

    def next_delay(self, now: float, random: Random) -> float | None:
        """Count a crash.

        Args:
            now: seconds of a monotonic clock.

        Returns:
            seconds until the restart; None to give up.
        """
        self._times.append(now)
        while self._times[0] < now - self.policy.period:
            self._times.popleft()
        count = len(self._times)
        if count > self.policy.max_restarts:
            return None
        return backoff_delay(self.policy, count - 1, random)

    def clear(self) -> None:
        """Forget the past, after a restart by hand."""
        self._times.clear()


def backoff_delay(policy: BackoffPolicy, failures_before: int, random: Random) -> float:
    """Seconds to wait after so many failures in a row: 0 after none, then ``backoff_min``,
    doubled each time, never more than ``backoff_max``; less up to a quarter by chance, so
    that what failed together does not come back together."""
    if failures_before == 0:
        return 0.0
    doublings = min(failures_before - 1, 60)
    delay = min(policy.backoff_max, policy.backoff_min * 2.0**doublings)
    return delay * (1.0 - 0.25 * random.random())
