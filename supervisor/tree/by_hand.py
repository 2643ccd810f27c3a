"""Children that somebody starts, terminates, restarts or deletes at run time. Pure.

OTP's functions of a supervisor, with OTP's refusals
(https://www.erlang.org/doc/apps/stdlib/supervisor.html). An ``order`` is whatever the
caller wants back in a :class:`~supervisor.tree.decisions.Settled`, once what it asked for has come
to pass or failed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from actors.messages import FailureCode
from actors.settings import did_you_mean
from supervisor.messages import EventKind
from supervisor.specs.spec import ChildSpec, GroupSpec, refuse_combination
from supervisor.tree.decisions import RefusedError
from supervisor.tree.nodes import Down, Ending, Group, Node, StartedBy, Status, Wish
from supervisor.tree.tree import Tree


class ByHand:
    """Orders to one tree. Each raises :class:`RefusedError` if it cannot be carried out."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def find(self, name: str) -> Node:
        """The child of this name.

        Raises:
            RefusedError: ``not_found``.
        """
        node = self._tree.nodes.get(name)
        if node is not None:
            return node
        hint = did_you_mean(name, self._tree.nodes, quote=repr)
        raise RefusedError(FailureCode.NOT_FOUND, f"{name}: no such child{hint}")

    def group(self, name: str | None) -> Group:
        """The group of this name; None is the root."""
        node = self._tree.root if name is None else self.find(name)
        if not isinstance(node, Group):
            raise RefusedError(FailureCode.NOT_FOUND, f"{name}: it is a system, and no group")
        return node

    # ---- OTP's functions --------------------------------------------------------------------

    def start_child(self, spec: ChildSpec, group_name: str | None, order: Any) -> None:
        """Add a child at the end of a group, and start it."""
        group = self.group(group_name)
        try:
            refuse_combination(group.spec, spec)
        except ValueError as error:
            raise RefusedError(FailureCode.INVALID_SPEC, str(error)) from error
        for name in _names(spec):
            self._refuse_taken(name)
        _refuse_not_running(group)
        node = self._tree.add(spec, group)
        self._start(node, StartedBy.NEW, order)

    def terminate_child(self, name: str, order: Any) -> None:
        """Stop a child and keep its spec, unless it is temporary."""
        self._end(self._below_root(name), Wish.TERMINATE, order)

    def remove_child(self, name: str, order: Any) -> None:
        """Stop a child and forget it: OTP's terminate and delete in one."""
        self._end(self._below_root(name), Wish.REMOVE, order)

    def restart_child(self, name: str, order: Any) -> None:
        """Start a child that is down; its restarts so far count no more."""
        node = self._below_root(name)
        _refuse_alive(node)
        self._start(node, StartedBy.HAND, order)

    def delete_child(self, name: str) -> None:
        """Forget a child that is down."""
        node = self._below_root(name)
        _refuse_alive(node)
        self._tree.remove(node)

    # ---- more -------------------------------------------------------------------------------

    def restart(self, name: str, order: Any) -> None:
        """Have a child's next incarnation come up, whatever it is doing now; its restarts
        so far count no more."""
        node = self._below_root(name)
        assert node.parent is not None
        _refuse_not_running(node.parent)
        if node.wish in (Wish.TERMINATE, Wish.REMOVE):
            raise RefusedError(FailureCode.UNAVAILABLE, f"{name}: it is being stopped")
        if node.status is Status.DOWN and not node.in_turn:
            # If it cannot be started it is tried again, as after a crash.
            self._start(node, StartedBy.RESTART, order)
            return
        node.window.clear()
        node.failures = 0
        node.start_orders.append(order)
        if node.status is Status.RESTARTING:
            self._hurry(node)
        elif node.status is Status.UP:
            node.wish = Wish.RESTART
            self._tree.stop_node(node)

    def change_specs(self, spec: GroupSpec) -> None:
        """Change the specs of a group by the rules of OTP's code change: running children
        go on, and are what they were until their next start; new ones are added, and not
        started; those that the new spec does not name are kept, after the others."""
        group = self.group(spec.name)
        self._refuse_change(group, spec)
        self._change(group, spec)

    # ---- details ----------------------------------------------------------------------------

    def _below_root(self, name: str) -> Node:
        node = self.find(name)
        if node is self._tree.root:
            text = f"{name} is the whole supervisor; stop that instead"
            raise RefusedError(FailureCode.INVALID_REQUEST, text)
        return node

    def _refuse_taken(self, name: str) -> None:
        node = self._tree.nodes.get(name)
        if node is None:
            return
        text = f"{name}: there is a child of this name"
        if node.is_restarting:
            text = f"{text}, which is being restarted; wait, or terminate and delete it first"
            raise RefusedError(FailureCode.ALREADY_PRESENT, text)
        if node.status is not Status.DOWN or node.in_turn:
            text = f"{text}; choose another, or unregister it first"
            raise RefusedError(FailureCode.ALREADY_STARTED, text)
        text = f"{text}, which does not run; restart it, or terminate and delete it first"
        raise RefusedError(FailureCode.ALREADY_PRESENT, text)

    def _start(self, node: Node, started_by: StartedBy, order: Any) -> None:
        assert node.parent is not None
        _refuse_not_running(node.parent)
        node.window.clear()
        node.failures = 0
        node.cause = None
        node.down = Down.WAITING
        node.start_orders.append(order)
        self._tree.start_in_turn(node, started_by)

    def _end(self, node: Node, wish: Wish, order: Any) -> None:
        if node.status in (Status.DOWN, Status.RESTARTING):
            is_new = node.turn_by is StartedBy.NEW
            self._cancel(node)
            self._tree.settle([order], node)
            if wish is Wish.REMOVE or node.is_temporary or is_new:
                self._tree.remove(node)
            return
        node.stop_orders.append(order)
        if node.wish is not Wish.REMOVE:
            node.wish = wish
        if node.status is not Status.STOPPING:
            self._tree.stop_node(node)
        elif isinstance(node, Group):
            # It may be giving up, or failing to start: it is not to come back from that.
            node.ending, node.end = Ending.ASKED, None

    def _cancel(self, node: Node) -> None:
        """See that a child which does not run is not started either."""
        group = node.parent
        assert group is not None
        was_to_run = node.status is Status.RESTARTING or node.down is not Down.TERMINATED
        node.status, node.down = Status.DOWN, Down.TERMINATED
        node.turn_by = StartedBy.GROUP
        self._tree.fail_start_orders(node, FailureCode.UNAVAILABLE, "it was terminated")
        if was_to_run:
            self._tree.happened(EventKind.STOPPED, node)
        if group.round is not None and group.round.cause is node:
            group.round.not_before = (
                self._tree.now
            )  # those stopped for its sake need not wait for it
        self._tree.go_on(group)

    def _hurry(self, node: Node) -> None:
        group = node.parent
        assert group is not None
        if group.round is not None and group.round.cause is node:
            group.round.not_before = self._tree.now
            self._tree.go_on(group)
        elif not group.is_to_stop(node):
            self._tree.start_node(node, StartedBy.RESTART)

    def _refuse_change(self, group: Group, spec: GroupSpec) -> None:
        """All or nothing: the whole change is looked at before any of it is made."""
        for child in spec.children:
            node = self._tree.nodes.get(child.name)
            if node is None:
                for name in _names(child):
                    self._refuse_taken(name)
            elif node.parent is not group:
                text = f"{child.name}: it is in another group; a change cannot move it"
                raise RefusedError(FailureCode.INVALID_SPEC, text)
            elif isinstance(node, Group) != isinstance(child, GroupSpec):
                text = f"{child.name}: a system cannot become a group, nor a group a system"
                raise RefusedError(FailureCode.INVALID_SPEC, text)
            elif isinstance(node, Group) and isinstance(child, GroupSpec):
                self._refuse_change(node, child)

    def _change(self, group: Group, spec: GroupSpec) -> None:
        group.spec = attrs.evolve(spec, children=())
        kept = [child for child in group.children.values() if child.name not in _own_names(spec)]
        for child in spec.children:
            node = group.children.pop(child.name, None)
            if node is None:
                self._tree.add(child, group)
                continue
            group.children[child.name] = node
            if isinstance(node, Group) and isinstance(child, GroupSpec):
                self._change(node, child)
            else:
                node.spec = child
                self._tree.happened(EventKind.CHANGED, node)
        for node in kept:
            group.children[node.name] = group.children.pop(node.name)
        self._tree.happened(EventKind.CHANGED, group)


