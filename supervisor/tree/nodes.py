"""The supervision tree as data: groups and systems, and how each stands. Pure."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator
from typing import Any

import attrs

from actors.messages import FailureCode, Reason
from supervisor.specs.policies import AutoShutdown, GiveUp, RestartType, Strategy
from supervisor.specs.restarts import RestartWindow
from supervisor.specs.spec import ChildSpec, GroupSpec, SystemSpec


class Status(enum.Enum):
    """Where a child stands."""

    DOWN = enum.auto()
    STARTING = enum.auto()
    UP = enum.auto()
    STOPPING = enum.auto()
    RESTARTING = enum.auto()
    """It does not run, and is to be started again: after a delay, or in its turn."""


class Down(enum.Enum):
    """Why a child is DOWN."""

    WAITING = enum.auto()
    """It is started when its turn comes, or was added by a change of specs."""
    TERMINATED = enum.auto()
    """By hand. It stays so whatever is restarted around it."""
    ENDED = enum.auto()
    """By itself, for good; like OTP, a restart of its whole group starts it again."""
    QUARANTINED = enum.auto()


class Wish(enum.Enum):
    """What somebody wants of a child that is being stopped."""

    TERMINATE = enum.auto()
    REMOVE = enum.auto()
    RESTART = enum.auto()


class StartedBy(enum.Enum):
    """What a failed start means depends on who asked for it."""

    GROUP = enum.auto()
    """Its group, while it starts itself or restarts several."""
    RESTART = enum.auto()
    """A restart of this child alone."""
    NEW = enum.auto()
    """By hand, as a new child: if it fails, nothing is left of it."""
    HAND = enum.auto()
    """By hand, from a spec that is kept."""


@attrs.frozen
class End:
    """How a child ended, or why it did not start."""

    reason: Reason
    normal: bool = False
    """In order, as OTP's ``normal`` and ``shutdown``; of a start, as its ``ignore``."""
    unreachable: bool = False
    """It did not start because its counterpart could not be reached."""
    code: FailureCode = FailureCode.CONNECTOR_ERROR
    """What to answer whoever asked for a start that failed."""

    def of(self, name: str) -> End:
        """The same as the end of a group: which of its children brought it about. OTP nests
        it likewise, as ``{failed_to_start_child, Id, Reason}``."""
        text = f"{name}: {self.reason.text}"
        return attrs.evolve(self, reason=attrs.evolve(self.reason, text=text))


class Ending(enum.Enum):
    """Why a group stops."""

    ASKED = enum.auto()
    START_FAILED = enum.auto()
    GAVE_UP = enum.auto()
    SET_ASIDE = enum.auto()
    """It cannot do without a child that is in quarantine, and goes there as a whole."""
    AUTO_SHUTDOWN = enum.auto()


@attrs.define(eq=False, kw_only=True)
class Round:
    """Children that a group is stopping, then starting, one after the other."""

    stop: list[Node]
    """Those still to be stopped, in that order."""
    start: list[Node]
    """Those still to be started, in that order."""
    not_before: float = -math.inf
    """When starting may begin."""
    cause: Node | None = None
    """The child that is restarted, if it is for a restart."""


