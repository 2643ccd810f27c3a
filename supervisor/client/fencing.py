"""Whether what goes straight to a system may overtake something. Pure.

What went through the supervisor is unproven until it is answered, or until a
:class:`~actors.messages.Fence`, sent behind it, came back: the system has taken it.
"""

from __future__ import annotations

import math
from typing import Final

from actors.messages import Fence, FencePassed, Reply

FENCE_PATIENCE: Final = 0.25
"""Seconds that a fence may take; what waits for it is held up no longer."""
FENCE_PAUSE: Final = 1.0
"""Seconds after one that did not come back until the next is tried."""
_UNSEEN: Final = 0
"""Stands for all that may have been asked through the supervisor unseen."""


class Fencing:
    """Of one system."""

    def __init__(self, system_name: str) -> None:
        self._name = system_name
        self.unproven: set[int] = {_UNSEEN}
        """What went through the supervisor and may not have been taken yet."""
        self._fence: Fence | None = None
        self._proves: frozenset[int] = frozenset()
        """What the fence proves to be taken."""
        self._not_before = -math.inf

    @property
    def is_up(self) -> bool:
        """Whether a fence is under way."""
        return self._fence is not None

    def is_fence(self, request_id: int) -> bool:
        """Whether this is the fence that is under way."""
        return self._fence is not None and self._fence.request_id == request_id

    def routed(self, request_id: int) -> None:
        """This goes through the supervisor now."""
        self.unproven.add(request_id)

    def routed_unseen(self) -> None:
        """Something does that no answer is heard of here."""
        self.unproven.add(_UNSEEN)

    def answered(self, request_id: int) -> None:
        """That was answered."""
        self.unproven.discard(request_id)

    def put_up(self, now: float) -> Fence | None:
        """A fence to be sent through the supervisor; None when there is one, or was one a
        moment ago that did not come back."""
        if self._fence is not None or now < self._not_before:
            return None
        self._fence = Fence(self._name, timeout=FENCE_PATIENCE)
        self._proves = frozenset(self.unproven)
        return self._fence

    def came_back(self, reply: Reply, now: float) -> None:
        """The fence was answered."""
        if isinstance(reply, FencePassed):
            self._fence = None
            self.unproven -= self._proves
        else:
            self.run_out(now)

    def run_out(self, now: float) -> None:
        """The fence did not come back in time."""
        self._fence = None
        self._not_before = now + FENCE_PAUSE
