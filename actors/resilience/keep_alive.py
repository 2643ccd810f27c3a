"""When to look whether a connection lives, and when it is dead. Pure: time and chance are
arguments.

A connection can be dead without a word of it: the other program hangs while its kernel
acknowledges, a router has forgotten the way, a cable is out. Two things show it: a *ping*, a
question that has no answer, and *silence* of a system that should be talking.
"""

from __future__ import annotations

import enum
import math
from random import Random
from typing import Any, Final

import attrs

from actors.payload import wrap
from actors.settings import seconds, setting

LATE: Final = 1.0
"""Seconds. Who looks later than planned was itself held up, and did not hear what came meanwhile: a
limit that is past by then is put off by up to so much, once."""
_JITTER: Final = 0.25
"""The part of ``every`` by which chance shortens the wait for a ping."""


@attrs.frozen(kw_only=True)
class KeepAlive:
    """How a connection that is silent is asked for a sign of life.

    A connection of which nothing is heard any more is found out within ``every + timeout``.
    """

    every: float = setting(seconds())
    """Seconds of silence, at most, after which it is pinged. Chance takes up to a quarter off, so
    that what was connected together is not pinged together."""
    timeout: float = setting(
        seconds(), attrs.Factory(lambda self: min(5.0, self.every), takes_self=True)
    )
    """Seconds that the answer may take. 5, or ``every`` if that is less, unless it is said."""
    query: Any = attrs.field(default=None, repr=False, converter=wrap)
    """The question, which must change nothing; None has the connector's own ``check_health``
    asked."""

    def __attrs_post_init__(self) -> None:
        if self.timeout > self.every:
            raise ValueError(
                f"timeout ({self.timeout:g}) must not be more than every ({self.every:g}): a "
                "connection is to be found dead within two intervals"
            )


class Ping(enum.Enum):
    """What to do about a ping."""

    SEND = "send"
    """Put one in line, before all else that waits to go out."""
    WITHDRAW = "withdraw"
    """Take back the one in line: there was a sign of life meanwhile."""


class Silence(enum.StrEnum):
    """What shows that a connection is dead."""

    KEEP_ALIVE = "keep_alive"
    """A ping failed."""
    STALE = "stale"
    """Nothing was received for ``stale_after``."""


@attrs.frozen
class Dead:
    """The connection is to be dropped."""

    kind: Silence
    text: str


class _Stage(enum.Enum):
    OFF = "off"
    """There is no connection."""
    QUIET = "quiet"
    IN_LINE = "in line"
    """A ping is to go out, and does not yet."""
    ASKED = "asked"
    """A ping has gone out, or is being sent."""


