"""Who is started, stopped, restarted and given up, in which order: OTP's supervisor. Pure.

Events and orders go in, at the time that its timers have, actions come out
(:data:`~supervisor.tree.decisions.TreeAction`). The words and the rules are those of
https://www.erlang.org/doc/apps/stdlib/supervisor.html; docs/supervision.rst says where
they differ.

What OTP does in one go, such as stopping and starting all children of a group, takes time
here: it is a :class:`~supervisor.tree.nodes.Round`, which goes on whenever a child is up or
down. Orders and exits are dealt with meanwhile.
"""

from __future__ import annotations

import math

from actors.messages import FailureCode, Reason
from actors.resilience.backoff import BackoffPolicy, backoff_delay
from supervisor.messages import EventKind
from supervisor.specs.policies import (
    BRUTAL_KILL,
    GiveUp,
    OnStartFailure,
    RestartType,
    Strategy,
    as_seconds,
)
from supervisor.tree.branches import Branches
from supervisor.tree.decisions import RootEnded, StartProcess, StopProcess
from supervisor.tree.nodes import (
    Down,
    End,
    Ending,
    Group,
    Node,
    Round,
    StartedBy,
    Status,
    System,
    Wish,
)

_RUNS = (Status.STARTING, Status.UP, Status.STOPPING)


