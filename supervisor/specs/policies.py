"""How a supervisor treats its children: OTP's supervisor flags and child options.

The words and their meanings are OTP's, unless a docstring says otherwise
(https://www.erlang.org/doc/apps/stdlib/supervisor.html).
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable
from typing import Any, Final

import attrs

from actors.resilience.backoff import STEADY_AFTER, BackoffPolicy
from actors.settings import INFINITY, Allowed, number, seconds, whole_number


class RestartType(enum.StrEnum):
    """Whether a child that has ended is started again."""

    PERMANENT = "permanent"
    """Always."""
    TRANSIENT = "transient"
    """Only if it ended abnormally: by anything but an exit with code 0, its own or one
    that it was asked for."""
    TEMPORARY = "temporary"
    """Never. It is forgotten as soon as it has ended."""


class Strategy(enum.StrEnum):
    """Who is restarted when one child of a group ends and is to be restarted."""

    ONE_FOR_ONE = "one_for_one"
    """Only that child."""
    ONE_FOR_ALL = "one_for_all"
    """All: the others are stopped, then all are started."""
    REST_FOR_ONE = "rest_for_one"
    """That child and those that were started after it."""


class GiveUp(enum.StrEnum):
    """What a group does about a child that was restarted more often than is allowed."""

    QUARANTINE = "quarantine"
    """Each child has a budget of its own; the one that has used it up is set aside, and the
    others go on. The default for ``one_for_one``. Not in OTP."""
    QUARANTINE_GROUP = "quarantine_group"
    """As ``quarantine``, but the others cannot do without that child: the group stops them all
    and is set aside as one. A root group, which nobody can set aside, ends. The default for
    ``one_for_all`` and ``rest_for_one``. Not in OTP."""
    ESCALATE = "escalate"
    """OTP's: all children share one budget. When it is used up, the group stops them all and
    ends, and leaves the rest to the group it is in."""


def usual_give_up(strategy: Strategy) -> GiveUp:
    """What a group does that does not say it."""
    alone = strategy is Strategy.ONE_FOR_ONE
    return GiveUp.QUARANTINE if alone else GiveUp.QUARANTINE_GROUP


class OnStartFailure(enum.StrEnum):
    """What a group does, while it starts, about a child that cannot be started."""

    FAIL = "fail"
    """OTP's: stop those that were started, in reverse order, and fail itself."""
    RETRY = "retry"
    """Go on with the next, and try this one again as if it had crashed; but if it raised
    what says that its counterpart cannot be reached, until that is there, with the waits of
    ``reconnect``, and without giving up. So it is in each later restart, too."""
    RETRY_CONNECTION_ERRORS = "retry_connection_errors"
    """``retry`` for what a system raises when its counterpart cannot be reached, ``fail``
    for anything else: a system that is down is not a bug."""


class Startup(enum.StrEnum):
    """What becomes of a system that is to be connected as soon as it is started, and cannot be.
    Not in OTP."""

    RETRY = "retry"
    """It is up, and is tried again until it is connected."""
    ERROR = "error"
    """It is not up before it is connected. If it cannot be, it could not be started: what its
    group does then says ``on_start_failure``, by which this is no counterpart to be waited for."""
    IGNORE = "ignore"
    """It is up, and not meant to be connected any more, until somebody connects it."""


class AutoShutdown(enum.StrEnum):
    """When a group ends because significant children have ended by themselves."""

    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    """As soon as one has."""
    ALL_SIGNIFICANT = "all_significant"
    """When the last has."""


BRUTAL_KILL: Final = "brutal_kill"

Shutdown = float | str
"""Seconds to disconnect in, then a SIGKILL; or :data:`INFINITY`, without a limit; or
:data:`BRUTAL_KILL`, a SIGKILL at once."""


def shutdown_time() -> Allowed:
    """What a field of type :data:`Shutdown` takes."""
    duration = seconds(zero=True)
    words = (INFINITY, BRUTAL_KILL)

    def check(value: Any) -> bool:
        return value in words if isinstance(value, str) else duration.check(value)

    return Allowed(
        text='a finite number of seconds, 0 or more, a duration such as "5s", '
        '"infinity" or "brutal_kill"',
        types=(int, float, str),
        check=check,
        convert=duration.convert,
        words=words,
    )


def as_seconds(limit: float | str) -> float:
    """A :data:`Shutdown` or a time limit as a number: ``math.inf`` for "infinity", 0 for
    "brutal_kill"."""
    if isinstance(limit, str):
        return math.inf if limit == INFINITY else 0.0
    return limit


@attrs.frozen(kw_only=True)
class RestartPolicy(BackoffPolicy):
    """When a child that failed is restarted, and when that is given up.

    Giving up follows OTP's restart intensity
    (https://www.erlang.org/doc/system/sup_princ.html, "Maximum Restart Intensity"): more
    than ``max_restarts`` within ``period``. It is for a child of a group that gives up by
    ``quarantine``; one that gives up by ``escalate`` has a budget for all its children, and
    of this only the backoff counts.
    """

    max_restarts: int = attrs.field(default=3, validator=whole_number(0))
    period: float = attrs.field(default=5.0, validator=seconds())
    """Seconds."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        refuse_unreachable(self.max_restarts, self.period, [self])


@attrs.frozen(kw_only=True)
class ReconnectPolicy(BackoffPolicy):
    """When a system that is meant to be connected, and is not, is connected again."""

    backoff_min: float = attrs.field(default=0.2, validator=seconds())
    """Seconds to wait after the first attempt that failed; after a loss, nothing is waited."""
    backoff_max: float = attrs.field(default=30.0, validator=seconds())
    stable_after: float = attrs.field(default=30.0, validator=seconds())
    """Seconds for which a connection is to hold, so that its loss is not a failure more."""
    jitter: float = attrs.field(default=0.5, validator=number(0, 1))
    """More than of a restart: many systems may have one server, which comes back for all at once.
    Half of each wait is kept, as to come back at once is what the wait is against."""


def refuse_unreachable(max_restarts: int, period: float, children: Iterable[BackoffPolicy]) -> None:
    """Make sure that children which crash at once, whenever they are started, are given up.

    Raises:
        ValueError: the backoff makes them crash too seldom for that.
    """
    counts = [_crashes_within(period, child) for child in children]
    total = sum(counts)
    if counts and total <= max_restarts:
        raise ValueError(
            f"max_restarts ({max_restarts}) within period ({period:g} s) can never be exceeded: "
            f"with the waits between restarts (backoff_min, backoff_max), only {total:g} crashes "
            f"fit into it; raise period, or lower max_restarts to at most {total - 1:g}, or "
            "lower backoff_max"
        )


def _crashes_within(period: float, child: BackoffPolicy) -> float:
    """How often a child crashes within a time that is started with its first crash. The
    waits only grow, so no later time has more."""
    time, count = 0.0, 1.0
    longest = child.wait_after(STEADY_AFTER)
    for failures in range(1, STEADY_AFTER):
        wait = child.wait_after(failures)
        if wait == longest:
            break
        time += wait
        if time > period:
            return count
        count += 1
    return count + (period - time) // longest
