"""Tells the keepers of the record what changes. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from supervisor.core.actions import Client, CoreAction, TellClient
from supervisor.core.child import Child
from supervisor.messages import DesiredState
from supervisor.messages.record import (
    ChildForgotten,
    ChildKept,
    Record,
    RecordChange,
    RecordChanged,
    StateKept,
)
from supervisor.tree.nodes import Down, Node, Status
from supervisor.tree.tree import Tree


class Keepers:
    def __init__(self, children: Mapping[str, Child], act: Callable[[CoreAction], None]) -> None:
        self._children = children
        self._act = act
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

    def note(self, change: RecordChange) -> None:
        """Something that outlives the supervisor has changed."""
        if self._clients:
            self._changes.append(change)

    def touch(self, node: Node) -> None:
        """The state of a child may have changed."""
        if self._clients:
            self._touched[node.name] = node

    def forget(self, node: Node) -> None:
        """A child is in the tree no more."""
        self._touched.pop(node.name, None)
        self._told.pop(node.name, None)
        self.note(ChildForgotten(node.name))

    def flush(self) -> None:
        """Tell what has changed since the last time."""
        touched, self._touched = self._touched, {}
        for name, node in touched.items():
            state = self.state(node)
            if self._told.get(name) != state:
                self._told[name] = state
                self.note(state)
        if self._changes:
            changes, self._changes = tuple(self._changes), []
            for client in self._clients:
                self._act(TellClient(client, RecordChanged(changes)))

    def state(self, node: Node) -> StateKept:
        """How a child fares, as far as it matters after the supervisor's end."""
        child = self._children.get(node.name)
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
        )

    def record(self, tree: Tree) -> Record:
        """The whole record as it is now, but for the events."""
        record = Record()
        for node in tree.root.walk():
            record.apply(ChildKept(node.spec, node.parent.name if node.parent else None))
            record.apply(self.state(node))
        for name, child in self._children.items():
            if child.crashes:
                record.crashes[name] = child.crashes
        return record


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
            child.crashes = record.crashes.get(name, ())
