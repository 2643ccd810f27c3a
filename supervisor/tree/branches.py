"""What a supervision tree is made of: its children, those who wait for them, and what is
told of them. Pure."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import attrs

from actors.messages import FailureCode, Reason
from supervisor.messages import EventKind
from supervisor.specs.spec import ChildSpec, GroupSpec
from supervisor.timing.timers import Timers
from supervisor.tree.decisions import Happened, Removed, Settled, TreeAction
from supervisor.tree.nodes import Down, End, Group, Node, StartedBy, Status, System


class Branches:
    """The part of a :class:`~supervisor.tree.tree.Tree` that decides nothing."""

    def __init__(
        self, spec: GroupSpec, timers: Timers, random: Random, act: Callable[[TreeAction], None]
    ) -> None:
        self._timers = timers
        self._random = random
        self._act = act
        self._recovering = False
        self.nodes: dict[str, Node] = {}
        """All groups and systems, by name."""
        root = self.add(spec, None)
        assert isinstance(root, Group)
        self.root = root

    @property
    def now(self) -> float:
        """When what it is told at present happened."""
        return self._timers.now

    def add(self, spec: ChildSpec, parent: Group | None) -> Node:
        """Put a child, and what is in it, at the end of a group, without starting it."""
        node: Node
        if isinstance(spec, GroupSpec):
            # Its children are its nodes' specs from now on.
            node = group = Group(spec=attrs.evolve(spec, children=()), parent=parent)
        else:
            assert parent is not None
            node = System(spec=spec, parent=parent)
        self.nodes[spec.name] = node
        if parent is not None:
            parent.children[spec.name] = node
        self.happened(EventKind.REGISTERED, node)
        if isinstance(spec, GroupSpec):
            for child in spec.children:
                self.add(child, group)
        return node

    def remove(self, node: Node) -> None:
        """Forget a child that is down, and what is in it."""
        text = "it was removed"
        if isinstance(node, Group):
            for child in reversed(list(node.children.values())):
                self.remove(child)
        self.fail_orders(node, FailureCode.UNAVAILABLE, text)
        node.status, node.down = Status.DOWN, Down.TERMINATED
        del self.nodes[node.name]
        group = node.parent
        if group is not None:
            del group.children[node.name]
        if group is not None and group.round is not None:
            for turns in (group.round.stop, group.round.start):
                if node in turns:
                    turns.remove(node)
        self.happened(EventKind.UNREGISTERED, node)
        self._act(Removed(node))

    def forget_turn(self, node: Node) -> None:
        """A child that somebody started is not started any more, before its turn came: of a
        new one nothing is left."""
        turn_by, node.turn_by = node.turn_by, StartedBy.GROUP
        if turn_by is StartedBy.NEW:
            self.remove(node)
        elif turn_by is StartedBy.HAND:
            node.down = Down.TERMINATED

    def happened(
        self,
        kind: EventKind,
        node: Node,
        reason: Reason | None = None,
        delay: float | None = None,
    ) -> None:
        self._act(Happened(kind, node.name, node.incarnation, reason, delay))

    def fail_orders(self, node: Node, code: FailureCode, text: str) -> None:
        """It neither comes up nor goes down as somebody waits for."""
        self.fail_start_orders(node, code, text)
        self.settle(node.stop_orders, node)

    def fail_start(self, node: Node, end: End) -> None:
        """It could not be started; nobody tries again."""
        for order in _taken(node.start_orders):
            failure = end.code, end.reason.text
            self._act(Settled(order, node.name, node.incarnation, failure, not_started=True))
        self.settle(node.stop_orders, node)

    def fail_start_orders(self, node: Node, code: FailureCode, text: str) -> None:
        for order in _taken(node.start_orders):
            self._act(Settled(order, node.name, node.incarnation, (code, text)))

    def settle(self, orders: list[object], node: Node) -> None:
        """What these wait for has come to pass."""
        for order in _taken(orders):
            self._act(Settled(order, node.name, node.incarnation))


def _taken(orders: list[object]) -> list[object]:
    taken = orders[:]
    orders.clear()
    return taken
