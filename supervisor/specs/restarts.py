"""Whether a child may be restarted once more, and when. Pure: time and chance are arguments."""

from __future__ import annotations

from collections import deque
from random import Random

import attrs

from actors.resilience.backoff import backoff_delay
from supervisor.specs.policies import RestartPolicy


@attrs.define
class RestartWindow:
    """The recent restarts of one child, or of all children of a group.

    Follows ``add_restart`` of OTP's supervisor: the new restart is put in front, those
    older than ``period`` are dropped, and more than ``max_restarts`` left means giving up
    (https://www.erlang.org/doc/apps/stdlib/supervisor.html, "intensity" and "period").
    """

    _times: deque[float] = attrs.field(factory=deque)

    def add(self, now: float, max_restarts: int, period: float) -> bool:
        """Count a restart; False if it is one too many.

        Args:
            now: seconds of a monotonic clock.
            period: seconds.
        """
        self._times.append(now)
        while self._times[0] < now - period:
            self._times.popleft()
        return len(self._times) <= max_restarts

    @property
    def count(self) -> int:
        """The restarts in it."""
        return len(self._times)

    def clear(self) -> None:
        """Forget the past, after a restart by hand."""
        self._times.clear()


@attrs.define
class RestartHistory:
    """The restarts of something that is no child: a supervisor, or a whole runtime."""

    policy: RestartPolicy
    _window: RestartWindow = attrs.field(factory=RestartWindow)

    def next_delay(self, now: float, random: Random) -> float | None:
        """Count an end; the seconds until the restart, or None to give up."""
        if not self._window.add(now, self.policy.max_restarts, self.policy.period):
            return None
        return backoff_delay(self.policy, self._window.count, random)