def _names(spec: ChildSpec) -> Iterator[str]:
    if isinstance(spec, GroupSpec):
        yield from (each.name for each in spec.walk())
    else:
        yield spec.name


def _own_names(spec: GroupSpec) -> set[str]:
    return {child.name for child in spec.children}


def _refuse_not_running(group: Group) -> None:
    if group.parent is None and group.status not in (Status.STARTING, Status.UP):
        raise RefusedError(FailureCode.UNAVAILABLE, "the supervisor is stopping")
    if group.status is Status.STOPPING:
        raise RefusedError(FailureCode.UNAVAILABLE, f"{group.name} is being stopped")
    if group.status not in (Status.STARTING, Status.UP):
        text = f"its group {group.name} does not run; restart that first"
        raise RefusedError(FailureCode.UNAVAILABLE, text)


def _refuse_alive(node: Node) -> None:
    if node.is_restarting:
        text = f"{node.name}: it is being restarted; terminate it first"
        raise RefusedError(FailureCode.RESTARTING, text)
    if node.in_turn or node.status is Status.STARTING:
        text = f"{node.name}: it is being started; terminate it first"
        raise RefusedError(FailureCode.RUNNING, text)
    if node.status is not Status.DOWN:
        raise RefusedError(FailureCode.RUNNING, f"{node.name}: it runs; terminate it first")
