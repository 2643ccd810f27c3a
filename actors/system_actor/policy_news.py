"""What the policies of a system have to tell its supervisor, gathered for its reports.

Lives on the system actor's event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from actors.messages import PolicyNews
from actors.resilience.circuit_breaker import Circuit
from actors.resilience.state import PolicyState

EVERY: Final = 1.0
"""Seconds between two reports of what alone has changed a little."""


class News:
    """Of all policies of one system."""

    def __init__(self, schedule: Callable[[], None]) -> None:
        """
        Args:
            schedule: has all that is new said soon, by way of :meth:`take`.
        """
        self._schedule = schedule
        self._keepers: dict[str, Callable[[], Any]] = {}
        self._circuits: list[Circuit] = []
        self._retried = 0
        self._is_due = False
        """Whether what is known now is to be said."""
        self._said_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None

    def keep(self, field: str, read: Callable[[], Any]) -> None:
        """Have what a policy knows told, as a field of the :class:`PolicyState`."""
        self._keepers[field] = read

    def changed(self) -> None:
        """What a policy knows is to be told at once."""
        self._be_due()

    def changed_a_little(self) -> None:
        """What a policy knows is to be told, but not too often."""
        if self._is_due or self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        wait = self._said_at + EVERY - loop.time()
        if wait <= 0:
            self._be_due()
        else:
            self._timer = loop.call_later(wait, self._be_due)

    def circuit_changed(self, circuit: Circuit) -> None:
        """A circuit breaker changed its state; told at once."""
        self._circuits.append(circuit)
        self._be_due()

    def retried(self) -> None:
        """A call is made once more."""
        self._retried += 1
        self._be_due()

    def take(self) -> PolicyNews | None:
        """What is new; once."""
        if not self._is_due:
            return None
        self._is_due = False
        self._said_at = asyncio.get_running_loop().time()
        circuits, self._circuits = tuple(self._circuits), []
        retried, self._retried = self._retried, 0
        state = PolicyState(**{field: read() for field, read in self._keepers.items()})
        return PolicyNews(state=state, circuits=circuits, retried=retried)

    def _be_due(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._is_due = True
        self._schedule()
