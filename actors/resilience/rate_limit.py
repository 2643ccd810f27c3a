"""So many calls a second, and so many at once at most: one leaky bucket. Pure.

A call is an item more in the bucket, which drains by ``rate`` items a second and holds ``burst``.
What waits promises itself an item first, in its turn, and goes when that would be there: so those
that share a limit go one after the other, and none is left behind. What goes is counted when it
goes: never more than ``burst + rate * t`` items in any ``t`` seconds, whoever is killed in between.
The source is the *generic cell rate algorithm* of ITU-T I.371, whose state is one time; here it is
an amount, which means the same to those who share it should they not agree about the rate.
"""

from __future__ import annotations

import enum
import math
from typing import Final, NamedTuple

import attrs

from actors.settings import Allowed, one_of, text, whole_number

_EXACT: Final = 1e-9
"""Items by which sums of floats may be wrong."""
_LONGEST_NAME: Final = 200


class Overflow(enum.StrEnum):
    """What becomes of a call that is one too many just now."""

    WAIT = "wait"
    """It waits for its turn, within its request's own time."""
    REFUSE = "refuse"
    """It is refused at once, and told when it is worth to try again."""


_OVERFLOW: Final = one_of(*Overflow)


def _to_overflow(value: Overflow | str) -> Overflow:
    overflow: Overflow = _OVERFLOW.convert(value)
    return overflow


_RATE: Final = Allowed(
    text="a finite number of items a second, more than 0",
    types=(int, float),
    check=lambda value: 0 < value < math.inf,
)


class Level(NamedTuple):
    """How full the bucket is; all that is kept of a limit."""

    at: float = -math.inf
    """When it was so full."""
    gone: float = 0.0
    """Items that have gone, less what has drained since."""
    promised: float = 0.0
    """The same, and those with it that wait for their turn."""


@attrs.frozen
class Turn:
    """Of one who waits."""

    due: float
    """When it is to try."""
    weight: int
    after: Level
    """With it the last in line."""


@attrs.frozen(kw_only=True)
class RateLimit:
    """How many items may go to a system: sends, questions and commands."""

    rate: float = attrs.field(validator=_RATE)
    """Items a second, in the long run."""
    burst: int = attrs.field(default=1, validator=whole_number(1))
    """Items that may go at once after a quiet time."""
    shared: str | None = attrs.field(
        default=None,
        validator=text(
            f"a name of 1 to {_LONGEST_NAME} characters",
            lambda name: 0 < len(name) <= _LONGEST_NAME,
        ).or_none(),
    )
    """The systems that name the same have one limit together; None is this system's alone."""
    overflow: Overflow = attrs.field(
        default=Overflow.WAIT, converter=_to_overflow, validator=_OVERFLOW
    )

    def __str__(self) -> str:
        together = "" if self.shared is None else f", shared as {self.shared!r}"
        return f"{self.rate:g} a second, {self.burst} at once{together}"

    def ask(self, level: Level, now: float, weight: int = 1) -> tuple[Level, float]:
        """Let items go, if they may just now.

        Args:
            weight: how many; no more than ``burst``, or else they never may.

        Returns:
            the new level, and the seconds to wait, 0.0 if they go: while nobody else goes.
        """
        level = self._drained(level, now)
        if level.promised + weight > self.burst + _EXACT:
            return level, self._wait(level.promised, weight)
        return self._with(level, weight), 0.0

    def take_turn(self, level: Level, now: float, weight: int = 1) -> tuple[Level, Turn]:
        """Stand in line, behind all that wait: for whoever may not go just now."""
        before = self._drained(level, now)
        after = before._replace(promised=before.promised + weight)
        due = now + max(0.0, self._wait(before.promised, weight))
        return after, Turn(due, weight, after)

    def go(self, level: Level, now: float, turn: Turn) -> tuple[Level, float]:
        """Let the items go whose turn it is.

        Returns:
            the new level, and the seconds to wait, 0.0 if they go. They wait again where those
            before them were late.
        """
        level = self._drained(level, now)
        if level.gone + turn.weight > self.burst + _EXACT:
            return level, self._wait(level.gone, turn.weight)
        gone = level.gone + turn.weight
        return level._replace(gone=gone, promised=max(level.promised, gone)), 0.0

    def give_back(self, level: Level, now: float, turn: Turn) -> Level:
        """Who had this turn does not go. It is lost if somebody stands behind it, whose own
        time was told him."""
        level = self._drained(level, now)
        mine = self._drained(turn.after, now)
        if level.promised > mine.promised + _EXACT:
            return level
        return level._replace(promised=max(level.gone, level.promised - turn.weight))

    def fuller(self, one: Level, other: Level, now: float) -> Level:
        """The more careful of two levels of one bucket, at a time."""
        one, other = self._drained(one, now), self._drained(other, now)
        return Level(now, max(one.gone, other.gone), max(one.promised, other.promised))

    def _with(self, level: Level, weight: int) -> Level:
        return Level(level.at, level.gone + weight, level.promised + weight)

    def _drained(self, level: Level, now: float) -> Level:
        """The same at another time. One from the future is from now: another clock's."""
        out = max(0.0, now - level.at) * self.rate
        return Level(now, max(0.0, level.gone - out), max(0.0, level.promised - out))

    def _wait(self, amount: float, weight: int) -> float:
        return max((amount + weight - self.burst) / self.rate, 1e-6)
