"""A group's round, step by step: children are stopped, then children are started. Pure."""

from __future__ import annotations

from abc import ABC, abstractmethod

from actors.messages import FailureCode
from supervisor.tree.branches import Branches
from supervisor.tree.nodes import Down, Group, Node, Round, StartedBy, Status


class Rounds(Branches, ABC):
    """The part of a :class:`~supervisor.tree.tree.Tree` that takes one step after the other."""

    @abstractmethod
    def start_node(self, node: Node, started_by: StartedBy) -> None:
        """Have a child that is down start."""

    @abstractmethod
    def stop_node(self, node: Node) -> None:
        """Have a child that is starting or up stop."""

    @abstractmethod
    def child_up(self, node: Node) -> None:
        """A child is up; a group, once its children have been started."""

    @abstractmethod
    def group_down(self, group: Group) -> None:
        """All children of a group that stops are down."""

    def go_on(self, group: Group) -> None:
        """Take the next steps of a group's round, as far as they need no waiting."""
        while (round_ := group.round) is not None:
            if round_.stop:
                if not self._stop_next(round_):
                    return
            elif self.now < round_.not_before:
                return
            elif round_.start:
                if not self._start_next(round_):
                    return
            else:
                group.round = None
                if group.status is Status.STARTING:
                    self.child_up(group)
                elif group.status is Status.STOPPING:
                    self.group_down(group)

    def _stop_next(self, round_: Round) -> bool:
        """False while it is being stopped."""
        node = round_.stop[0]
        if node.status in (Status.STARTING, Status.UP):
            self.stop_node(node)
        if node.status is Status.STOPPING:
            return False
        if node in round_.stop:
            round_.stop.remove(node)
        if node.status is Status.RESTARTING:
            node.status, node.down = Status.DOWN, Down.WAITING
            self.fail_start_orders(node, FailureCode.UNAVAILABLE, "it was stopped")
        if node.is_temporary and node in round_.start:
            # OTP: a temporary child that is stopped for the sake of others is not restarted.
            round_.start.remove(node)
            if node.name in self.nodes:
                self.remove(node)
        return True

    def _start_next(self, round_: Round) -> bool:
        """False while it is being started."""
        node = round_.start[0]
        if node is round_.cause and node.status is Status.RESTARTING and not node.alone:
            node.status, node.down = Status.DOWN, Down.WAITING
        if node.in_turn:
            self.start_node(node, node.turn_by)
            return True
        if node.status in (Status.STARTING, Status.STOPPING) and not node.alone:
            return False
        round_.start.remove(node)
        return True

    def go_on_above(self, node: Node) -> None:
        """Of a child that is up, or down: the same for the group it is in."""
        if node.parent is not None:
            self.go_on(node.parent)
