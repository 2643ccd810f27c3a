"""What happens in the middle of a start, a stop or a restart of several children."""

from supervisor.messages import EventKind
from supervisor.specs.policies import RestartPolicy
from supervisor.specs.spec import GroupSpec, SystemSpec
from tests.helpers.grove import BUG, IN_ORDER, Grove, Outcome

FAST = RestartPolicy(max_restarts=9, period=100.0, backoff_min=1.0, backoff_max=1.0)


def system(name, **options):
    return SystemSpec(name, "mock", **{"restart": FAST, "reconnect": FAST, **options})


def grove(*children, **options):
    play = Grove(group("root", *children, **options))
    play.tree.start()
    return play


def group(name, *children, **options):
    specs = [system(child) if isinstance(child, str) else child for child in children]
    return GroupSpec(name, specs, **{"restart": FAST, **options})


def works(name):
    return Outcome.WORKS


def up(*children, **options):
    play = grove(*children, **options)
    play.settle(works)
    play.told.clear()
    return play


def test_a_group_that_starts_again_waits_for_a_child_that_failed_the_last_time():
    inner = group("inner", "a", "b", on_start_failure="retry", give_up="escalate", max_restarts=0)
    play = grove(inner)
    play.fails("a")  # inner gives up, and is started again
    assert play.told == ["start a", "start a"]
    play.built("a")
    assert play.told[-1] == "start b"


def test_others_go_on_without_a_group_that_ended_before_it_was_up():
    inner = group("inner", "a", on_start_failure="retry", give_up="escalate", max_restarts=0)
    play = grove(inner, "b")
    play.fails("a")
    assert play.told == ["start a", "start a", "start b"]


def test_whoever_waits_for_a_child_is_told_when_its_group_gives_up():
    play = up(group("inner", "a", give_up="escalate", max_restarts=0, restart_type="transient"))
    play.hand.restart("a", "order")
    play.exits("a", IN_ORDER)
    play.fails("a")
    assert play.settled == {"order": "unavailable"}


def test_whoever_waits_for_a_new_group_is_told_that_it_ended():
    play = up("a")
    impatient = {"on_start_failure": "retry", "give_up": "escalate", "max_restarts": 0}
    inner = group("inner", "b", restart_type="transient", **impatient)
    play.hand.start_child(inner, None, "order")
    play.fails("b")
    assert play.standing("inner") == "ended"
    assert play.settled == {"order": "unavailable"}


def test_a_crash_in_the_middle_of_rest_for_one_forgets_nobody():
    play = up("z", "a", "b", strategy="rest_for_one")
    play.exits("a")
    play.exits("z")
    play.exits("b", IN_ORDER)
    play.settle(works, patience=5.0)
    assert play.up == "z a b"


def test_a_group_that_gave_up_starts_again_with_the_others_that_are_restarted_meanwhile():
    inner = group("inner", "b", "c", give_up="escalate", max_restarts=0)
    play = up("a", inner, strategy="one_for_all")
    play.exits("b")
    play.exits("a")
    play.settle(works)
    assert play.up == "a b c"


def test_nothing_is_started_in_a_group_that_stops():
    play = up("a", "b")
    play.exits("a")
    play.fails("a")
    assert play.standing("a") == "restarting"
    play.tree.stop()
    play.told.clear()
    play.advance(5.0)
    assert play.told == []


def test_a_restart_by_hand_is_refused_in_a_group_that_stops():
    play = up("a", "b")
    play.tree.stop()
    assert play.by_hand(lambda: play.hand.restart("a", "order")) == "unavailable"
    assert play.standing("a") == "up"


def test_a_group_that_starts_does_not_wait_for_a_hand_that_failed():
    play = grove("a", "b")
    play.hand.terminate_child("b", "down")
    play.hand.restart_child("b", "up")
    play.built("a")
    assert play.standing("root") == "starting"
    play.fails("b")
    assert play.standing("root") == "up"
    assert play.settled == {"down": None, "up": "connector_error"}


def test_a_child_that_fails_in_its_turn_waits_like_any_other():
    play = grove("a", "b", on_start_failure="retry", strategy="one_for_all")
    play.built("a")
    play.exits("a")  # in the middle of the start
    play.exits("b", IN_ORDER)
    assert play.told == ["start a", "start b", "stop b", "start a"]
    play.fails("a")
    assert play.standing("a") == "restarting"
    assert "a" not in play.processes


def test_all_significant_waits_for_one_that_is_about_to_start():
    significant = {"significant": True, "restart_type": "transient"}
    first, last = system("first", **significant), system("last", **significant)
    play = up(first, "a", last, strategy="one_for_all", auto_shutdown="all_significant")
    play.exits("a")
    play.exits("last", IN_ORDER)
    play.exits("first", IN_ORDER)
    play.built("first")
    play.exits("first", IN_ORDER)
    assert play.standing("root") == "up"
    play.built("a")
    play.built("last")
    play.exits("last", IN_ORDER)
    assert play.standing("root") == "stopping"


def test_nothing_is_restarted_in_a_group_whose_time_to_stop_is_over():
    inner = group("inner", "a", "b")
    play = up(group("outer", inner, "c", shutdown=0.5))
    play.exits("a")
    play.fails("a")
    play.tree.stop()
    play.told.clear()
    play.advance(0.5)
    assert {each.told for each in play.processes.values()} == {"kill"}
    play.advance(5.0)
    assert play.told == ["stop b"]
    for name in [*play.processes]:
        play.exits(name, BUG)
    assert play.ended is not None


def test_a_group_that_has_no_time_to_stop_is_killed_at_once():
    play = up(group("inner", "a", "b", shutdown="brutal_kill"))
    play.hand.terminate_child("inner", "order")
    assert {each.name: each.told for each in play.processes.values()} == {"a": "kill", "b": "kill"}


def test_an_empty_group_inside_one_that_is_killed_ends_as_well():
    play = up(group("inner"), "a", shutdown="brutal_kill")
    play.tree.stop()
    play.exits("a")
    assert play.ended is not None
    kinds = [each.kind for each in play.events if each.system_name == "inner"]
    assert kinds.count(EventKind.STOPPING) == 1


def test_a_child_that_is_being_restarted_can_only_be_terminated():
    play = up("a")
    play.exits("a")
    play.fails("a")  # and is to be tried again in a second
    assert play.by_hand(lambda: play.hand.restart_child("a", 1)) == "restarting"
    assert play.by_hand(lambda: play.hand.delete_child("a")) == "restarting"
    assert play.by_hand(lambda: play.hand.terminate_child("a", 2)) is None
    play.advance(5.0)
    assert play.standing("a") == "terminated"
    assert play.settled == {2: None}


def test_whoever_terminates_a_group_that_gives_up_has_the_last_word():
    play = up(group("inner", "a", "b", give_up="escalate", max_restarts=0))
    play.exits("a")
    play.by_hand(lambda: play.hand.terminate_child("inner", "order"))
    play.exits("b", IN_ORDER)
    assert play.settled == {"order": None}
    assert play.standing("inner") == "terminated"
    assert play.told == ["stop b"]


def test_a_temporary_child_that_cannot_be_started_with_its_group_is_forgotten():
    temporary = system("a", restart_type="temporary")
    play = grove(group("inner", temporary, "b", on_start_failure="retry"))
    play.fails("a")
    play.built("b")
    assert play.told == ["start a", "start b"]
    assert "a" not in play.tree.nodes
