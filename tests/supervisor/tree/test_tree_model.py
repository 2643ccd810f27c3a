"""Whatever happens to a tree, one thing after the other, ends as in OTP's supervisor."""

from __future__ import annotations

import sys
from typing import Any

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from supervisor.messages import EventKind
from supervisor.specs.policies import AutoShutdown
from supervisor.specs.spec import ChildSpec, GroupSpec, SystemSpec
from tests.helpers.grove import BUG, IN_ORDER, Grove, Outcome
from tests.helpers.looking import long, quick
from tests.helpers.otp_model import ASKED, Child, Model, is_alive
from tests.helpers.trees import groups, systems

OUTCOMES = st.lists(st.sampled_from(list(Outcome)), max_size=5)
PICK = st.integers(0, 1000)


class Script:
    """What becomes of the next starts of each system; any more work."""

    def __init__(self) -> None:
        self.outcomes: dict[str, list[Outcome]] = {}

    def __call__(self, name: str) -> Outcome:
        outcomes = self.outcomes.get(name)
        return outcomes.pop(0) if outcomes else Outcome.WORKS


class TreeAndModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.orders = 0
        self.names = 0

    @initialize(spec=groups("r", 3), starts=st.dictionaries(PICK, OUTCOMES, max_size=3))
    def begin(self, spec: GroupSpec, starts: dict[int, list[Outcome]]) -> None:
        self.grove, self.grove_script = Grove(spec), Script()
        self.model_script = Script()
        self.model = Model(spec, self.model_script)
        for number, outcomes in starts.items():
            self._next_starts(number, outcomes)
        self.grove.tree.start()
        self.model.begin()
        self._compare()

    @precondition(lambda self: self.model.ended is None)
    @rule(number=PICK, normal=st.booleans(), starts=OUTCOMES)
    def one_exits(self, number: int, normal: bool, starts: list[Outcome]) -> None:
        up = [each.name for each in self.model.root.walk() if each.state == "up"]
        systems = [name for name in up if name in self.grove.processes]
        if not systems:
            return
        name = systems[number % len(systems)]
        self._next_starts(None, starts, name)
        self.grove.exits(name, IN_ORDER if normal else BUG)
        self.model.crash(name, normal)
        self._compare()

    @precondition(lambda self: self.model.ended is None)
    @rule(number=PICK, starts=OUTCOMES)
    def the_next_starts_of_one(self, number: int, starts: list[Outcome]) -> None:
        self._next_starts(number, starts)

    @rule(seconds=st.integers(1, 7))
    def time_passes(self, seconds: int) -> None:
        self.grove.advance(seconds)
        self.model.now += seconds

    @precondition(lambda self: self.model.ended is None)
    @rule(
        number=PICK,
        what=st.sampled_from(
            ["terminate_child", "restart_child", "restart_anyway", "remove_child", "delete_child"]
        ),
    )
    def somebody_orders(self, number: int, what: str) -> None:
        name = self._pick(number)
        if name is not None:
            self._order(what, name)

    @precondition(lambda self: self.model.ended is None)
    @rule(number=PICK, data=st.data())
    def somebody_adds_a_child(self, number: int, data: st.DataObject) -> None:
        group = self._pick_group(number)
        spec = self._new_child(data, group, may_be_taken=True)
        self._next_starts(None, data.draw(OUTCOMES), spec.name)
        self._order("start_child", spec, group.name)

    @precondition(lambda self: self.model.ended is None)
    @rule(number=PICK, data=st.data())
    def somebody_changes_the_specs_of_a_group(self, number: int, data: st.DataObject) -> None:
        spec = self._changed(data, self._pick_group(number))
        self.grove.hand.change_specs(spec)
        self.model.change_specs(spec)
        self._compare()

    # ---- details ----------------------------------------------------------------------------

    def _pick(self, number: int) -> str | None:
        names = [child.name for child in self.model.root.walk()[1:]]
        return names[number % len(names)] if names else None

    def _pick_group(self, number: int) -> Child:
        found = [child for child in self.model.root.walk() if child.is_group]
        return found[number % len(found)]

    def _next_starts(self, number: int | None, starts: list[Outcome], name: str = "") -> None:
        if number is not None:
            names = [child.name for child in self.model.root.walk() if not child.is_group]
            if not names:
                return
            name = names[number % len(names)]
        for script in (self.grove_script, self.model_script):
            script.outcomes[name] = list(starts)

    def _new_child(self, data: st.DataObject, group: Child, *, may_be_taken: bool) -> ChildSpec:
        self.names += 1
        name = f"new{self.names}x"
        if may_be_taken and data.draw(st.integers(0, 3)) == 0:
            name = self._pick(data.draw(PICK)) or name
        # Sometimes it is significant where that means nothing.
        rule = data.draw(st.sampled_from([group.spec.auto_shutdown, AutoShutdown.ANY_SIGNIFICANT]))
        if not may_be_taken:
            rule = group.spec.auto_shutdown
        if data.draw(st.integers(0, 2)) == 0:
            spec: GroupSpec = data.draw(groups(name, 2, rule))
            return spec
        system: SystemSpec = data.draw(systems(name, rule))
        return system

    def _changed(self, data: st.DataObject, group: Child) -> GroupSpec:
        children: list[ChildSpec] = []
        for child in data.draw(st.permutations(group.children)):
            match data.draw(st.sampled_from(["leave out", "keep", "keep", "change"])):
                case "keep" if not child.is_group:
                    children.append(child.spec)
                case "keep":
                    now = tuple(each.spec for each in child.children if not each.is_group)
                    if any(each.significant for each in now) and (
                        child.spec.auto_shutdown is AutoShutdown.NEVER
                    ):
                        now = ()  # left over from before another change
                    children.append(attrs.evolve(child.spec, children=now))
                case "change" if not child.is_group:
                    children.append(data.draw(systems(child.name, group.spec.auto_shutdown)))
                case "change":
                    children.append(self._changed(data, child))
        if data.draw(st.booleans()):
            children.append(self._new_child(data, group, may_be_taken=False))
        around = group.parent.spec.auto_shutdown if group.parent else AutoShutdown.NEVER
        spec: GroupSpec = data.draw(groups(group.name, 1, around, tuple(children)))
        return spec

    def _order(self, what: str, *args: Any) -> None:
        self.orders += 1
        order = self.orders
        method = getattr(self.grove.hand, "restart" if what == "restart_anyway" else what)
        more = () if what == "delete_child" else (order,)
        given = self.grove.by_hand(lambda: method(*args, *more))
        expected = getattr(self.model, what)(*args)
        self._compare()
        if given is None and more:
            assert order in self.grove.settled, "nobody was told what became of it"
            given = self.grove.settled[order]
        if expected is None and what not in ("terminate_child", "remove_child", "delete_child"):
            # It may have failed after all, with its group or by its own restarts.
            assert given in (None, "unavailable")
        else:
            assert given == expected

    def _compare(self) -> None:
        grove, model = self.grove, self.model
        grove.settle(self.grove_script)
        try:
            assert grove.done == model.log
            assert sorted(grove.removed) == sorted(model.removed)
            assert self.grove_script.outcomes == self.model_script.outcomes
            there = [(node.name, grove.standing(node.name)) for node in grove.tree.root.walk()]
            expected = [(child.name, child.standing) for child in model.root.walk()]
            assert self._that_matters(there) == self._that_matters(expected)
            counts = {node.name: node.restarts for node in grove.nodes()}
            assert counts == {child.name: child.restarts for child in model.root.walk()}
            assert (grove.ended.ending.name.lower() if grove.ended else None) == model.ended
        finally:
            grove.done.clear()
            model.log.clear()

    def _that_matters(self, standings: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Whoever has ended, or is in quarantine, is started with its group: in a group that
        is down it is as if it were just down."""
        groups = {c.name: g for g in self.model.root.walk() for c in g.children}
        return [
            (name, "down")
            if word in ("ended", "quarantined") and not is_alive(groups[name])
            else (name, word)
            for name, word in standings
        ]

    @invariant()
    def those_in_quarantine_were_said_to_be(self) -> None:
        if not hasattr(self, "grove"):
            return
        said = {e.system_name for e in self.grove.events if e.kind is EventKind.QUARANTINED}
        assert said >= {c.name for c in self.model.root.walk() if c.standing == "quarantined"}

    def teardown(self) -> None:
        if sys.exc_info()[0] is None and hasattr(self, "grove") and self.model.ended is None:
            self.grove.tree.stop()
            self.model.shut_down()
            self._compare()
            assert self.model.ended == ASKED


TestTreeAndModel = TreeAndModel.TestCase
TestTreeAndModel.settings = quick(120, 25)


@pytest.mark.long
@pytest.mark.timeout(1800)
class TestTreeAndModelForLong(TreeAndModel.TestCase):  # type: ignore[misc, valid-type]
    settings = long(50)