@attrs.define(eq=False, kw_only=True)
class Node:
    """One child; the root group is one as well."""

    spec: ChildSpec
    parent: Group | None
    status: Status = Status.DOWN
    down: Down = Down.WAITING
    wish: Wish | None = None
    """Set while STOPPING."""
    started_by: StartedBy = StartedBy.GROUP
    turn_by: StartedBy = StartedBy.GROUP
    """Who asked for its start, while it waits for its turn in a round."""
    incarnation: int = 0
    up_since: float = math.inf
    """``math.inf`` if this incarnation was never up."""
    restarts: int = 0
    failures: int = 0
    """In a row, without a stable time between them."""
    restart_at: float = -math.inf
    """When it is to be started again, or was, the last time that it was restarted."""
    alone: bool = False
    """It could not be started with its group, and is tried again by itself, while its
    siblings go on without it."""
    window: RestartWindow = attrs.field(factory=RestartWindow)
    """Of its own restarts, for a group that gives up by quarantine."""
    cause: Reason | None = None
    """Of the last restart or quarantine."""
    start_orders: list[Any] = attrs.field(factory=list)
    """Whoever waits until it is up."""
    stop_orders: list[Any] = attrs.field(factory=list)
    """Whoever waits until it is down."""

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def is_temporary(self) -> bool:
        return self.spec.restart_type is RestartType.TEMPORARY

    @property
    def is_startable(self) -> bool:
        """Whether it is down, and its group may start it."""
        return self.status is Status.DOWN and self.down in (Down.WAITING, Down.ENDED)

    @property
    def comes_with_all(self) -> bool:
        """Whether it is down, and comes up with the whole tree."""
        waits = self.status is Status.DOWN and self.down is Down.WAITING
        return waits and (self.parent is None or self.parent.comes_with_all)

    @property
    def is_to_stay_down(self) -> bool:
        """Whether it is not meant to run: it was terminated, is being, or has ended."""
        if self.status is Status.DOWN:
            return self.down in (Down.TERMINATED, Down.ENDED)
        return self.wish in (Wish.TERMINATE, Wish.REMOVE)

    @property
    def in_turn(self) -> bool:
        """Whether it is down, and its group is about to start it."""
        round_ = self.parent.round if self.parent else None
        return self.is_startable and round_ is not None and self in round_.start

    @property
    def is_quarantined(self) -> bool:
        """Whether it is, or a group around it."""
        if self.status is not Status.DOWN:
            return False
        if self.down is Down.QUARANTINED:
            return True
        return self.down is Down.WAITING and self.parent is not None and self.parent.is_quarantined

    @property
    def is_restarting(self) -> bool:
        """Whether it does not run just now, and comes up again by itself: OTP's
        ``restarting``. For one that comes up for the first time, or by hand, OTP waits."""
        match self.status:
            case Status.RESTARTING:
                return True
            case Status.STOPPING:
                return self.is_coming
            case Status.STARTING if self.started_by is StartedBy.GROUP:
                group = self.parent
                if group is not None and group.status is Status.STARTING:
                    return group.is_restarting
                return self.incarnation > 1
            case Status.STARTING:
                return self.started_by is StartedBy.RESTART
            case Status.DOWN:
                by_itself = self.turn_by in (StartedBy.GROUP, StartedBy.RESTART)
                return self.in_turn and by_itself and self.incarnation > 0
        return False

    @property
    def held_up_by(self) -> Node | None:
        """Whose restart it waits for, its own or another's: it does not come up at once."""
        group = self.parent
        if self.status is Status.RESTARTING:
            return self
        if group is None or not self.is_coming:
            return None
        if group.round is not None and self in group.round.start:
            cause = group.round.cause
            return cause if cause is not None and cause.status is Status.RESTARTING else None
        return None if group.status in (Status.STARTING, Status.UP) else group.held_up_by

    @property
    def is_coming(self) -> bool:
        """Whether it comes up by itself, soon: whoever needs it may wait."""
        group = self.parent
        above = group is not None and group.status is not Status.UP and group.is_coming
        match self.status:
            case Status.STARTING | Status.RESTARTING:
                return True
            case Status.STOPPING if self.wish is None:
                round_ = group.round if group is not None else None
                return above or (round_ is not None and self in round_.start)
            case Status.STOPPING:
                return self.wish is Wish.RESTART
            case Status.DOWN if self.down is Down.WAITING:
                return self.in_turn or above
        return False


@attrs.define(eq=False, kw_only=True)
class System(Node):
    spec: SystemSpec
    parent: Group


