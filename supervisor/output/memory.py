"""The last that each system said. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

import attrs

from actors.messages.output import OutputLine

LINES: Final = 1000
"""That are kept of each system,"""
BYTES: Final = 256 * 1024
"""or so many bytes of them,"""
ALL_BYTES: Final = 64 * 1024 * 1024
"""and of all together."""
_OWN: Final = 200
"""Bytes that a line takes beside its text."""


@attrs.define(eq=False)
class _Ring:
    lines: deque[OutputLine] = attrs.field(factory=deque)
    size: int = 0


class Memory:
    """By system; what is forgotten is forgotten with its system, or to make room."""

    def __init__(self, lines: int = LINES, bytes_: int = BYTES, all_bytes: int = ALL_BYTES) -> None:
        self._most_lines = lines
        self._most_bytes = bytes_
        self._most_of_all = all_bytes
        self._rings: dict[str, _Ring] = {}

    def add(self, line: OutputLine) -> None:
        """Keep a line."""
        ring = self._rings.get(line.system_name)
        if ring is None:
            ring = self._rings[line.system_name] = _Ring()
        ring.lines.append(line)
        ring.size += _size(line)
        most = min(self._most_bytes, self._most_of_all // len(self._rings))
        while len(ring.lines) > self._most_lines or (ring.size > most and len(ring.lines) > 1):
            ring.size -= _size(ring.lines.popleft())

    def forget(self, name: str) -> None:
        self._rings.pop(name, None)

    def of(self, name: str, incarnation: int | None = None) -> Iterator[OutputLine]:
        """The lines of a system, newest first."""
        ring = self._rings.get(name)
        for line in reversed(ring.lines) if ring is not None else ():
            if incarnation is None or line.incarnation == incarnation:
                yield line

    def since(self, sequence: int) -> list[OutputLine]:
        """All lines after one, of all systems, in order."""
        found = []
        for ring in self._rings.values():
            for line in reversed(ring.lines):
                if line.sequence <= sequence:
                    break
                found.append(line)
        return sorted(found, key=lambda line: line.sequence)


def _size(line: OutputLine) -> int:
    return len(line.text) + _OWN