class Tree(Branches):
    # ---- from outside -----------------------------------------------------------------------

    def start(self, *, recovering: bool = False) -> None:
        """Start the whole tree.

        Args:
            recovering: it was up before. A child that cannot be started is tried again,
                whatever its group says, and one that is in quarantine, or has ended, stays so.
        """
        self._recovering = recovering
        self.start_node(self.root, StartedBy.GROUP)

    def stop(self) -> None:
        """Stop the whole tree, in reverse order."""
        self.root.end = None
        if self.root.status is Status.STOPPING:
            self.root.ending = Ending.ASKED
        elif self.root.status is not Status.DOWN:
            self.stop_node(self.root)

    def started(self, name: str, incarnation: int) -> None:
        """A system is built."""
        node = self.nodes.get(name)
        if node is not None and node.incarnation == incarnation and node.status is Status.STARTING:
            self._up(node)

    def exited(self, name: str, incarnation: int, end: End) -> None:
        """A system's process has ended. A notice of an earlier incarnation, or the same
        notice twice, changes nothing."""
        node = self.nodes.get(name)
        if node is None or node.incarnation != incarnation:
            return
        match node.status:
            case Status.STARTING:
                self._failed_to_start(node, end)
            case Status.UP:
                self._ended(node, end)
            case Status.STOPPING:
                self._stopped(node)

    # ---- starting ---------------------------------------------------------------------------

    def start_node(self, node: Node, started_by: StartedBy) -> None:
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
        self.go_on(node)

    def _up(self, node: Node) -> None:
        node.status, node.up_since, node.cause = Status.UP, self.now, None
        node.alone = False
        if node is self.root:
            self._recovering = False
        self.happened(EventKind.STARTED, node)
        self.settle(node.start_orders, node)
        self._go_on_above(node)

    def _failed_to_start(self, node: Node, end: End) -> None:
        node.status, node.down = Status.DOWN, Down.WAITING
        group = node.parent
        if node.started_by in (StartedBy.NEW, StartedBy.HAND):
            self.fail_orders(node, FailureCode.CONNECTOR_ERROR, end.reason.text)
            if node.started_by is StartedBy.NEW:
                self.remove(node)
            else:
                node.down, node.cause = Down.TERMINATED, end.reason
            self._go_on_above(node)  # its turn may have come meanwhile
            return
        if group is None:
            self._act(RootEnded(Ending.START_FAILED, end))
            return
        first = group.status is Status.STARTING and node.started_by is StartedBy.GROUP
        if group.round is not None and node in group.round.stop:
            pass  # it was to be stopped anyway
        elif first and not self._tries_again(group, end):
            self._end_group(group, Ending.START_FAILED, end)
        elif first and node.is_temporary:
            self.remove(node)  # never restarted
        else:
            node.alone |= first
            self._restart(node, end)
        self.go_on(group)

    def _tries_again(self, group: Group, end: End) -> bool:
        policy = group.spec.on_start_failure
        if self._recovering or policy is OnStartFailure.RETRY:
            return True
        return policy is OnStartFailure.RETRY_CONNECTION_ERRORS and end.unreachable

    # ---- ending -----------------------------------------------------------------------------

    def _ended(self, node: Node, end: End) -> None:
        """A child that was up has ended by itself."""
        node.status, node.down = Status.DOWN, Down.WAITING
        group = node.parent
        if group is None:
            assert isinstance(node, Group)
            assert node.ending is not None
            self._act(RootEnded(node.ending, end))
            return
        if self.now - node.up_since >= node.spec.restart.stable_after:
            node.failures = 0
        restart_type = node.spec.restart_type
        if group.round is not None and node in group.round.stop:
            self.go_on(group)  # it was to be stopped anyway
        elif restart_type is RestartType.PERMANENT or (
            restart_type is RestartType.TRANSIENT and not end.normal
        ):
            self._restart(node, end)
        else:
            node.down = Down.ENDED
            self.fail_start_orders(node, FailureCode.UNAVAILABLE, "it ended")
            if node.is_temporary:
                self.remove(node)
            if node.spec.significant and group.is_to_shut_down():
                self._end_group(group, Ending.AUTO_SHUTDOWN, end)
            else:
                self.go_on(group)

    def stop_node(self, node: Node) -> None:
        """Have a child that is starting or up stop."""
        if isinstance(node, Group):
            self._end_group(node, Ending.ASKED, None)
            return
        self._is_stopping(node)
        brutal = node.spec.shutdown == BRUTAL_KILL
        self._act(StopProcess(node.name, node.incarnation, brutal))

    def _is_stopping(self, node: Node) -> None:
        node.status = Status.STOPPING
        self.happened(EventKind.STOPPING, node)

    def _is_ending(self, group: Group, ending: Ending, end: End | None) -> None:
        """From now on nothing is started in it, and all that is in it is to be stopped."""
        group.ending, group.end = ending, end
        self._is_stopping(group)
        group.round = Round(stop=list(reversed(group.children.values())), start=[])

    def _end_group(self, group: Group, ending: Ending, end: End | None) -> None:
        """Stop all children of a group, in reverse order, and then the group."""
        if ending is Ending.GAVE_UP:
            assert end is not None
            self.happened(EventKind.GAVE_UP, group, end.reason)
        self._is_ending(group, ending, end)
        limit = as_seconds(group.spec.shutdown)
        incarnation = group.incarnation

        def kill() -> None:
            if group.incarnation == incarnation and group.status is Status.STOPPING:
                self._kill_all(group)

        if limit:
            self._timers.after(limit, kill)
        self.go_on(group)
        if not limit:
            kill()

    def _kill_all(self, group: Group) -> None:
        inner: list[Group] = []
        for node in group.walk():
            if isinstance(node, Group) and node.status in (Status.STARTING, Status.UP):
                self._is_ending(node, Ending.ASKED, None)
                inner.append(node)
            elif isinstance(node, System) and node.status in _RUNS:
                if node.status is not Status.STOPPING:
                    self._is_stopping(node)
                self._act(StopProcess(node.name, node.incarnation, brutal=True))
        for each in reversed(inner):
            self.go_on(each)

    def _stopped(self, node: Node) -> None:
        """A child that was told to stop has stopped."""
        node.status, node.down = Status.DOWN, Down.WAITING
        self.happened(EventKind.STOPPED, node)
        wish, node.wish = node.wish, None
        if wish is Wish.RESTART and node.parent is not None and node.parent.may_start(node):
            self.start_node(node, StartedBy.RESTART)
            return
        if wish in (Wish.TERMINATE, Wish.REMOVE):
            node.down = Down.TERMINATED
        self.settle(node.stop_orders, node)
        never_up = node.started_by is StartedBy.NEW and node.up_since == math.inf
        if not node.in_turn:
            self.fail_start_orders(node, FailureCode.UNAVAILABLE, "it was stopped")
            if wish is Wish.REMOVE or never_up or (wish is Wish.TERMINATE and node.is_temporary):
                self.remove(node)
        self._go_on_above(node)

    def _group_down(self, group: Group) -> None:
        ending, end = group.ending, group.end
        for child in group.children.values():
            # Such as one that was to be restarted, and for which the group has given up.
            self.fail_start_orders(child, FailureCode.UNAVAILABLE, "its group ended")
        if ending is Ending.ASKED:
            self._stopped(group)
            if group.parent is None:
                self._act(RootEnded(Ending.ASKED, None))
            return
        assert end is not None
        if ending is Ending.START_FAILED:
            self._failed_to_start(group, end)
            return
        # OTP: a supervisor that gives up or shuts down itself exits with reason shutdown.
        round_ = group.parent.round if group.parent else None
        if round_ is not None and group in round_.start and group not in round_.stop:
            # It ended before it was up, and is not to be started twice.
            round_.start.remove(group)
        self.happened(EventKind.STOPPED, group, end.reason)
        self._ended(group, End(end.reason, normal=True))
        self._go_on_above(group)  # if it was in its turn, the others go on without it

    # ---- restarting -------------------------------------------------------------------------

    def _restart(self, node: Node, end: End) -> None:
        """Count a restart of a child that is down; do it, perhaps later, or give up."""
        group = node.parent
        assert group is not None
        node.cause = end.reason
        node.failures += 1
        # A counterpart that is not there yet is no bug: wait for it as long as it takes.
        is_awaited = node.alone and end.unreachable
        if not is_awaited and not group.may_restart(node, self.now):
            if group.spec.give_up is GiveUp.ESCALATE:
                self._end_group(group, Ending.GAVE_UP, end)
            else:
                self._quarantine(node, end.reason)
            return
        node.restarts += 1
        node.status = Status.RESTARTING
        policy: BackoffPolicy = node.spec.restart
        if is_awaited and isinstance(node, System):
            policy = node.spec.reconnect
        delay = backoff_delay(policy, node.failures, self._random)
        self.happened(EventKind.RESTARTING, node, end.reason, delay)
        if node.alone or group.spec.strategy is Strategy.ONE_FOR_ONE:
            self._start_later(node, delay)
            return
        group.round = group.round_for(node, self.now + delay)
        self._timers.at(group.round.not_before, lambda: self.go_on(group))
        self.go_on(group)

    def _start_later(self, node: Node, delay: float) -> None:
        if not delay:
            self.start_node(node, StartedBy.RESTART)
            return
        incarnation, group = node.incarnation, node.parent
        assert group is not None

        def start() -> None:
            is_due = node.incarnation == incarnation and node.status is Status.RESTARTING
            if is_due and not group.is_to_stop(node):
                self.start_node(node, StartedBy.RESTART)

        self._timers.after(delay, start)

    def _quarantine(self, node: Node, reason: Reason) -> None:
        node.status, node.down = Status.DOWN, Down.QUARANTINED
        self.happened(EventKind.QUARANTINED, node, reason)
        self.fail_start_orders(node, FailureCode.UNAVAILABLE, f"quarantined: {reason.text}")
        self._go_on_above(node)  # the others go on without it

    # ---- rounds -----------------------------------------------------------------------------

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
                    self._up(group)
                elif group.status is Status.STOPPING:
                    self._group_down(group)

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
            self.start_node(node, StartedBy.GROUP)
            return True
        if node.status in (Status.STARTING, Status.STOPPING) and not node.alone:
            return False
        round_.start.remove(node)
        return True

    def _go_on_above(self, node: Node) -> None:
        if node.parent is not None:
            self.go_on(node.parent)