@attrs.define(eq=False, kw_only=True)
class Group(Node):
    spec: GroupSpec
    children: dict[str, Node] = attrs.field(factory=dict)
    """In the order of their start."""
    round: Round | None = None
    shared_window: RestartWindow = attrs.field(factory=RestartWindow)
    """Of all restarts in it, for a group that gives up by escalation."""
    ending: Ending | None = None
    """Set while STOPPING."""
    end: End | None = None
    """What made it end, if it was not asked to."""

    def walk(self) -> Iterator[Node]:
        """It and all that is in it, at any depth."""
        yield self
        for child in self.children.values():
            if isinstance(child, Group):
                yield from child.walk()
            else:
                yield child

    def is_to_stop(self, node: Node) -> bool:
        """Whether it is about to stop this child."""
        if self.status not in (Status.STARTING, Status.UP):
            return True
        return self.round is not None and node in self.round.stop

    def goes_along(self) -> bool:
        """Whether it goes down with a child that is set aside: the others cannot do without
        that."""
        if self.spec.give_up is GiveUp.ESCALATE:
            return self.spec.strategy is not Strategy.ONE_FOR_ONE
        return self.spec.give_up is GiveUp.QUARANTINE_GROUP

    def may_start(self, node: Node) -> bool:
        """Whether it runs, and is not about to stop this child, nor to start it in its
        turn."""
        in_turn = self.round is not None and node in self.round.start
        return not in_turn and not self.is_to_stop(node)

    def is_to_shut_down(self) -> bool:
        """Whether it ends itself, now that a significant child has ended by itself."""
        match self.spec.auto_shutdown:
            case AutoShutdown.ANY_SIGNIFICANT:
                return True
            case AutoShutdown.ALL_SIGNIFICANT:
                left = (child for child in self.children.values() if child.spec.significant)
                return all(child.status is Status.DOWN and not child.in_turn for child in left)
        return False

    def may_restart(self, node: Node, now: float) -> bool:
        """Count a restart of this child; whether its budget allows it."""
        if self.spec.give_up is GiveUp.ESCALATE:
            return self.shared_window.add(now, self.spec.max_restarts, self.spec.period)
        policy = node.spec.restart
        return node.window.add(now, policy.max_restarts, policy.period)

    def round_for(self, node: Node, not_before: float) -> Round:
        """What is to be stopped and started, by the strategy, to restart this child. What a
        round that this one interrupts had still to do is done in it."""
        children = list(self.children.values())
        first = 0 if self.spec.strategy is Strategy.ONE_FOR_ALL else children.index(node)
        stop = [each for each in children[first:] if each is not node]
        start = children[first:]
        if (old := self.round) is not None:
            stop = [each for each in children if each in stop or each in old.stop]
            start = [each for each in children if each in start or each in old.start]
            not_before = max(not_before, old.not_before)
            cause = old.cause
            if (
                cause is not None
                and cause.status is Status.RESTARTING
                and cause in start
                and cause not in (node, *stop)
            ):
                cause.status, cause.down = Status.DOWN, Down.WAITING
        return Round(stop=stop[::-1], start=start, not_before=not_before, cause=node)

    def round_with(self, node: Node) -> Round:
        """The present round, with one more child that is to be started in its turn."""
        assert self.round is not None
        start = [each for each in self.children.values() if each in (node, *self.round.start)]
        return attrs.evolve(self.round, start=start)

    def round_after(self, node: Node) -> Round | None:
        """What is to be restarted because this child has come up late: those after it, which
        were started without what they need. None if nobody was."""
        children = list(self.children.values())
        later = [each for each in children[children.index(node) + 1 :] if not each.alone]
        running = [
            each for each in later if each.status in (Status.STARTING, Status.UP, Status.STOPPING)
        ]
        if not running or self.spec.strategy is Strategy.ONE_FOR_ONE:
            return None
        old = self.round or Round(stop=[], start=[])
        stop = [each for each in children if each in running or each in old.stop]
        start = [each for each in children if each in later or each in old.start]
        return attrs.evolve(old, stop=stop[::-1], start=start)
