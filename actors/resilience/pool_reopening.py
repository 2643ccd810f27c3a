"""When a pool may open one more, after some could not be opened or did not hold. Pure."""

from __future__ import annotations

import math
from random import Random

from actors.resilience.backoff import BackoffPolicy, backoff_delay


class Reopening:
    def __init__(self, policy: BackoffPolicy, random: Random) -> None:
        """
        Args:
            policy: a connection that held for its ``stable_after`` is lost without fault; after
                as long a time without a failure, those before are forgotten.
        """
        self._policy = policy
        self._random = random
        self._failures = 0
        self._failed_at = -math.inf
        self._after = -math.inf
        self._is_barred = False

    @property
    def after(self) -> float:
        """When one may be opened: a time that may have passed, or never."""
        return math.inf if self._is_barred else self._after

    def ordered(self) -> None:
        """Somebody asks for one, who may have mended what was wrong."""
        self._is_barred = False

    def failed(self, now: float, *, fatal: bool) -> None:
        """One could not be opened.

        Args:
            fatal: whether it is of no use to try again before it is ordered.
        """
        self._count(now, at_least=2)  # the first attempt had a reason of its own
        self._is_barred = self._is_barred or fatal

    def lost(self, opened_at: float, now: float) -> None:
        """One was lost that had stood since then."""
        held = now - opened_at >= self._policy.stable_after
        # What was opened before the last failure tells nothing new.
        if not held and opened_at >= self._failed_at:
            self._count(now, at_least=1)

    def _count(self, now: float, at_least: int) -> None:
        if now >= self._after + self._policy.stable_after:
            self._failures = 0
        self._failures = max(self._failures + 1, at_least)
        self._failed_at = now
        self._after = now + backoff_delay(self._policy, self._failures, self._random)
