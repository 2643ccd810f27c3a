"""What the core asks about doors, where clients reach systems without their supervisor. Pure.

Each incarnation has a door and a tally of what came in by it.
"""

from __future__ import annotations

from typing import Protocol

from actors.messages.tallied import NOTHING, Tallied


class Doors(Protocol):
    """What the core asks about doors."""

    def path_of(self, name: str, incarnation: int) -> str | None:
        """Where the door of this incarnation is; None if it has none."""

    def output_of(self, name: str, incarnation: int) -> str | None:
        """Where this incarnation says what it says; None if nobody is to hear it."""

    def tally_of(self, name: str, incarnation: int) -> Tallied:
        """What this incarnation has of its direct clients."""


class NoDoors:
    """Of a supervisor without a directory: all goes through it."""

    def path_of(self, name: str, incarnation: int) -> str | None:
        return None

    def output_of(self, name: str, incarnation: int) -> str | None:
        return None

    def tally_of(self, name: str, incarnation: int) -> Tallied:
        return NOTHING
