"""How much a manager has asked of a system that its supervisor does not know of, and whether there
is room for more. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Final

from actors.messages import DIRECT_KINDS, Failure
from actors.messages.limits import Line, admit
from actors.messages.results import Results
from supervisor.client.asked import Asked

_LARGEST: Final = 64 << 20
"""Bytes of a request above which it goes through the supervisor."""


class Load:
    """Of one system."""

    def __init__(self) -> None:
        self._weight = 0
        self._size = 0

    def add(
        self,
        asked: Asked,
        size: int | None,
        mailbox_size: int,
        is_connected: bool,
        others: Iterable[Asked],
    ) -> Failure | None:
        """Measure what may go straight; the refusal, if it is one too many. Of a SendMany that
        is too much only in part, the last items are left out.

        Args:
            size: bytes of user data, where they are known.
            others: all that is not answered yet, in order.
        """
        if not isinstance(asked.request, DIRECT_KINDS):
            return None
        line = partial(_line, asked, is_connected, others)
        admitted = admit(asked.request, self._weight, self._size, mailbox_size, size, line)
        if isinstance(admitted, Failure):
            return admitted
        asked.request, asked.weight, asked.size, refused = admitted
        if refused:
            asked.results = Results.of(asked.request, refused)
        asked.direct = asked.size <= _LARGEST
        self._weight += asked.weight
        self._size += asked.size
        return None

    def take_off(self, asked: Asked) -> None:
        """It is answered, or goes through the supervisor, which counts it."""
        self._weight -= asked.weight
        self._size -= asked.size
        asked.weight = asked.size = 0


def _line(asked: Asked, is_connected: bool, others: Iterable[Asked]) -> Line:
    """What waits for the system, for who is refused."""
    first = next((each for each in others if each.weight), asked)
    return Line("connected" if is_connected else "disconnected", asked.since - first.since)
