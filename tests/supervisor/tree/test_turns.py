"""Children that somebody starts while their group is in the middle of a start or a restart: they
wait for their turn, as OTP has whoever asks wait until it is done."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from supervisor.specs.policies import RestartPolicy
from supervisor.specs.spec import GroupSpec, SystemSpec
from tests.helpers.grove import IN_ORDER, Grove, Outcome

SLOW = RestartPolicy(max_restarts=9, period=100.0, backoff_min=1.0, backoff_max=1.0)


def system(name: str, **options: object) -> SystemSpec:
    return SystemSpec(name, "mock", **{"restart": SLOW, "reconnect": SLOW, **options})


def group(name: str, *children: str | SystemSpec | GroupSpec, **options: object) -> GroupSpec:
    specs = [system(child) if isinstance(child, str) else child for child in children]
    return GroupSpec(name, specs, **{"restart": SLOW, **options})


def works(_: str) -> Outcome:
    return Outcome.WORKS


def starting(*children: str | SystemSpec | GroupSpec, **options: object) -> Grove:
    play = Grove(group("root", *children, **options))
    play.tree.start()
    return play


def up(*children: str | SystemSpec | GroupSpec, **options: object) -> Grove:
    play = starting(*children, **options)
    play.settle(works)
    play.told.clear()
    return play


def in_a_round() -> Grove:
    """``a`` has crashed, and ``b`` is being stopped for its sake."""
    play = up("a", "b", strategy="rest_for_one")
    play.exits("a")
    play.told.clear()
    return play


def waiting_for_a_restart() -> Grove:
    """``a`` has crashed twice, and is restarted after a while; ``b`` waits for it."""
    play = in_a_round()
    play.exits("b", IN_ORDER)
    play.settle(works)
    play.exits("a")
    play.exits("b", IN_ORDER)
    play.told.clear()
    return play


# ---- the turn ------------------------------------------------------------------------------


@pytest.mark.parametrize("middle", [in_a_round, waiting_for_a_restart])
def test_a_new_child_starts_after_those_that_are_restarted_before_it(
    middle: Callable[[], Grove],
) -> None:
    play = middle()
    play.hand.start_child(system("new"), None, "order")
    assert play.told == []
    play.settle(works, patience=2.0)
    assert play.told == ["start a", "start b", "start new"]
    assert play.settled == {"order": None}


def test_a_new_child_starts_after_those_that_its_group_is_starting() -> None:
    play = starting("a", "b")
    play.hand.start_child(system("new"), None, "order")
    assert play.told == ["start a"]
    play.settle(works)
    assert play.told == ["start a", "start b", "start new"]
    assert play.standing("root") == "up"


def test_a_new_group_waits_for_its_turn_as_well() -> None:
    play = in_a_round()
    play.hand.start_child(group("new", "c"), None, "order")
    play.settle(works)
    assert play.told == ["start a", "start b", "start c"]
    assert play.settled == {"order": None}


@pytest.mark.parametrize("what", ["restart_child", "restart"])
def test_a_child_that_was_terminated_starts_in_its_place(what: str) -> None:
    play = up("a", "b", "c", "d", strategy="rest_for_one")
    play.hand.terminate_child("c", 1)
    play.exits("c", IN_ORDER)
    play.exits("a")
    play.told.clear()
    getattr(play.hand, what)("c", 2)
    assert play.told == []
    play.settle(works)
    assert play.told == ["stop b", "start a", "start b", "start c", "start d"]
    assert play.settled == {1: None, 2: None}


def test_who_waits_in_a_round_that_another_one_interrupts_is_not_forgotten() -> None:
    play = up("z", "a", "b", strategy="rest_for_one")
    play.exits("a")
    play.hand.start_child(system("new"), None, "order")
    play.exits("z")
    play.told.clear()
    play.settle(works)
    assert play.told == ["start z", "start a", "start b", "start new"]
    assert play.settled == {"order": None}


def test_who_comes_before_the_one_that_is_being_started_starts_at_once() -> None:
    play = up("a", "b", "c", strategy="rest_for_one")
    play.hand.terminate_child("b", 1)
    play.exits("b", IN_ORDER)
    play.exits("a")
    play.exits("c", IN_ORDER)
    play.built("a")
    assert play.told[-1] == "start c"
    play.hand.restart_child("b", 2)
    assert play.told[-1] == "start b"
    play.built("c")
    play.built("b")
    assert play.settled == {1: None, 2: None}
    assert play.up == "a b c"


# ---- when it does not come -----------------------------------------------------------------


def test_a_new_child_that_cannot_be_started_in_its_turn_leaves_nothing_and_counts_nothing() -> None:
    play = in_a_round()
    play.hand.start_child(system("new"), None, "order")
    play.settle(lambda name: Outcome.FAILS if name == "new" else Outcome.WORKS)
    assert play.settled == {"order": "connector_error"}
    assert play.standing("new") == "removed"
    assert play.up == "a b"


def test_one_that_cannot_be_started_in_its_turn_is_terminated_again() -> None:
    play = up("a", "b", strategy="one_for_all")
    play.hand.terminate_child("b", 1)
    play.exits("b", IN_ORDER)
    play.exits("a")
    play.hand.restart_child("b", 2)
    play.settle(lambda name: Outcome.FAILS if name == "b" else Outcome.WORKS)
    assert play.settled == {1: None, 2: "connector_error"}
    assert play.standing("b") == "terminated"


def test_of_a_new_child_whose_group_ends_before_its_turn_nothing_is_left() -> None:
    play = up(group("inner", "a", "b", strategy="rest_for_one"))
    play.hand.terminate_child("b", 1)
    play.exits("b", IN_ORDER)
    play.exits("a")  # at once
    play.hand.start_child(system("new"), "inner", 2)
    play.hand.restart_child("b", 3)
    play.hand.terminate_child("inner", 4)
    play.settle(works)
    assert play.settled == {1: None, 2: "unavailable", 3: "unavailable", 4: None}
    assert play.standing("new") == "removed"
    assert play.standing("b") == "terminated"


def test_a_new_child_that_is_terminated_before_its_turn_is_forgotten() -> None:
    play = in_a_round()
    play.hand.start_child(system("new"), None, 1)
    play.hand.terminate_child("new", 2)
    assert play.settled == {1: "unavailable", 2: None}
    assert play.standing("new") == "removed"
    play.settle(works)
    assert play.up == "a b"


# ---- OTP's codes ---------------------------------------------------------------------------


def codes(play: Grove, name: str) -> list[str | None]:
    """Of what is refused to one that does not run just now."""
    hand = play.hand
    orders = [
        lambda: hand.start_child(system(name), None, "start"),
        lambda: hand.restart_child(name, "restart"),
        lambda: hand.delete_child(name),
    ]
    return [play.by_hand(order) for order in orders]


RESTARTING = ["already_present", "restarting", "restarting"]
RUNNING = ["already_started", "running", "running"]


def test_a_child_whose_next_incarnation_is_being_built_is_restarting() -> None:
    play = up("a")
    play.exits("a")
    assert play.standing("a") == "starting"
    assert codes(play, "a") == RESTARTING


def test_a_child_that_a_round_stops_or_has_stopped_is_restarting() -> None:
    play = in_a_round()
    assert play.standing("b") == "stopping"
    assert codes(play, "b") == RESTARTING
    play.exits("b", IN_ORDER)
    assert play.standing("b") == "down"
    assert codes(play, "b") == RESTARTING
    play.built("a")
    assert play.standing("b") == "starting"
    assert codes(play, "b") == RESTARTING


def test_a_child_that_waits_for_its_restart_is_restarting() -> None:
    play = waiting_for_a_restart()
    assert [codes(play, name) for name in "ab"] == [RESTARTING, RESTARTING]


def test_a_child_that_starts_for_the_first_time_counts_as_running_as_otp_would_wait_for_it() -> (
    None
):
    play = starting("a", "b")
    assert [codes(play, name) for name in "ab"] == [RUNNING, RUNNING]


def test_a_child_that_somebody_starts_counts_as_running() -> None:
    play = up("a")
    play.hand.terminate_child("a", 1)
    play.exits("a", IN_ORDER)
    play.hand.restart_child("a", 2)
    assert codes(play, "a") == RUNNING
    play.hand.start_child(system("new"), None, 3)
    assert codes(play, "new") == RUNNING


def test_a_child_that_somebody_has_started_anew_is_restarting() -> None:
    play = up("a")
    play.hand.restart("a", 1)
    assert codes(play, "a") == RESTARTING
    play.exits("a", IN_ORDER)
    assert codes(play, "a") == RESTARTING


def test_the_children_of_a_group_are_what_the_group_is() -> None:
    play = up(group("inner", "a", "b", give_up="escalate", max_restarts=0))
    play.exits("a")
    play.exits("b", IN_ORDER)  # inner gave up, and is started again
    assert codes(play, "a") == RESTARTING
    play.settle(works)
    play.hand.terminate_child("inner", 1)
    play.settle(works)
    play.hand.restart_child("inner", 2)
    assert play.standing("a") == "starting"
    assert codes(play, "a") == RUNNING
