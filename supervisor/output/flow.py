"""How much one process may say: the rest is dropped, and counted. Pure."""

from __future__ import annotations

from typing import Final

from supervisor.output.cutter import Cutter

RATE: Final = 1000.0
"""Lines a second that are taken of one process,"""
BURST: Final = 5000.0
"""and how many at once after it was quiet."""
BYTES_A_LINE: Final = 512
"""A longer line counts as several."""
_RESUME: Final = 0.1
"""Part of the burst that must be there again before lines are taken once more: else each would
come with a word of what was dropped before it."""
_TAIL: Final = 8 * 1024
"""Bytes of what was dropped last that are kept,"""
_LAST: Final = 20
"""and lines: the last words of a process that never stops talking."""


class Flow:
    """What comes of one process. Times are seconds of a monotonic clock."""

    def __init__(self, now: float, rate: float = RATE, burst: float = BURST) -> None:
        self._rate = rate
        self._burst = burst
        self._room = burst
        """How many lines may come now."""
        self._at = now
        self._cutter = Cutter()
        self._lost = 0
        self._tail = b""

    def feed(self, data: bytes, now: float) -> tuple[int, list[bytes]]:
        """Bytes have come.

        Returns:
            how many lines were lost before the lines that are said, and those.
        """
        self._refill(now)
        if self._lost and self._room < self._burst * _RESUME:
            self._drop(data)
            return 0, []
        lost, last = self._resume() if self._lost else (0, [])
        lines = self._cutter.feed(data)
        cost = 0.0
        for number, line in enumerate(lines):
            cost += 1 + len(line) // BYTES_A_LINE
            if cost > self._room:
                self._lost = len(lines) - number
                self._tail = data[-_TAIL:]
                self._cutter.skip()
                lines = lines[:number]
                break
        self._room = max(0.0, self._room - cost)
        return lost, last + lines

    def settle(self) -> tuple[int, list[bytes]]:
        """Nothing has come for a while: say what was dropped, and the last of it."""
        return self._resume() if self._lost else (0, [])

    def end(self) -> tuple[int, list[bytes]]:
        """Nothing comes any more: the same, and the line that has begun."""
        lost, lines = self.settle()
        return lost, lines + self._cutter.end()

    @property
    def is_behind(self) -> bool:
        """Whether :meth:`settle` has something to say."""
        return self._lost > 0

    def _refill(self, now: float) -> None:
        self._room = min(self._burst, self._room + (now - self._at) * self._rate)
        self._at = now

    def _drop(self, data: bytes) -> None:
        self._lost += data.count(b"\n")
        self._tail = data[-_TAIL:] if len(data) >= _TAIL else (self._tail + data)[-_TAIL:]

    def _resume(self) -> tuple[int, list[bytes]]:
        _, _, tail = self._tail.partition(b"\n")  # the first may have begun anywhere
        self._tail = b""
        lines = self._cutter.feed(tail)
        lines = lines[max(0, len(lines) - min(_LAST, self._lost)) :]
        lost, self._lost = self._lost - len(lines), 0
        return lost, lines
