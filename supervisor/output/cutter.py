"""Bytes to lines. Pure."""

from __future__ import annotations

from typing import Final

LONGEST: Final = 32 * 1024
"""Bytes of a line that are kept."""


class Cutter:
    """Finds the lines in a stream of bytes that comes in pieces of any size."""

    def __init__(self, longest: int = LONGEST) -> None:
        """
        Args:
            longest: bytes of a line that are kept; it is said how many follow.
        """
        self._longest = longest
        self._begun = bytearray()
        """Of a line whose end has not come."""
        self._beyond = 0
        """How many of its bytes were not kept."""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are complete by now, without their ends."""
        *ended, begun = data.split(b"\n")
        lines = []
        for part in ended:
            self._add(part)
            lines.append(self._take())
        self._add(begun)
        return lines

    def end(self) -> list[bytes]:
        """What has begun, and is not to go on."""
        return [self._take()] if self._begun else []

    def skip(self) -> None:
        """What comes next is no longer of the line that has begun."""
        self._begun.clear()
        self._beyond = 0

    def _add(self, part: bytes) -> None:
        room = self._longest - len(self._begun)
        self._begun += part[:room]
        self._beyond += max(0, len(part) - room)

    def _take(self) -> bytes:
        line = bytes(self._begun)
        if self._beyond:
            line += b" [...%d more bytes]" % self._beyond
        self.skip()
        return line