class LifeSigns:
    """Of one system. Whoever uses it calls :meth:`look` when :attr:`next_look` says."""

    def __init__(
        self, keep_alive: KeepAlive | None, stale_after: float | None, random: Random
    ) -> None:
        """
        Args:
            keep_alive: None sends no pings.
            stale_after: seconds without any data after which the connection is dead; None has it
                be silent for ever.
        """
        self._policy = keep_alive
        self._stale_after = stale_after
        self._random = random
        self._stage = _Stage.OFF
        self._heard = -math.inf
        """When there was the last sign of life."""
        self._data = -math.inf
        """When data came last."""
        self._wait = math.inf
        """Seconds of quiet after which a ping is due."""
        self._since = self._limit = math.inf
        """When the ping in line was put there, and when the wait for it is over."""
        self._excused_ping = self._excused_data = False
        """Whether a late look has put that limit off already."""

    def __repr__(self) -> str:
        return f"<LifeSigns {self._stage.value}>"

    @property
    def is_on(self) -> bool:
        """Whether there is a connection, as far as it was told."""
        return self._stage is not _Stage.OFF

    @property
    def next_look(self) -> float:
        """When :meth:`look` is to be called next, at the latest."""
        if self._stage is _Stage.OFF:
            return math.inf
        is_quiet = self._stage is _Stage.QUIET
        ping = self._heard + self._wait if is_quiet else self._limit
        return min(ping, self._stale_at)

    # ---- what happens -----------------------------------------------------------------------

    def connected(self, now: float) -> None:
        """There is a connection, or another one. What was connected at the same moment as others
        is pinged first at any moment of its interval."""
        self._stage = _Stage.QUIET
        self._heard = self._data = now
        self._excused_ping = self._excused_data = False
        self._wait = math.inf
        if self._policy is not None:
            self._wait = self._policy.every * (1.0 - self._random.random())

    def disconnected(self) -> None:
        """There is none any more."""
        self._stage = _Stage.OFF

    def heard(self, now: float, *, data: bool) -> None:
        """Something came: a sign of life.

        Args:
            data: whether it was more than the answer to a ping.
        """
        self._heard = now
        if data:
            self._data = now
            self._excused_data = False

    def began(self, now: float) -> None:
        """It is the ping's turn to go out."""
        if self._stage is not _Stage.OFF:
            self._stage = _Stage.ASKED
            self._limit = now + self._timeout
            self._excused_ping = False

    def answered(self, now: float) -> None:
        """The ping was answered."""
        if self._stage is not _Stage.OFF:
            self.heard(now, data=False)
            self._be_quiet()

    # ---- what follows -----------------------------------------------------------------------

    def look(
        self, now: float, *, held_until: float = -math.inf, is_listening: bool = True
    ) -> Ping | Dead | None:
        """What to do.

        Args:
            held_until: of what a ping in line waits for, when its time is over, and the ping's
                begins: a question that is under way has its own time, a send none from its begin
                on, and what waits for something else, such as a rate limit, is none of the
                connection's doing.
            is_listening: whether data that came would be received. The silence of a system that
                nobody listens to says nothing.
        """
        if self._stage is _Stage.OFF:
            return None
        if not is_listening:
            self._data = now
        if now >= self._stale_at and not self._excuse_data(now):
            return Dead(Silence.STALE, f"nothing was received for {self._stale_after:g} s")
        if self._stage is _Stage.QUIET:
            return self._look_at_quiet(now)
        if self._stage is _Stage.IN_LINE:
            if self._heard > self._since:
                self._be_quiet()
                return Ping.WITHDRAW
            self._limit = max(self._limit, held_until + self._timeout)
        if now < self._limit or self._excuse_ping(now):
            return None
        what = "was not answered" if self._stage is _Stage.ASKED else "could not be sent"
        return Dead(Silence.KEEP_ALIVE, f"a ping {what} within {self._timeout:g} s")

    def _look_at_quiet(self, now: float) -> Ping | None:
        if now < self._heard + self._wait:
            return None
        self._stage = _Stage.IN_LINE
        self._since = now
        self._limit = now + self._timeout
        self._excused_ping = False
        return Ping.SEND

    def _be_quiet(self) -> None:
        assert self._policy is not None
        self._stage = _Stage.QUIET
        self._wait = self._policy.every * (1.0 - _JITTER * self._random.random())

    def _excuse_ping(self, now: float) -> bool:
        excuse = min(now - self._limit, self._timeout, LATE)
        if self._excused_ping or now < self._limit + _tolerance(self._timeout):
            return False
        self._excused_ping = True
        self._limit = now + excuse
        return True

    def _excuse_data(self, now: float) -> bool:
        assert self._stale_after is not None
        excuse = min(now - self._stale_at, self._stale_after, LATE)
        if self._excused_data or now < self._stale_at + _tolerance(self._stale_after):
            return False
        self._excused_data = True
        self._data = now + excuse - self._stale_after
        return True

    @property
    def _stale_at(self) -> float:
        return math.inf if self._stale_after is None else self._data + self._stale_after

    @property
    def _timeout(self) -> float:
        return math.inf if self._policy is None else self._policy.timeout


def _tolerance(limit: float) -> float:
    """Seconds by which a look may be late without having been held up."""
    return min(LATE, limit) / 4
