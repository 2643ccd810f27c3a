"""One whose counterpart was away comes up late: those after it were started too early."""

from __future__ import annotations

from supervisor.specs.policies import RestartPolicy
from supervisor.specs.spec import GroupSpec, SystemSpec
from tests.helpers.grove import IN_ORDER, REFUSED, Grove

SLOW = RestartPolicy(max_restarts=9, period=100.0, backoff_min=1.0, backoff_max=1.0)


def system(name: str, restart_type: str = "permanent") -> SystemSpec:
    return SystemSpec(name, "mock", restart=SLOW, reconnect=SLOW, restart_type=restart_type)


def without_a(*others: str | SystemSpec) -> Grove:
    """A group whose first child is away; the others are to be started."""
    specs = [system(each) if isinstance(each, str) else each for each in ("a", *others)]
    play = Grove(GroupSpec("root", specs, strategy="rest_for_one", on_start_failure="retry"))
    play.tree.start()
    play.fails("a", REFUSED)
    return play


def test_those_after_it_are_stopped_in_reverse_order_and_started_in_order() -> None:
    play = without_a("b", "c")
    play.built("b")
    play.built("c")
    play.told.clear()
    play.built("a")
    play.exits("c", IN_ORDER)
    play.exits("b", IN_ORDER)
    play.built("b")
    assert play.told == ["stop c", "stop b", "start b", "start c"]


def test_in_the_middle_of_the_start_of_its_group_those_that_have_begun_begin_anew() -> None:
    play = without_a("b", "c")
    play.built("a")
    play.exits("b", IN_ORDER)  # it was not up
    play.built("b")
    play.built("c")
    assert play.told == ["start a", "start a", "start b", "stop b", "start b", "start c"]
    assert play.standing("root") == "up"


def test_another_that_is_tried_by_itself_goes_on_with_that() -> None:
    play = without_a("b", "c")
    play.fails("b", REFUSED)
    play.built("c")
    play.told.clear()
    play.built("a")
    assert play.told == ["stop c"]
    play.exits("c", IN_ORDER)
    play.built("b")  # late, too
    assert play.told == ["stop c", "start c", "stop c"]
    play.exits("c", IN_ORDER)
    play.built("c")
    assert play.up == "a b c"


def test_one_that_has_ended_is_started_again_with_others_and_not_without() -> None:
    play = without_a(system("ended", "transient"))
    play.built("ended")
    play.exits("ended", IN_ORDER)
    play.built("a")
    assert play.standing("ended") == "ended"
    play = without_a(system("ended", "transient"), "c")
    play.built("ended")
    play.exits("ended", IN_ORDER)
    play.built("c")
    play.told.clear()
    play.built("a")
    play.exits("c", IN_ORDER)
    play.built("ended")
    assert play.told == ["stop c", "start ended", "start c"]


def test_it_is_the_same_if_somebody_starts_it() -> None:
    play = without_a("b")
    play.built("b")
    play.hand.terminate_child("a", 1)
    play.exits("a", IN_ORDER)
    play.hand.restart_child("a", 2)
    play.told.clear()
    play.built("a")
    assert play.told == ["stop b"]


def test_nothing_counts_as_a_restart_of_those_after_it() -> None:
    play = without_a("b")
    play.built("b")
    play.built("a")
    play.exits("b", IN_ORDER)
    play.built("b")
    assert play.tree.nodes["b"].restarts == 0
    assert play.tree.nodes["b"].window.count == 0
