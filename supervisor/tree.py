"""Who is started, stopped, restarted and given up, in which order: OTP's supervisor. Pure.

Events and orders go in together with the time, actions come out
(:data:`~supervisor.nodes.TreeAction`). The words and the rules are those of
https://www.erlang.org/doc/apps/stdlib/supervisor.html; docs/supervision.rst says where
they differ.

What OTP does in one go, such as stopping and starting all children of a group, takes time
here: it is a :class:`~supervisor.nodes.Round`, which goes on whenever a child is up or
down. Orders and exits are dealt with meanwhile.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import attrs

from actors.messages import FailureCode, Reason
from supervisor.messages import EventKind
from supervisor.nodes import (
    Down,
    End,
    Ending,
    Group,
    Happened,
    Node,
    Removed,
    RootEnded,
    Round,
    Settled,
    StartedBy,
    StartProcess,
    Status,
    StopProcess,
    System,
    TreeAction,
    Wish,
)
from supervisor.policies import (
    BRUTAL_KILL,
    AutoShutdown,
    GiveUp,
    OnStartFailure,
    RestartType,
    Strategy,
    as_seconds,
)
from supervisor.restarts import backoff_delay
from supervisor.spec import ChildSpec, GroupSpec
from supervisor.timers import Timers

_RUNS = (Status.STARTING, Status.UP, Status.STOPPING)


class Tree:
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

    # ---- from outside -----------------------------------------------------------------------

    def start(self, now: float, *, recovering: bool = False) -> None:
        """Start the whole tree.

        Args:
            recovering: it was up before. A child that cannot be started is tried again,
                whatever its group says, and one that is in quarantine, or has ended, stays so.
        """
        self._recovering = recovering
        self.start_node(self.root, StartedBy.GROUP, now)

    def stop(self, now: float) -> None:
        """Stop the whole tree, in reverse order."""
        self.root.end = None
        if self.root.status is Status.STOPPING:
            self.root.ending = Ending.ASKED
        else:
            self.stop_node(self.root, now)

    def started(self, name: str, incarnation: int, now: float) -> None:
        """A system is built."""
        node = self.nodes.get(name)
        if node is not None and node.incarnation == incarnation and node.status is Status.STARTING:
            self._up(node, now)

    def exited(self, name: str, incarnation: int, end: End, now: float) -> None:
        """A system's process has ended. A notice of an earlier incarnation, or the same
        notice twice, changes nothing."""
        node = self.nodes.get(name)
        if node is None or node.incarnation != incarnation:
            return
        match node.status:
            case Status.STARTING:
                self._failed_to_start(node, end, now)
            case Status.UP:
                self._ended(node, end, now)
            case Status.STOPPING:
                self._stopped(node, now)

    # ---- starting ---------------------------------------------------------------------------

    def start_node(self, node: Node, started_by: StartedBy, now: float) -> None:
        node.incarnation += 1
        node.status, node.started_by, node.wish = Status.STARTING, started_by, None
        node.up_since = math.inf
        self.happened(EventKind.STARTING, node)
        if not isinstance(node, Group):
            self._act(StartProcess(node.name, node.incarnation))
            return
        node.ending = node.end = None
        node.shared_window.clear()
        for child in node.children.values():
            child.window.clear()
            child.failures = 0
            child.alone = False
            stays = self._recovering and child.down in (Down.QUARANTINED, Down.ENDED)
            if child.down is not Down.TERMINATED and not stays:
                child.down = Down.WAITING
        start = [child for child in node.children.values() if child.down is not Down.ENDED]
        node.round = Round(stop=[], start=start)
        self.go_on(node, now)

    def _up(self, node: Node, now: float) -> None:
        node.status, node.up_since, node.cause = Status.UP, now, None
        node.alone = False
        if node is self.root:
            self._recovering = False
        self.happened(EventKind.STARTED, node)
        for order in _taken(node.start_orders):
            self._act(Settled(order, node.name, node.incarnation))
        self._go_on_above(node, now)

    def _failed_to_start(self, node: Node, end: End, now: float) -> None:
        node.status, node.down = Status.DOWN, Down.WAITING
        group = node.parent
        if node.started_by in (StartedBy.NEW, StartedBy.HAND):
            self.fail_orders(node, FailureCode.CONNECTOR_ERROR, end.reason.text)
            if node.started_by is StartedBy.NEW:
                self.remove(node)
            else:
                node.down, node.cause = Down.TERMINATED, end.reason
            self._go_on_above(node, now)  # its turn may have come meanwhile
            return
        if group is None:
            self._act(RootEnded(Ending.START_FAILED, end))
            return
        first = group.status is Status.STARTING and node.started_by is StartedBy.GROUP
        if group.round is not None and node in group.round.stop:
            pass  # it was to be stopped anyway
        elif first and not self._tries_again(group, end):
            self._end_group(group, Ending.START_FAILED, end, now)
        else:
            node.alone |= first
            self._restart(node, end, now)
        self.go_on(group, now)

    def _tries_again(self, group: Group, end: End) -> bool:
        policy = group.spec.on_start_failure
        if self._recovering or policy is OnStartFailure.RETRY:
            return True
        return policy is OnStartFailure.RETRY_CONNECTION_ERRORS and end.unreachable

    # ---- ending -----------------------------------------------------------------------------

    def _ended(self, node: Node, end: End, now: float) -> None:
        """A child that was up has ended by itself."""
        node.status, node.down = Status.DOWN, Down.WAITING
        group = node.parent
        if group is None:
            assert isinstance(node, Group)
            assert node.ending is not None
            self._act(RootEnded(node.ending, end))
            return
        if now - node.up_since >= node.spec.restart.stable_after:
            node.failures = 0
        restart_type = node.spec.restart_type
        if group.round is not None and node in group.round.stop:
            self.go_on(group, now)  # it was to be stopped anyway
        elif restart_type is RestartType.PERMANENT or (
            restart_type is RestartType.TRANSIENT and not end.normal
        ):
            self._restart(node, end, now)
        else:
            node.down = Down.ENDED
            self.fail_start_orders(node, FailureCode.UNAVAILABLE, "it ended")
            if node.is_temporary:
                self.remove(node)
            if node.spec.significant and self._is_to_shut_down(group):
                self._end_group(group, Ending.AUTO_SHUTDOWN, end, now)
            else:
                self.go_on(group, now)

    def _is_to_shut_down(self, group: Group) -> bool:
        match group.spec.auto_shutdown:
            case AutoShutdown.ANY_SIGNIFICANT:
                return True
            case AutoShutdown.ALL_SIGNIFICANT:
                left = (child for child in group.children.values() if child.spec.significant)
                return all(child.status is Status.DOWN and not child.in_turn for child in left)
        return False

    def stop_node(self, node: Node, now: float, *, brutal: bool = False) -> None:
        """Have a child that is starting or up stop."""
        if isinstance(node, Group):
            self._end_group(node, Ending.ASKED, None, now, brutal=brutal)
            return
        node.status = Status.STOPPING
        self.happened(EventKind.STOPPING, node)
        brutal = brutal or node.spec.shutdown == BRUTAL_KILL
        self._act(StopProcess(node.name, node.incarnation, brutal))

    def _end_group(
        self, group: Group, ending: Ending, end: End | None, now: float, *, brutal: bool = False
    ) -> None:
        """Stop all children of a group, in reverse order, and then the group."""
        if ending is Ending.GAVE_UP:
            assert end is not None
            self.happened(EventKind.GAVE_UP, group, end.reason)
        group.status, group.ending, group.end = Status.STOPPING, ending, end
        self.happened(EventKind.STOPPING, group)
        group.round = Round(stop=list(reversed(group.children.values())), start=[])
        limit = 0.0 if brutal else as_seconds(group.spec.shutdown)
        incarnation = group.incarnation

        def kill(then: float) -> None:
            if group.incarnation == incarnation and group.status is Status.STOPPING:
                self._kill_all(group, then)

        if limit:
            self._timers.add(now + limit, kill)
        self.go_on(group, now)
        if not limit:
            kill(now)

    def _kill_all(self, group: Group, now: float) -> None:
        inner: list[Group] = []
        for node in group.walk():
            if isinstance(node, Group) and node.status in (Status.STARTING, Status.UP):
                # From now on nothing is restarted in it.
                node.status, node.ending, node.end = Status.STOPPING, Ending.ASKED, None
                self.happened(EventKind.STOPPING, node)
                node.round = Round(stop=list(reversed(node.children.values())), start=[])
                inner.append(node)
            elif isinstance(node, System) and node.status in _RUNS:
                if node.status is not Status.STOPPING:
                    node.status = Status.STOPPING
                    self.happened(EventKind.STOPPING, node)
                self._act(StopProcess(node.name, node.incarnation, brutal=True))
        for each in reversed(inner):
            self.go_on(each, now)

    def _stopped(self, node: Node, now: float) -> None:
        """A child that was told to stop has stopped."""
        node.status, node.down = Status.DOWN, Down.WAITING
        self.happened(EventKind.STOPPED, node)
        wish, node.wish = node.wish, None
        if wish is Wish.RESTART and self.may_start(node):
            self.start_node(node, StartedBy.RESTART, now)
            return
        if wish in (Wish.TERMINATE, Wish.REMOVE):
            node.down = Down.TERMINATED
        for order in _taken(node.stop_orders):
            self._act(Settled(order, node.name, node.incarnation))
        never_up = node.started_by is StartedBy.NEW and node.up_since == math.inf
        if not node.in_turn:
            self.fail_start_orders(node, FailureCode.UNAVAILABLE, "it was stopped")
            if wish is Wish.REMOVE or never_up or (wish is Wish.TERMINATE and node.is_temporary):
                self.remove(node)
        self._go_on_above(node, now)

    def is_to_stop(self, node: Node) -> bool:
        """Whether its group is about to stop it."""
        group = node.parent
        if group is None:
            return False
        if group.status not in (Status.STARTING, Status.UP):
            return True
        return group.round is not None and node in group.round.stop

    def may_start(self, node: Node) -> bool:
        """Whether its group runs, and is not about to stop or start it in its turn."""
        group = node.parent
        in_turn = group is not None and group.round is not None and node in group.round.start
        return not in_turn and not self.is_to_stop(node)

    def _group_down(self, group: Group, now: float) -> None:
        ending, end = group.ending, group.end
        for child in group.children.values():
            # Such as one that was to be restarted, and for which the group has given up.
            self.fail_start_orders(child, FailureCode.UNAVAILABLE, "its group ended")
        if ending is Ending.ASKED:
            self._stopped(group, now)
            if group.parent is None:
                self._act(RootEnded(Ending.ASKED, None))
            return
        assert end is not None
        if ending is Ending.START_FAILED:
            self._failed_to_start(group, end, now)
            return
        # OTP: a supervisor that gives up or shuts down itself exits with reason shutdown.
        if group.parent is not None and group.parent.round is not None:
            turns = group.parent.round.start
            if group in turns:  # it ended before it was up, and is not to be started twice
                turns.remove(group)
        self.happened(EventKind.STOPPED, group, end.reason)
        self._ended(group, End(end.reason, normal=True), now)
        self._go_on_above(group, now)  # if it was in its turn, the others go on without it

    # ---- restarting -------------------------------------------------------------------------

    def _restart(self, node: Node, end: End, now: float) -> None:
        """Count a restart of a child that is down; do it, perhaps later, or give up."""
        group = node.parent
        assert group is not None
        node.cause = end.reason
        node.failures += 1
        if not self._may_restart(group, node, now):
            if group.spec.give_up is GiveUp.ESCALATE:
                self._end_group(group, Ending.GAVE_UP, end, now)
            else:
                self._quarantine(node, end.reason, now)
            return
        node.restarts += 1
        node.status = Status.RESTARTING
        delay = backoff_delay(node.spec.restart, node.failures, self._random)
        self.happened(EventKind.RESTARTING, node, end.reason, delay)
        match Strategy.ONE_FOR_ONE if node.alone else group.spec.strategy:
            case Strategy.ONE_FOR_ONE:
                self._start_later(node, now + delay, now)
                return
            case Strategy.ONE_FOR_ALL:
                others = [each for each in group.children.values() if each is not node]
                start = list(group.children.values())
            case Strategy.REST_FOR_ONE:
                others = group.after(node)
                start = [node, *others]
        not_before = now + delay
        if (old := group.round) is not None:
            # It is interrupted. Whatever was still to be done in it is done in the new one.
            children = list(group.children.values())
            others = [each for each in children if each in others or each in old.stop]
            start = [each for each in children if each in start or each in old.start]
            not_before = max(not_before, old.not_before)
            cause = old.cause
            if (
                cause is not None
                and cause.status is Status.RESTARTING
                and cause in start
                and cause not in (node, *others)
            ):
                cause.status, cause.down = Status.DOWN, Down.WAITING
        group.round = Round(stop=others[::-1], start=start, not_before=not_before, cause=node)
        self._timers.add(not_before, lambda then: self.go_on(group, then))
        self.go_on(group, now)

    def _may_restart(self, group: Group, node: Node, now: float) -> bool:
        if group.spec.give_up is GiveUp.ESCALATE:
            return group.shared_window.add(now, group.spec.max_restarts, group.spec.period)
        policy = node.spec.restart
        return node.window.add(now, policy.max_restarts, policy.period)

    def _start_later(self, node: Node, when: float, now: float) -> None:
        if when <= now:
            self.start_node(node, StartedBy.RESTART, now)
            return
        incarnation = node.incarnation

        def start(then: float) -> None:
            is_due = node.incarnation == incarnation and node.status is Status.RESTARTING
            if is_due and not self.is_to_stop(node):
                self.start_node(node, StartedBy.RESTART, then)

        self._timers.add(when, start)

    def _quarantine(self, node: Node, reason: Reason, now: float) -> None:
        node.status, node.down = Status.DOWN, Down.QUARANTINED
        self.happened(EventKind.QUARANTINED, node, reason)
        self.fail_start_orders(node, FailureCode.UNAVAILABLE, f"quarantined: {reason.text}")
        self._go_on_above(node, now)  # the others go on without it

    # ---- rounds -----------------------------------------------------------------------------

    def go_on(self, group: Group, now: float) -> None:
        """Take the next steps of a group's round, as far as they need no waiting."""
        while (round_ := group.round) is not None:
            if round_.stop:
                if not self._stop_next(round_, now):
                    return
            elif now < round_.not_before:
                return
            elif round_.start:
                if not self._start_next(round_, now):
                    return
            else:
                group.round = None
                if group.status is Status.STARTING:
                    self._up(group, now)
                elif group.status is Status.STOPPING:
                    self._group_down(group, now)

    def _stop_next(self, round_: Round, now: float) -> bool:
        """False while it is being stopped."""
        node = round_.stop[0]
        if node.status in (Status.STARTING, Status.UP):
            self.stop_node(node, now)
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

    def _start_next(self, round_: Round, now: float) -> bool:
        """False while it is being started."""
        node = round_.start[0]
        if node is round_.cause and node.status is Status.RESTARTING and not node.alone:
            node.status, node.down = Status.DOWN, Down.WAITING
        if node.in_turn:
            self.start_node(node, StartedBy.GROUP, now)
            return True
        if node.status in (Status.STARTING, Status.STOPPING) and not node.alone:
            return False
        round_.start.remove(node)
        return True

    def _go_on_above(self, node: Node, now: float) -> None:
        if node.parent is not None:
            self.go_on(node.parent, now)

    # ---- details ----------------------------------------------------------------------------

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
        for order in _taken(node.stop_orders):
            self._act(Settled(order, node.name, node.incarnation))

    def fail_start_orders(self, node: Node, code: FailureCode, text: str) -> None:
        for order in _taken(node.start_orders):
            self._act(Settled(order, node.name, node.incarnation, (code, text)))


def _taken(orders: list[object]) -> list[object]:
    taken = orders[:]
    orders.clear()
    return taken
