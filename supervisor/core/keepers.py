"""Tells the keepers of the record what changes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from actors.resilience.state import NO_STATE
from supervisor.core.actions import Client
from supervisor.core.child import Child
from supervisor.core.context import Context
from supervisor.messages import DesiredState, EventKind, LifecycleEvent
from supervisor.messages.record import (
    ChildForgotten,
    ChildKept,
    CrashKept,
    Record,
    RecordChange,
    RecordChanged,
    StateKept,
)
from supervisor.tree.nodes import Down, Group, Node, Status
from supervisor.tree.tree import Tree

_PASSING: Final = {
    *(EventKind.CONNECTING, EventKind.CONNECTED, EventKind.DISCONNECTED, EventKind.FAILED),
    *(EventKind.HUNG, EventKind.ABANDONED),
    *(EventKind.DEAD_LETTER, EventKind.OUTBOX_BLOCKED),
}
"""Events that by themselves change nothing that is kept of a system."""


class Keepers:
    def __init__(self, context: Context, tree: Tree) -> None:
        self._context = context
        self._tree = tree
        self._clients: set[Client] = set()
        self._changes: list[RecordChange] = []
        self._touched: dict[str, Node] = {}
        self._told: dict[str, StateKept] = {}

    def add(self, client: Client) -> None:
        """Have a client told of all changes from now on."""
        self.flush()
        self._told.clear()  # nothing was noted while nobody was to be told
        self._clients.add(client)

    def remove(self, client: Client) -> None:
        self._clients.discard(client)

    def touch(self, node: Node) -> None:
        """The state of a child may have changed."""
        if self._clients:
            self._touched[node.name] = node

    def flush(self) -> None:
        """Tell what has changed since the last time."""
        touched, self._touched = self._touched, {}
        for name, node in touched.items():
            state = self._state(node)
            if self._told.get(name) != state:
                self._told[name] = state
                self._note(state)
        if self._changes:
            changes, self._changes = tuple(self._changes), []
            for client in self._clients:
                self._context.tell(client, RecordChanged(changes, self.is_up))

    @property
    def is_up(self) -> bool:
        """Whether the whole tree has been started."""
        return self._tree.root.status is Status.UP

    def record(self) -> Record:
        """The whole record as it is now, but for the events."""
        record = Record()
        for node in self._tree.root.walk():
            record.apply(_kept(node))
            record.apply(self._state(node))
        for name, child in self._context.children.items():
            if child.crashes:
                record.crashes[name] = child.crashes
        return record

    # ---- what happens -----------------------------------------------------------------------

    def hear(self, event: LifecycleEvent) -> None:
        name = event.system_name
        if event.report is not None:
            self._note(CrashKept(name, event.report, self._context.options.crash_reports))
        self._note(event)
        if event.kind is EventKind.UNREGISTERED:
            self._touched.pop(name, None)
            self._told.pop(name, None)
            self._note(ChildForgotten(name))
            return
        node = self._tree.nodes.get(name)
        if node is None or event.kind in _PASSING:
            return
        self.touch(node)
        if event.kind is EventKind.REGISTERED:
            self._note(_kept(node))
        elif event.kind is EventKind.CHANGED and isinstance(node, Group):
            # What is noted becomes the last of its group: all of them, in what may be a
            # new order. The group of a system that was changed is said to be changed, too.
            siblings = (node,) if node.parent is None else node.parent.children.values()
            for each in (*siblings, *node.children.values()):
                self._note(_kept(each))

    def _note(self, change: RecordChange) -> None:
        if self._clients:
            self._changes.append(change)

    def _state(self, node: Node) -> StateKept:
        """How a child fares, as far as it matters after the supervisor's end."""
        child = self._context.children.get(node.name)
        down = node.status is Status.DOWN
        if child is not None:
            desired = child.desired
        else:
            stays = node.is_to_stay_down
            desired = DesiredState.TERMINATED if stays else DesiredState.DISCONNECTED
        return StateKept(
            name=node.name,
            desired=desired,
            incarnation=node.incarnation,
            restarts=node.restarts,
            wanted=child is not None and child.wanted,
            ended=down and node.down is Down.ENDED,
            quarantine=node.cause if down and node.down is Down.QUARANTINED else None,
            connect_failures=0 if child is None else child.connect_failures,
            failed=None if child is None else child.failed,
            policies=NO_STATE if child is None else child.policies,
        )


def _kept(node: Node) -> ChildKept:
    return ChildKept(node.spec, node.parent.name if node.parent is not None else None)


def restore(tree: Tree, record: Record, children: Mapping[str, Child]) -> None:
    """Set the children of a new tree to what is recorded of them."""
    for name, kept in record.states.items():
        node = tree.nodes.get(name)
        if node is None:
            continue
        node.incarnation, node.restarts = kept.incarnation, kept.restarts
        if kept.quarantine is not None:
            node.down, node.cause = Down.QUARANTINED, kept.quarantine
        elif kept.desired is DesiredState.TERMINATED:
            node.down = Down.ENDED if kept.ended else Down.TERMINATED
        child = children.get(name)
        if child is not None:
            child.wanted = kept.wanted
            child.connect_failures, child.failed = kept.connect_failures, kept.failed
            child.policies = kept.policies
            child.crashes = record.crashes.get(name, ())
