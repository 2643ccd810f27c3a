"""Whether a child comes up by itself, so that whoever needs it may wait."""

from supervisor.specs.policies import RestartPolicy
from supervisor.specs.spec import GroupSpec, SystemSpec
from tests.helpers.grove import IN_ORDER, Grove, Outcome

SLOW = RestartPolicy(max_restarts=9, period=100.0, backoff_min=1.0, backoff_max=1.0)


def group(name, *children, **options):
    specs = [
        SystemSpec(child, "mock", restart=SLOW) if isinstance(child, str) else child
        for child in children
    ]
    return GroupSpec(name, specs, **{"restart": SLOW, **options})


def started(*children, **options):
    play = Grove(group("root", *children, **options))
    play.tree.start()
    return play


def up(*children, **options):
    play = started(*children, **options)
    play.settle(lambda name: Outcome.WORKS)
    return play


def coming(play):
    return " ".join(name for name, node in play.tree.nodes.items() if node.is_coming)


def test_all_come_while_the_tree_starts():
    play = started("a", group("inner", "b"))
    assert coming(play) == "root a inner b"
    play.built("a")
    assert coming(play) == "root inner b"
    play.built("b")
    assert coming(play) == ""


def test_a_child_comes_that_is_to_be_restarted_and_one_that_is_stopped_for_its_sake():
    play = up("a", "b", "c", strategy="rest_for_one")
    play.exits("b")
    assert play.standing("c") == "stopping"
    assert coming(play) == "b c"
    play.exits("c", IN_ORDER)
    assert coming(play) == "b c"


def test_a_child_comes_whose_group_is_to_be_restarted():
    play = up("a", group("inner", "b", "c"), strategy="one_for_all")
    play.exits("a")
    assert play.standing("c") == "stopping"
    assert coming(play) == "a inner c"  # b is up still
    play.exits("c", IN_ORDER)
    assert play.standing("b") == "stopping"
    assert coming(play) == "a inner b c"
    play.exits("b", IN_ORDER)
    assert coming(play) == "a inner b c"


def test_a_child_that_is_restarted_by_hand_comes_and_one_that_is_terminated_does_not():
    play = up("a", "b", "c")
    play.hand.restart("a", 1)
    play.hand.terminate_child("b", 2)
    assert coming(play) == "a"
    play.exits("b", IN_ORDER)
    assert coming(play) == "a"


def test_nothing_comes_of_what_is_terminated_with_its_group():
    play = up(group("inner", "a", "b"))
    play.hand.terminate_child("inner", 1)
    assert coming(play) == ""
    play.exits("b", IN_ORDER)
    play.exits("a", IN_ORDER)
    assert coming(play) == ""


def test_what_was_terminated_does_not_come_with_its_group():
    play = up(group("inner", "a", "b"))
    play.hand.terminate_child("b", 1)
    play.exits("b", IN_ORDER)
    play.hand.restart("inner", 2)
    play.exits("a", IN_ORDER)
    assert coming(play) == "inner a"


def test_nothing_comes_in_a_tree_that_is_stopped():
    play = up("a", group("inner", "b"))
    play.tree.stop()
    assert coming(play) == ""
    play.exits("b", IN_ORDER)
    assert coming(play) == ""


def test_a_child_that_was_added_without_being_started_does_not_come_until_its_group_does():
    play = up(group("inner", "a"))
    play.hand.change_specs(group("inner", "a", "b"))
    assert coming(play) == ""
    play.hand.restart("inner", 1)
    assert coming(play) == "inner a b"


def test_a_child_that_is_given_up_does_not_come():
    quickly = RestartPolicy(max_restarts=0)
    play = up(SystemSpec("a", "mock", restart=quickly), "b")
    play.exits("a")
    assert play.standing("a") == "quarantined"
    assert coming(play) == ""
