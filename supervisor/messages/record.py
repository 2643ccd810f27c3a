"""What outlives a supervisor: enough to start its systems again as they were meant to be.

A supervisor tells its keepers of every change. Keepers are the guardian, which restarts a
killed supervisor, the root, which restarts a killed guardian, and the host, which restarts
a killed root. Kept in memory only: specs may hold passwords. Pure.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import attrs

from actors.messages import Reason, Reply
from actors.resilience.state import NO_STATE, PolicyState
from supervisor.messages.crashes import CrashReport, with_newest
from supervisor.messages.events import LifecycleEvent
from supervisor.messages.requests import SupervisorRequest
from supervisor.messages.status import DesiredState
from supervisor.specs.options import SupervisorOptions
from supervisor.specs.spec import ChildSpec, GroupSpec, seal_details, with_children

EVENTS_KEPT: Final = 1000
"""The last of them, for subscribers that were away."""


@attrs.frozen
class ChildKept:
    """A child is now the last of a group, and this is its spec."""

    spec: ChildSpec
    """Of a group without its children."""
    group: str | None
    """None for the root group itself."""


@attrs.frozen
class ChildForgotten:
    name: str


@attrs.frozen
class StateKept:
    """How a child fares, as far as it matters after the supervisor's end."""

    name: str
    desired: DesiredState
    incarnation: int
    restarts: int
    wanted: bool = False
    """Whether it is meant to be connected, if it runs."""
    ended: bool = False
    """Whether it has ended by itself: a restart of its whole group starts it again."""
    quarantine: Reason | None = None
    """Why it is in quarantine."""
    connect_failures: int = 0
    """How often in a row it could not be connected: the wait for the next attempt goes on from
    there."""
    failed: Reason | None = None
    """Why it is not tried to be connected before somebody asks for it."""
    policies: PolicyState = NO_STATE
    """What its policies know."""


@attrs.frozen
class CrashKept:
    """A system crashed once more."""

    name: str
    report: CrashReport
    most: int
    """So many of its reports are kept."""


RecordChange = ChildKept | ChildForgotten | StateKept | CrashKept | LifecycleEvent


@attrs.define
class Record:
    """Everything kept."""

    children: dict[str, ChildKept] = attrs.field(factory=dict)
    """By name; the children of a group in their order."""
    states: dict[str, StateKept] = attrs.field(factory=dict)
    """By name."""
    crashes: dict[str, tuple[CrashReport, ...]] = attrs.field(factory=dict)
    """By name; oldest first."""
    events: deque[LifecycleEvent] = attrs.field(factory=lambda: deque(maxlen=EVENTS_KEPT))

    def apply(self, change: RecordChange) -> None:
        """Take note of a change."""
        match change:
            case ChildKept():
                self.children.pop(change.spec.name, None)
                self.children[change.spec.name] = change
            case ChildForgotten():
                self.children.pop(change.name, None)
                self.states.pop(change.name, None)
                self.crashes.pop(change.name, None)
            case StateKept():
                self.states[change.name] = change
            case CrashKept():
                before = self.crashes.get(change.name, ())
                self.crashes[change.name] = with_newest(before, change.report, change.most)
            case LifecycleEvent():
                self.events.append(change)

    def tree(self) -> GroupSpec:
        """The specs as one tree.

        Raises:
            LookupError: nothing was recorded.
        """
        [root] = [kept.spec for kept in self.children.values() if kept.group is None]
        tree = self._with_children(root)
        assert isinstance(tree, GroupSpec)
        return tree

    def _with_children(self, spec: ChildSpec) -> ChildSpec:
        if not isinstance(spec, GroupSpec):
            return spec
        children = [kept.spec for kept in self.children.values() if kept.group == spec.name]
        return with_children(spec, map(self._with_children, children))


# ---- messages -----------------------------------------------------------------------------


@attrs.frozen
class KeepRecord(SupervisorRequest):
    """Have the asker be a keeper. Answered by :class:`RecordGiven`; :class:`RecordChanged`
    follow, as long as the asker is there."""


@attrs.frozen(kw_only=True)
class RecordGiven(Reply):
    """The record as it is now."""

    record: Record = attrs.field(repr=False)
    is_up: bool = False
    """Whether the whole tree has been started."""


@attrs.frozen
class RecordChanged:
    """What changed, in order."""

    changes: tuple[RecordChange, ...] = attrs.field(repr=False)
    is_up: bool = False
    """Whether the whole tree has been started by now."""


@attrs.frozen
class ConfigureSupervisor(SupervisorRequest):
    """Sent first, by whoever starts a runtime. Answered by :class:`SupervisorReady`."""

    options: SupervisorOptions
    socket_path: str | None = None
    """Where to listen for clients on a Unix socket; None for actor messages only."""
    tree: GroupSpec | None = attrs.field(default=None, converter=seal_details)
    """What to start; None is a root group with nothing in it."""
    record: Record | None = attrs.field(default=None, repr=False)
    """What to come back from, in place of ``tree``."""
    has_scribe: bool = False
    """Whether a scribe will come, to read what systems say."""


# ---- keeping it ---------------------------------------------------------------------------


@attrs.define
class RecordKeeper:
    """The record as a supervisor tells it: whole at first, then what changes."""

    record: Record | None = None
    """None until one was given."""
    is_up: bool = False
    """Whether the whole tree is up, as far as was told."""

    def hear(self, message: object) -> bool:
        """Take note of what a supervisor said.

        Returns:
            whether it was about the record.
        """
        match message:
            case RecordGiven():
                self.record, self.is_up = message.record, message.is_up
            case RecordChanged():
                self.is_up = message.is_up
                if self.record is not None:
                    for change in message.changes:
                        self.record.apply(change)
            case _:
                return False
        return True
