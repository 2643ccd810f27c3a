"""What a fault proxy makes of one direction of one connection: how much may pass, and when.

Pure: times are arguments, in seconds of any clock that does not go back, and so is chance.
"""

from __future__ import annotations

import enum
import random
from collections import deque
from typing import Final

import attrs

_SLICE: Final = 0.02
"""Seconds: with a bandwidth, what passes in so long passes at once."""
_LEAST_ROOM: Final = 64 * 1024
_MOST_ROOM: Final = 64 * 1024 * 1024
_FAST: Final = 256 * 1024 * 1024
"""Bytes per second that a line without a bandwidth counts as having."""


class End(enum.Enum):
    """How a direction ends."""

    CLOSED = "closed"
    """In order: what came before arrives (FIN)."""
    RESET = "reset"
    """At once, for both directions (RST)."""


@attrs.frozen
class Conditions:
    """What a line is like, in one direction.

    Attributes:
        latency: seconds that each byte is on its way.
        jitter: seconds that it takes longer at most; the order stays.
        bandwidth: bytes per second; None for as fast as it goes.
        is_held: whether nothing passes: neither data nor an end.
    """

    latency: float = 0.0
    jitter: float = 0.0
    bandwidth: float | None = None
    is_held: bool = False


@attrs.define
class _Piece:
    what: bytes | End
    came: float
    share: float
    """Of the jitter, 0 to 1."""


class Shaper:
    """What is on its way in one direction. Nothing overtakes anything.

    Args:
        conditions: may be changed at any time, also for what is on its way.
        random: of the jitter.

    Attributes:
        allowed: how many bytes may still pass before the line is cut; None for any number.
    """

    def __init__(self, conditions: Conditions, random: random.Random) -> None:
        self.conditions = conditions
        self.allowed: int | None = None
        self._random = random
        self._pieces: deque[_Piece] = deque()
        self._size = 0
        self._since = 0.0
        self._count = 0
        """Bytes that the line has been busy with since then, at its bandwidth of the moment."""

    @property
    def has_room(self) -> bool:
        """Whether more may come: a line holds what is on its way, and a little more."""
        line = self.conditions
        if line.is_held:
            return False
        flight = (line.latency + line.jitter) * (line.bandwidth or _FAST)
        return self._size < min(_LEAST_ROOM + flight, _MOST_ROOM)

    @property
    def is_cut(self) -> bool:
        """Whether all has passed that may."""
        return self.allowed is not None and self.allowed <= 0

    def put(self, now: float, what: bytes | End) -> None:
        """Something comes, at a time that is not before that of the last."""
        self._pieces.append(_Piece(what, now, self._random.random()))
        if isinstance(what, bytes):
            self._size += len(what)

    def take(self, now: float) -> bytes | End | float | None:
        """What passes next, and is to be passed on at once.

        Returns:
            bytes or an end; or a number of seconds after which to ask again; or None when
            nothing passes until something comes or the conditions change.
        """
        line = self.conditions
        if line.is_held or not self._pieces or self.is_cut:
            return None
        first = self._pieces[0]
        wait = first.came + line.latency + line.jitter * first.share - now
        if line.bandwidth is not None:
            wait = max(wait, self._free_at(line.bandwidth) - now)
        if wait > 0:
            return wait
        if isinstance(first.what, End):
            self._pieces.popleft()
            return first.what
        return self._pass(now, first, first.what)

    def _pass(self, now: float, first: _Piece, data: bytes) -> bytes:
        count = len(data)
        rate = self.conditions.bandwidth
        if rate is not None:
            count = min(count, max(1, int(rate * _SLICE)))
        if self.allowed is not None:
            count = min(count, self.allowed)
            self.allowed -= count
        if rate is not None:
            # Who asks late may catch up with one slice; a line that was idle has saved nothing.
            self._since = max(self._free_at(rate), now - _SLICE)
            self._count = count
        if count == len(data):
            self._pieces.popleft()
        else:
            first.what = data[count:]
        self._size -= count
        return data[:count]

    def _free_at(self, rate: float) -> float:
        return self._since + self._count / rate
