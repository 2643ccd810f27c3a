"""How long to wait before what failed is tried again. Pure: chance is an argument."""

from __future__ import annotations

from random import Random
from typing import Final

import attrs

from actors.settings import number, seconds

STEADY_AFTER: Final = 62
"""After so many failures in a row the wait does not grow any more."""


@attrs.frozen(kw_only=True)
class BackoffPolicy:
    """How long to wait between attempts: twice as long each time, within limits.

    The first attempt after a stable time waits for nothing. Not in OTP.
    """

    backoff_min: float = attrs.field(default=0.1, validator=seconds())
    """Seconds to wait after the second failure in a row."""
    backoff_max: float = attrs.field(default=1.0, validator=seconds())
    """Seconds never to be exceeded."""
    stable_after: float = attrs.field(default=5.0, validator=seconds())
    """Seconds to be up in, after which the failures before are forgotten."""
    jitter: float = attrs.field(default=0.25, validator=number(0, 1))
    """The share of each wait that chance may take off, so that what failed together does not come
    back together."""

    def __attrs_post_init__(self) -> None:
        if self.backoff_max < self.backoff_min:
            raise ValueError(
                f"backoff_max ({self.backoff_max:g}) must not be less than "
                f"backoff_min ({self.backoff_min:g})"
            )

    def wait_after(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row, before chance shortens them."""
        if failures < 2:
            return 0.0
        doublings = min(failures, STEADY_AFTER) - 2
        return min(self.backoff_max, self.backoff_min * 2.0**doublings)


def backoff_delay(policy: BackoffPolicy, failures: int, random: Random) -> float:
    """Seconds to wait after so many failures in a row: what the policy says, less by chance."""
    return policy.wait_after(failures) * (1.0 - policy.jitter * random.random())
