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

from actors.messages import FailureCode
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
from supervisor.tree.rounds import Rounds

_RUNS = (Status.STARTING, Status.UP, Status.STOPPING)


class Tree(Rounds):
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
            self.child_up(node)

    def exited(self, name: str, incarnation: int, end: End) -> None:
        """A system's process has ended. A notice of an earlier incarnation, or the same
        notice twice, changes nothing."""
        node = self.nodes.get(name)
        if node is None or node.incarnation != incarnation:
            return
        match node.status:
            case Status.STARTING if end.normal:
                self._ignored(node)
            case Status.STARTING:
                self._failed_to_start(node, end)
            case Status.UP:
                self._ended(node, end)
            case Status.STOPPING:
                self._stopped(node, None if end.normal else end)

    # ---- starting ---------------------------------------------------------------------------

    def start_in_turn(self, node: Node, started_by: StartedBy) -> None:
        """Start a child that is down: at once, or, while its group starts or restarts others,
        after those that it may need."""
        group = node.parent
        assert group is not None
        if group.round is None:
            self.start_node(node, started_by)
            return
        node.turn_by = started_by
        group.round = group.round_with(node)
        self.go_on(group)

    def start_node(self, node: Node, started_by: StartedBy) -> None:
        node.incarnation += 1
        node.status, node.started_by, node.wish = Status.STARTING, started_by, None
        node.turn_by = StartedBy.GROUP
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

    def child_up(self, node: Node) -> None:
        node.status, node.up_since, node.cause = Status.UP, self.now, None
        is_late, node.alone = node.alone, False
        if node is self.root:
            self._recovering = False
        self.happened(EventKind.STARTED, node)
        self.settle(node.start_orders, node)
        group = node.parent
        if is_late and group is not None and not group.is_to_stop(node):
            group.round = group.round_after(node) or group.round
        self.go_on_above(node)

    def _ignored(self, node: Node) -> None:
        """It started and ended in order, in one: OTP's ``ignore``. That is no failure; its
        spec is kept, unless it is temporary."""
        node.status, node.down = Status.DOWN, Down.ENDED
        node.alone = False
        self.settle(node.start_orders, node)
        _leave_turn(node)
        if node.is_temporary:
            self.remove(node)
        self.go_on_above(node)

    def _failed_to_start(self, node: Node, end: End) -> None:
        node.status, node.down = Status.DOWN, Down.WAITING
        group = node.parent
        if node.started_by in (StartedBy.NEW, StartedBy.HAND):
            self.fail_start(node, end)
            if node.started_by is StartedBy.NEW:
                self.remove(node)
            else:
                node.down, node.cause = Down.TERMINATED, end.reason
            self.go_on_above(node)  # its turn may have come meanwhile
            return
        if group is None:
            self._act(RootEnded(Ending.START_FAILED, end))
            return
        first = group.status is Status.STARTING and node.started_by is StartedBy.GROUP
        tries_again = self._tries_again(group, end)
        if group.round is not None and node in group.round.stop:
            pass  # it was to be stopped anyway
        elif first and not tries_again:
            self._end_group(group, Ending.START_FAILED, end.of(node.name))
        elif first and node.is_temporary:
            self.remove(node)  # never restarted
        else:
            # A counterpart that is away is waited for in the same way whenever it is: the
            # others go on.
            node.alone |= first or (end.unreachable and tries_again)
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
                self._end_group(group, Ending.AUTO_SHUTDOWN, end.of(node.name))
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

    def _stopped(self, node: Node, wrong: End | None = None) -> None:
        """A child that was told to stop has stopped. What went wrong with that is told, and
        nothing follows from it: OTP's ``shutdown_error``."""
        node.status, node.down = Status.DOWN, Down.WAITING
        self.happened(EventKind.STOPPED, node, wrong.reason if wrong is not None else None)
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
        self.go_on_above(node)

    def group_down(self, group: Group) -> None:
        ending, end = group.ending, group.end
        for child in list(group.children.values()):
            # Such as one that was to be restarted, and for which the group has given up.
            self.fail_start_orders(child, FailureCode.UNAVAILABLE, "its group ended")
            self.forget_turn(child)
        if ending is Ending.ASKED:
            self._stopped(group)
            if group.parent is None:
                self._act(RootEnded(Ending.ASKED, None))
            return
        assert end is not None
        if ending is Ending.START_FAILED:
            self._failed_to_start(group, end)
            return
        _leave_turn(group)
        self.happened(EventKind.STOPPED, group, end.reason)
        if ending is Ending.SET_ASIDE:
            self._quarantine(group, end)
            return
        # OTP: a supervisor that gives up or shuts down itself exits with reason shutdown.
        self._ended(group, End(end.reason, normal=True))
        self.go_on_above(group)  # if it was in its turn, the others go on without it

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
                self._end_group(group, Ending.GAVE_UP, end.of(node.name))
            else:
                self._quarantine(node, end)
            return
        node.restarts += 1
        node.status = Status.RESTARTING
        policy: BackoffPolicy = node.spec.restart
        if is_awaited and isinstance(node, System):
            policy = node.spec.reconnect
        delay = backoff_delay(policy, node.failures, self._random)
        node.restart_at = self.now + delay
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

    def _quarantine(self, node: Node, end: End) -> None:
        """Set a child aside, and with it a group whose others cannot do without it."""
        group, reason = node.parent, end.reason
        assert group is not None
        node.status, node.down, node.cause = Status.DOWN, Down.QUARANTINED, reason
        self.happened(EventKind.QUARANTINED, node, reason)
        self.fail_start_orders(node, FailureCode.UNAVAILABLE, f"quarantined: {reason.text}")
        if group.goes_along() and group.status in (Status.STARTING, Status.UP):
            # Nobody is there to set the root aside; and who escalates leaves it to others.
            escalates = group.parent is None or group.spec.give_up is GiveUp.ESCALATE
            ending = Ending.GAVE_UP if escalates else Ending.SET_ASIDE
            self._end_group(group, ending, end.of(node.name))
        else:
            self.go_on(group)  # the others go on without it


def _leave_turn(node: Node) -> None:
    """It has ended before it was up, and is not to be started twice in one round."""
    round_ = node.parent.round if node.parent else None
    if round_ is not None and node in round_.start and node not in round_.stop:
        round_.start.remove(node)
