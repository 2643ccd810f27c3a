"""Children that somebody starts, stops, restarts and changes while the others run."""

import pytest

from supervisor.messages import EventKind
from supervisor.specs.policies import RestartPolicy
from supervisor.specs.spec import GroupSpec, SystemSpec
from supervisor.tree.decisions import RefusedError
from tests.helpers.grove import IN_ORDER, Grove, Outcome

SLOW = RestartPolicy(max_restarts=9, period=100.0, backoff_min=1.0, backoff_max=1.0)


def system(name, **options):
    return SystemSpec(name, "mock", **{"restart": SLOW, "reconnect": SLOW, **options})


def group(name, *children, **options):
    specs = [system(child) if isinstance(child, str) else child for child in children]
    return GroupSpec(name, specs, **{"restart": SLOW, **options})


def up(*children, **options):
    play = Grove(group("root", *children, **options))
    play.tree.start()
    play.settle(lambda name: Outcome.WORKS)
    play.told.clear()
    play.events.clear()
    return play


def kinds(play, name):
    return [str(each.kind) for each in play.events if each.system_name == name]


def refusal(order):
    with pytest.raises(RefusedError) as refused:
        order()
    return str(refused.value)


# ---- finding -------------------------------------------------------------------------------


def test_a_name_that_is_nearly_right_is_suggested():
    play = up("boiler", "pump")
    assert refusal(lambda: play.hand.find("biler")) == (
        "biler: no such child; did you mean 'boiler'?"
    )
    assert refusal(lambda: play.hand.find("xyz")) == "xyz: no such child"


def test_nothing_is_started_in_a_system():
    play = up("a")
    text = refusal(lambda: play.hand.start_child(system("b"), "a", 1))
    assert text == "a: it is a system, and no group"


def test_a_group_is_not_started_if_a_name_in_it_is_taken():
    play = up("a", group("g", "b"))
    inner = group("new", "c", group("deep", "b"))
    assert play.by_hand(lambda: play.hand.start_child(inner, None, 1)) == "already_started"
    assert play.standing("new") == "removed"


def test_who_is_refused_is_told_what_does_not_run():
    play = up(group("inner", "a", "b"))
    play.hand.terminate_child("inner", 1)
    orders = [
        lambda: play.hand.start_child(system("c"), "inner", 2),
        lambda: play.hand.restart("a", 3),
    ]
    assert {refusal(order) for order in orders} == {"inner is being stopped"}
    play.settle(lambda name: Outcome.WORKS)
    orders.append(lambda: play.hand.restart_child("a", 4))
    text = "its group inner does not run; restart that first"
    assert {refusal(order) for order in orders} == {text}
    play.hand.restart_child("inner", 5)
    play.tree.stop()
    text = refusal(lambda: play.hand.start_child(system("c"), None, 6))
    assert text == "the supervisor is stopping"


# ---- restarting ----------------------------------------------------------------------------


def test_after_a_restart_by_hand_the_restarts_before_count_no_more():
    play = up(system("a", restart=RestartPolicy(max_restarts=1, backoff_min=0.5)))
    play.exits("a")
    play.built("a")
    play.hand.restart("a", "order")
    play.exits("a", IN_ORDER)
    play.built("a")
    play.exits("a")
    assert play.standing("a") == "starting"
    assert [each.delay for each in play.events if each.kind is EventKind.RESTARTING] == [0.0, 0.0]


def test_a_restart_by_hand_waits_for_no_backoff_and_neither_do_the_others():
    play = up("a", "b", strategy="one_for_all")
    play.exits("a")
    play.exits("b", IN_ORDER)
    play.built("a")
    play.built("b")
    play.exits("a")  # and waits for a second
    play.exits("b", IN_ORDER)
    play.told.clear()
    play.hand.restart("a", "order")
    assert play.told == ["start a"]
    play.built("a")
    assert play.told == ["start a", "start b"]
    assert play.settled == {"order": None}


