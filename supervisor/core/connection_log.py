"""What the log says of connections: each trouble once, however often it is tried again. Pure."""

from __future__ import annotations

import logging
from typing import Final

import attrs

from supervisor.core.actions import Log
from supervisor.views.status import duration

_WARNINGS: Final = 8
"""Of one time of trouble, each for another reason; what comes then is for debugging."""


@attrs.define(eq=False)
class _Trouble:
    """Of one system, until a connection of it has held."""

    warned_of: set[str] = attrs.field(factory=set)
    said_over: bool = False


class ConnectionLog:
    """Of all systems."""

    def __init__(self) -> None:
        self._troubles: dict[str, _Trouble] = {}

    def disconnected(self, name: str, why: str, delay: float, *, is_new: bool) -> Log:
        """It is not connected, and is going to be connected again.

        Args:
            why: with its name.
            delay: seconds until then.
            is_new: whether its last connection held.
        """
        if is_new:
            self.forget(name)
        trouble = self._troubles.setdefault(name, _Trouble())
        is_old = why in trouble.warned_of or len(trouble.warned_of) >= _WARNINGS
        if not is_old:
            trouble.warned_of.add(why)
        when = f"in {duration(delay)}" if delay else "at once"
        text = f"{why}; connecting again {when}, until it works"
        return Log(logging.DEBUG if is_old else logging.WARNING, text)

    def connected(self, name: str, where: str | None) -> str | None:
        """It is connected: a line, if the log has it otherwise."""
        trouble = self._troubles.get(name)
        if trouble is None or trouble.said_over:
            return None
        trouble.said_over = True
        return f"{name}: connected again" + (f", to {where}" if where is not None else "")

    def failed(self, name: str, why: str) -> str:
        """It is not connected again before somebody has mended something."""
        self._troubles[name] = _Trouble()
        return f"{name}: failed: {why}"

    def forget(self, name: str) -> None:
        """It is gone."""
        self._troubles.pop(name, None)
