"""What a supervisor is asked about data that came from a system and is kept in its inbox."""

from __future__ import annotations

from typing import Any

import attrs

from actors.messages import Reply, Request
from actors.payload import wrap


@attrs.frozen
class TakeData(Request):
    """Give the oldest item of a system's inbox that nobody has. Answered by :class:`DataTaken`, or
    by :class:`NothingTaken`. The asker has it until it says :class:`SettleData`, or leaves: then
    somebody else is given it."""

    wait: float | None = None
    """Seconds to wait for one; None is the supervisor's ``request_timeout``."""


@attrs.frozen
class SettleData(Request):
    """Say what became of an item that was taken. Answered by :class:`DataSettled`, if it is done
    with when that is on the disk."""

    item_id: int = 0
    done: bool = True
    """Whether it is done with; else it is given back, to be taken again."""


@attrs.frozen(kw_only=True)
class DataTaken(Reply):
    """An item, to be settled."""

    item_id: int
    data: Any = attrs.field(repr=False, converter=wrap)
    taken: int
    """How often it was taken before: more than 0 if a reader gave it back, or left."""
    received_at: float
    """Seconds of the wall clock."""


@attrs.frozen(kw_only=True)
class NothingTaken(Reply):
    """There was none, and none came in time."""


@attrs.frozen(kw_only=True)
class DataSettled(Reply):
    """It is as was said."""
