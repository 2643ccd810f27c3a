"""What is to be done about the connection before all that waits in the lane.

Runs on the system actor's event loop.
"""

from __future__ import annotations

from collections.abc import Callable

from actors.messages import DisconnectSystem, Reason
from actors.system_actor.dropping import DropLink
from actors.system_actor.lane import Job, Lane
from actors.system_actor.renewing import NOBODY, Renew


class Urgent:
    """Of one lane."""

    def __init__(self, system_name: str, lane: Lane, may_mend: Callable[[], bool]) -> None:
        """
        Args:
            may_mend: whether there may be a connection at all: it is not about to end.
        """
        self._system_name = system_name
        self._lane = lane
        self._may_mend = may_mend
        self._must_renew = False
        """Whether the connection has become of no use for a question, and nothing was done."""

    def give_up(self, why: Reason) -> None:
        """Nobody can do anything with the connection any more."""
        if not isinstance(self._lane.next, DisconnectSystem) and self._may_mend():
            self._lane.enter_first(Job(NOBODY, DropLink(self._system_name, why)))

    def tainted(self) -> None:
        """The connection has become of no use for a question."""
        self._must_renew = True
        if self._lane.task is None and self._may_mend():
            self._must_renew = False  # a command had asked
            self._lane.enter(Job(NOBODY, Renew(self._system_name)))
        elif self._lane.is_resting:
            self.next()

    def next(self) -> None:
        """Have it made anew next, if it must be, unless it is about to be closed."""
        must_renew, self._must_renew = self._must_renew, False
        closing = isinstance(self._lane.next, DisconnectSystem | DropLink)
        if must_renew and not closing and self._may_mend():
            self._lane.enter_first(Job(NOBODY, Renew(self._system_name)))
