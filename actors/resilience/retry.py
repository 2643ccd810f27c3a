"""What failed is tried again, where that is safe. Pure: time and chance are arguments."""

from __future__ import annotations

from random import Random

import attrs

from actors.resilience.backoff import BackoffPolicy, backoff_delay
from actors.settings import flag, seconds, whole_number


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """How often a call is tried that fails, and how long it is waited for in between."""

    attempts: int = attrs.field(default=3, validator=whole_number(1, 1000))
    """In all; the first is one of them."""
    backoff_min: float = attrs.field(default=0.1, validator=seconds())
    """Seconds to wait after the first failure; twice as long after each other one. Up to a
    quarter less, by chance."""
    backoff_max: float = attrs.field(default=5.0, validator=seconds())
    """Seconds never to be exceeded."""
    idempotent: bool = attrs.field(default=False, validator=flag())
    """Whether it is safe to do twice what is called for. Otherwise only what is known not to have
    been done is tried again."""

    def __attrs_post_init__(self) -> None:
        if self.backoff_max < self.backoff_min:
            raise ValueError(
                f"backoff_max ({self.backoff_max:g}) must not be less than "
                f"backoff_min ({self.backoff_min:g})"
            )


class Retry:
    """The attempts of one call, of which the first is about to be made."""

    def __init__(self, policy: RetryPolicy, random: Random, deadline: float | None = None) -> None:
        """
        Args:
            deadline: when nobody waits for it any more, in seconds of the clock that
                :meth:`wait_after` is told; None if somebody always does.
        """
        self._policy = policy
        self._random = random
        self._deadline = deadline
        self._waits = BackoffPolicy(backoff_min=policy.backoff_min, backoff_max=policy.backoff_max)
        self.attempts = 1
        """Made so far, and the one that is about to be."""
        self.may_be_done = False
        """Whether one of those that failed may have been carried out all the same."""

    def wait_after(self, now: float, *, not_done: bool, least: float = 0.0) -> float | None:
        """An attempt failed: how many seconds to wait before the next, or None if there is none.

        Args:
            not_done: whether it is known that nothing was done.
            least: seconds to wait at least, as somebody said.
        """
        self.may_be_done |= not not_done
        if self.attempts >= self._policy.attempts:
            return None
        if self.may_be_done and not self._policy.idempotent:
            return None
        wait = backoff_delay(self._waits, self.attempts + 1, self._random)
        wait = max(wait, least)
        if self._deadline is not None and now + wait >= self._deadline:
            return None
        self.attempts += 1
        return wait
