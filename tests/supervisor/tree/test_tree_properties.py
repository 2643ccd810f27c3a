"""Whatever happens to a tree, in whatever order and in the middle of anything, a few things
always hold, and with time it comes to rest as it should."""

from __future__ import annotations

import sys

import pytest
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from supervisor.messages import EventKind
from supervisor.specs.policies import AutoShutdown, Strategy
from supervisor.tree.decisions import Happened, RootEnded, TreeAction
from supervisor.tree.nodes import Down, Ending, Group, Node, StartedBy, Status
from tests.helpers.grove import BUG, IN_ORDER, REFUSED, Grove, Outcome, Process
from tests.helpers.looking import long, quick
from tests.helpers.trees import SHUTDOWNS, groups, systems

PICK = st.integers(0, 1000)
ENDS = st.sampled_from([BUG, IN_ORDER, REFUSED])
BY_HAND = (StartedBy.HAND, StartedBy.NEW)


class Interleavings(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.orders = 0
        self.asked: set[int] = set()
        self.names = 0
        self.stopped = False
        self.killing = False
        self.not_started: set[str] = set()
        """Added by a change of specs, and not started since."""
        self.changed: set[str] = set()
        """Groups whose order was changed, perhaps in the middle of a round: that goes on."""

    @initialize(spec=groups("r", 3, shutdowns=SHUTDOWNS), is_up=st.booleans())
    def begin(self, spec, is_up: bool) -> None:
        self.grove = Grove(spec)
        self.grove.watch = self._watch
        self.grove.tree.start()
        if is_up:
            self.grove.settle(lambda name: Outcome.WORKS)

    running = precondition(lambda self: self.grove.ended is None)

    # ---- what happens, in any order ---------------------------------------------------------

    @running
    @rule(number=PICK)
    def one_is_built(self, number: int) -> None:
        if process := self._pick(number, lambda each: not each.up and not each.told):
            self.grove.built(process.name)

    @running
    @rule(count=st.integers(1, 6))
    def some_do_as_they_are_told(self, count: int) -> None:
        for process in list(self.grove.processes.values())[:count]:
            if self.grove.processes.get(process.name) is not process:
                continue
            if process.told:
                self.grove.exits(process.name, IN_ORDER)
            elif not process.up:
                self.grove.built(process.name)

    @running
    @rule(number=PICK)
    def one_that_is_up_crashes(self, number: int) -> None:
        if process := self._pick(number, lambda each: each.up and not each.told):
            self.grove.exits(process.name, BUG)

    @running
    @rule(number=PICK)
    def one_is_built_too_late(self, number: int) -> None:
        if process := self._pick(number, lambda each: not each.up and bool(each.told)):
            self._changes_nothing(
                lambda: self.grove.tree.started(process.name, process.incarnation)
            )

    @running
    @rule(number=PICK, end=ENDS)
    def one_exits(self, number: int, end) -> None:
        if process := self._pick(number, lambda each: True):
            if process.up or process.told:
                self.grove.exits(process.name, end)
            else:
                self.grove.fails(process.name, end)

    @running
    @rule(number=PICK, end=ENDS, back=st.integers(1, 3))
    def an_old_notice_comes_again(self, number: int, end, back: int) -> None:
        names = [name for name in self.grove.newest if name in self.grove.tree.nodes]
        if not names:
            return
        name = names[number % len(names)]
        incarnation = self.grove.newest[name] - back + (name not in self.grove.processes)
        tree = self.grove.tree
        self._changes_nothing(lambda: tree.exited(name, incarnation, end))
        self._changes_nothing(lambda: tree.started(name, incarnation))

    @rule(seconds=st.sampled_from([0.0, 1e-6, 0.5, 1.0, 6.0]))
    def time_passes(self, seconds: float) -> None:
        self.grove.advance(seconds)

    @running
    @rule(
        number=PICK,
        what=st.sampled_from(
            ["terminate_child", "restart_child", "restart", "remove_child", "delete_child"]
        ),
    )
    def somebody_orders(self, number: int, what: str) -> None:
        names = list(self.grove.tree.nodes)
        self._order(what, names[number % len(names)])

    @running
    @rule(number=PICK, data=st.data())
    def somebody_adds_a_child(self, number: int, data) -> None:
        spec = self._new_child(data, AutoShutdown.NEVER)
        found = self.grove.groups()
        self._order("start_child", spec, found[number % len(found)].name)

    @running
    @rule(number=PICK, data=st.data())
    def somebody_changes_specs(self, number: int, data) -> None:
        found = self.grove.groups()
        group = found[number % len(found)]
        auto = group.spec.auto_shutdown
        children = [
            data.draw(systems(each, auto))
            for each in data.draw(st.permutations([*group.children]))
            if each not in {other.name for other in found} and data.draw(st.booleans())
        ]
        if data.draw(st.booleans()):
            children.append(self._new_child(data, auto))
            self.not_started.add(children[-1].name)
        self.changed.add(group.name)
        spec = data.draw(groups(group.name, 1, AutoShutdown.NEVER, tuple(children), SHUTDOWNS))
        self.grove.by_hand(lambda: self.grove.hand.change_specs(spec))

    @precondition(lambda self: self.grove.ended is None)
    @rule(chance=st.integers(0, 4))
    def all_is_stopped(self, chance: int) -> None:
        if chance == 0:
            self.stopped = True
            self.grove.tree.stop()

    # ---- what always holds ------------------------------------------------------------------

    def _watch(self, action: TreeAction) -> None:
        match action:
            case Happened(EventKind.STARTING, name):
                self.not_started.discard(name)
                self._starts_in_its_turn(self.grove.tree.nodes[name])
            case Happened(EventKind.STOPPING, name):
                self._stops_in_its_turn(self.grove.tree.nodes[name])
            case RootEnded(ending):
                assert not self.stopped or ending is Ending.ASKED

    def _starts_in_its_turn(self, node: Node) -> None:
        group = node.parent
        if group is None:
            return
        assert group.status in (Status.STARTING, Status.UP), "it starts in a group that stops"
        if node.started_by is StartedBy.RESTART or (
            node.started_by is not StartedBy.GROUP and group.round is None
        ):
            return
        assert group.round is not None
        assert not group.round.stop, "it starts while others are still to be stopped"
        assert group.round.start[0] is node, "it is not its turn"
        if group.name in self.changed:
            return  # the order may have changed in the middle of a round
        siblings = list(group.children.values())
        by_hand = node.started_by is not StartedBy.GROUP
        # Who is started by hand waits for those before it.
        others = siblings[: siblings.index(node)] if by_hand else siblings
        for other in others:
            nobody_waits = other.alone or other.started_by is not StartedBy.GROUP
            is_before = other is not node and other.status is Status.STARTING
            assert nobody_waits or not is_before, f"{other.name} is not up yet"
        turns = [each for each in group.children.values() if each in group.round.start]
        assert group.round.start == turns, "they are not in their order"

    def _stops_in_its_turn(self, node: Node) -> None:
        group = node.parent
        by_itself = isinstance(node, Group) and node.ending is not Ending.ASKED
        if group is None or by_itself or node.wish is not None or self._is_killed(group):
            return
        assert group.round is not None, "it is stopped for nothing"
        if group.name in self.changed:
            return  # a round in progress keeps the order that it began with
        siblings = list(group.children.values())
        for other in siblings[siblings.index(node) + 1 :]:
            by_hand = other.started_by in BY_HAND or other.wish is not None
            # Who is tried by himself goes on with that when one before him comes late.
            by_hand |= other.alone and other not in group.round.stop
            going = other.status in (Status.STARTING, Status.UP, Status.STOPPING)
            in_this_round = group.status is Status.STOPPING or (
                group.spec.strategy is not Strategy.ONE_FOR_ONE
            )
            assert by_hand or not going or not in_this_round, f"{other.name} goes before it"

    def _is_killed(self, node: Node | None) -> bool:
        """Whether all of it, or of a group around it, is being killed: at once, in no order."""
        while node is not None:
            told = [each.told for each in self.grove.processes.values()]
            if "kill" in told and node.status is Status.STOPPING:
                return True
            node = node.parent
        return self._kills_at_once()

    def _kills_at_once(self) -> bool:
        return any(
            group.status is Status.STOPPING
            # A change of specs may have taken away the limit that it stops by.
            and (group.spec.shutdown != "infinity" or group.name in self.changed)
            for group in self.grove.groups()
        )

    def _changes_nothing(self, notice) -> None:
        before = self._everything()
        notice()
        assert self._everything() == before

    def _everything(self):
        grove = self.grove
        return (
            [(n.name, n.status, n.down, n.incarnation, n.restarts, n.wish) for n in grove.nodes()],
            [(n.round and (n.round.stop[:], n.round.start[:])) for n in grove.groups()],
            grove.told[:],
            grove.events[:],
            dict(grove.settled),
            grove.timers.next_due(),
        )

    # ---- how it ends ------------------------------------------------------------------------

    def teardown(self) -> None:
        if not hasattr(self, "grove") or sys.exc_info()[0] is not None:
            return  # it has failed already
        note(self.grove.story())
        self._let_everything_work()
        grove = self.grove
        assert set(grove.settled) == self.asked, "an order was forgotten"
        if self.stopped:
            assert grove.ended is not None
        if grove.ended is None:
            self._all_is_up_that_should_be()
            grove.tree.stop()
            self._let_everything_work()
        assert grove.ended is not None
        assert not grove.processes
        for node in grove.nodes():
            assert node.status is Status.DOWN
            if node in grove.groups():
                assert node.round is None

    def _let_everything_work(self) -> None:
        self.grove.settle(lambda name: Outcome.WORKS, patience=100.0)

    def _all_is_up_that_should_be(self) -> None:
        for node in self.grove.tree.root.walk():
            assert node.status in (Status.UP, Status.DOWN), f"{node.name} is {node.status}"
            assert node not in self.grove.groups() or node.round is None
            group = node.parent
            if group is not None and group.status is Status.DOWN:
                assert node.status is Status.DOWN
            elif node.status is Status.DOWN:
                assert node.down is not Down.WAITING or node.name in self.not_started, node.name

    # ---- details ----------------------------------------------------------------------------

    def _pick(self, number: int, which) -> Process | None:
        found = [each for each in self.grove.processes.values() if which(each)]
        return found[number % len(found)] if found else None

    def _new_child(self, data, auto_shutdown: AutoShutdown):
        self.names += 1
        name = f"new{self.names}x"
        if data.draw(st.integers(0, 2)) == 0:
            return data.draw(groups(name, 2, auto_shutdown, shutdowns=SHUTDOWNS))
        return data.draw(systems(name, auto_shutdown))

    def _order(self, what: str, *args) -> None:
        self.orders += 1
        order = self.orders
        method = getattr(self.grove.hand, what)
        more = () if what == "delete_child" else (order,)
        before = self._everything()
        if self.grove.by_hand(lambda: method(*args, *more)) is not None:
            assert self._everything() == before, "it was refused, and changed something"
        elif more:
            self.asked.add(order)


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = quick(120, 40)


@pytest.mark.long
@pytest.mark.timeout(1800)
class TestInterleavingsForLong(Interleavings.TestCase):  # type: ignore[misc, valid-type]
    settings = long(80)
