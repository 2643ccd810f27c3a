"""What is said of a pool of connections."""

from __future__ import annotations

import math
from typing import Any

import attrs

from actors.settings import INFINITY, Allowed, seconds, time_limit, whole_number


def _time(allowed: Allowed, default: float | str) -> Any:
    """A field for a number of seconds or a word; from Python, too, it may be "5s"."""
    return attrs.field(default=default, converter=allowed.convert, validator=allowed)


@attrs.frozen(kw_only=True)
class PoolPolicy:
    """Several connections to one system, in its process. What is asked of the system is given to
    one that is free: sends, questions and commands run beside each other.

    They are opened when they are needed, and one that was idle is looked at before it is lent.
    The last one is never closed for being idle: a system that is meant to be connected is.
    """

    size: int = attrs.field(default=4, validator=whole_number(1, 1000))
    """Connections at most."""
    max_idle: float | str = _time(time_limit(), 300.0)
    """Seconds for which one may not be used; then it is closed. ``"infinity"`` closes none."""
    max_lifetime: float | str = _time(time_limit(), INFINITY)
    """Seconds, less up to a tenth by chance, after which one is closed; never while it is used.
    The last one is replaced."""
    overflow_wait: float = _time(seconds(), 5.0)
    """Seconds for which a request waits for one that is free; then it is refused."""

    @property
    def idle(self) -> float:
        """``max_idle`` as a number."""
        return _as_seconds(self.max_idle)

    @property
    def lifetime(self) -> float:
        """``max_lifetime`` as a number."""
        return _as_seconds(self.max_lifetime)


def _as_seconds(limit: float | str) -> float:
    return math.inf if isinstance(limit, str) else limit