def test_who_is_about_to_be_stopped_is_not_started_before_its_turn():
    play = Grove(group("root", "a", "b", "c", strategy="one_for_all", on_start_failure="retry"))
    play.tree.start()
    play.built("a")
    play.fails("b")
    play.built("c")
    play.fails("b")
    play.exits("a")
    assert play.standing("b") == "restarting"
    play.told.clear()
    play.hand.restart("b", "order")
    assert play.told == []
    play.settle(lambda name: Outcome.WORKS)
    assert play.up == "a b c"


def test_whoever_waits_for_a_child_that_is_set_aside_is_told_so():
    play = up(system("a", restart=RestartPolicy(max_restarts=0)))
    play.hand.restart("a", "order")
    play.exits("a", IN_ORDER)
    play.fails("a")
    assert play.standing("a") == "quarantined"
    assert play.settled == {"order": "unavailable"}


# ---- terminating ---------------------------------------------------------------------------


def test_a_child_that_is_removed_while_it_stops_is_not_kept_by_who_terminates_it_then():
    play = up("a")
    play.hand.remove_child("a", 1)
    play.hand.terminate_child("a", 2)
    play.exits("a", IN_ORDER)
    assert play.standing("a") == "removed"
    assert play.settled == {1: None, 2: None}


def test_whoever_waits_for_a_child_that_is_terminated_is_told_so():
    play = up("a")
    play.exits("a")
    play.fails("a")
    play.hand.restart("a", "up")
    play.fails("a")
    play.fails("a")
    assert play.standing("a") == "restarting"
    play.hand.terminate_child("a", "down")
    assert play.settled == {"up": "unavailable", "down": None}


def test_a_child_that_was_to_run_is_told_to_have_stopped_once():
    play = up("a")
    play.exits("a")
    play.fails("a")
    play.hand.terminate_child("a", 1)
    assert kinds(play, "a")[-2:] == ["restarting", "stopped"]
    play.hand.terminate_child("a", 2)
    assert kinds(play, "a").count("stopped") == 1


def test_a_child_in_quarantine_that_is_terminated_is_told_to_have_stopped():
    play = up(system("a", restart=RestartPolicy(max_restarts=0)))
    play.exits("a")
    play.hand.terminate_child("a", 1)
    assert kinds(play, "a") == ["quarantined", "stopped"]


def test_the_others_do_not_wait_for_a_child_that_was_terminated():
    play = up("a", "b", strategy="one_for_all")
    for _ in range(2):
        play.settle(lambda name: Outcome.WORKS, patience=0.0)
        play.exits("a")
        play.exits("b", IN_ORDER)
    assert play.standing("a") == "restarting"
    play.told.clear()
    play.hand.terminate_child("a", 1)
    assert play.told == ["start b"]


def test_a_group_goes_on_without_a_child_that_was_terminated_before_its_turn():
    play = Grove(group("root", "a", "b", "c"))
    play.tree.start()
    play.hand.remove_child("b", 1)
    play.built("a")
    assert play.told == ["start a", "start c"]
    play.built("c")
    assert play.standing("root") == "up"


# ---- changing specs ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("children", "code"),
    [
        (["a", "c"], "already_started"),
        (["a", group("new", "c")], "already_started"),
        (["c"], "already_started"),
        (["a", "inner"], "invalid_spec"),
        ([group("a")], "invalid_spec"),
        (["new", group("inner", "b", "a")], "invalid_spec"),
        (["new", group("inner", group("b"))], "invalid_spec"),
    ],
    ids=str,
)
def test_a_change_that_cannot_be_made_changes_nothing(children, code):
    play = up("a", group("inner", "b"), group("other", "c"))
    before = {name: node.spec for name, node in play.tree.nodes.items()}
    answer = play.by_hand(lambda: play.hand.change_specs(group("root", *children)))
    assert answer is not None
    assert {name: node.spec for name, node in play.tree.nodes.items()} == before


def test_all_that_a_change_is_about_is_told_to_have_changed():
    play = up("a", group("inner", "b"))
    new = group("root", system("a", shutdown=1.0), group("inner", system("b", shutdown=2.0), "c"))
    play.hand.change_specs(new)
    assert [f"{each.kind} {each.system_name}" for each in play.events] == [
        *("changed a", "changed b", "registered c", "changed inner", "changed root"),
    ]
    assert play.tree.nodes["b"].spec.shutdown == 2.0
    assert play.told == []
