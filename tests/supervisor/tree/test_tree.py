"""When children are restarted, stopped and given up, and what those who wait for them hear."""

from supervisor.messages import EventKind
from supervisor.specs.policies import RestartPolicy
from supervisor.specs.spec import GroupSpec, SystemSpec
from tests.helpers.grove import BUG, IN_ORDER, REFUSED, Grove, Outcome

SLOW = RestartPolicy(max_restarts=9, period=100.0, backoff_min=1.0, backoff_max=1.0)
IMPATIENT = {"give_up": "escalate", "max_restarts": 0}


def works(name):
    return Outcome.WORKS


def system(name, **options):
    return SystemSpec(name, "mock", **{"restart": SLOW, "reconnect": SLOW, **options})


def group(name, *children, **options):
    specs = [system(child) if isinstance(child, str) else child for child in children]
    return GroupSpec(name, specs, **{"restart": SLOW, **options})


def started(*children, recovering=False, **options):
    play = Grove(group("root", *children, **options))
    play.tree.start(recovering=recovering)
    return play


def up(*children, **options):
    play = started(*children, **options)
    play.settle(works)
    play.told.clear()
    play.events.clear()
    return play


def told(play, kind):
    return [each.system_name for each in play.events if each.kind is kind]


def delays(play, name):
    restarts = [each for each in play.events if each.kind is EventKind.RESTARTING]
    return [each.delay for each in restarts if each.system_name == name]


# ---- restarting ----------------------------------------------------------------------------


def test_the_second_crash_in_a_row_is_waited_for_and_after_a_stable_time_none_is():
    play = up("a")
    for seconds in (0.0, 1.0, SLOW.stable_after, SLOW.stable_after - 0.1):
        play.advance(seconds)
        play.exits("a")
        play.advance(1.0)
        play.built("a")
    assert delays(play, "a") == [0.0, 1.0, 0.0, 1.0]


def test_a_group_that_restarts_together_waits_like_a_child_alone():
    play = up("a", "b", strategy="one_for_all")
    for _ in range(2):
        play.settle(works, patience=0.0)
        play.exits("a")
        play.exits("b", IN_ORDER)
    play.told.clear()
    play.advance(0.99)
    assert play.told == []
    play.advance(0.02)
    assert play.told == ["start a"]


def test_a_counterpart_that_is_not_there_yet_is_waited_for_as_for_a_connection():
    patient = RestartPolicy(max_restarts=0, backoff_min=7.0, backoff_max=7.0)
    play = started(system("a", reconnect=patient, restart=SLOW))
    for _ in range(3):
        play.fails("a", REFUSED)
        play.advance(7.0)
    assert delays(play, "a") == [0.0, 7.0, 7.0]


def test_children_of_a_group_that_starts_again_have_all_their_restarts_again():
    once = RestartPolicy(max_restarts=1)
    play = up(group("inner", system("a", restart=once)))
    play.exits("a")
    play.built("a")
    play.hand.restart("inner", "order")
    play.settle(works)
    play.exits("a")
    assert play.standing("a") == "starting"


def test_a_child_that_fails_where_it_was_to_be_stopped_anyway_is_not_restarted_for_that():
    play = started("a", "b", "c", strategy="one_for_all", on_start_failure="retry")
    play.built("a")
    play.fails("b")  # and is tried again by itself
    play.built("c")
    play.exits("a")  # so that c, and then b, are to be stopped
    before = len(delays(play, "b"))
    play.fails("b")
    assert len(delays(play, "b")) == before
    play.settle(works)
    assert play.up == "a b c"


# ---- recovering ----------------------------------------------------------------------------


def test_a_tree_that_comes_back_tries_again_what_fails_until_all_of_it_was_up():
    play = started("a", group("inner", "b", on_start_failure="fail"), recovering=True)
    play.built("a")
    play.fails("b")
    assert play.standing("b") == "starting"
    play.built("b")
    play.hand.restart("inner", "order")
    play.exits("b", IN_ORDER)
    life = play.tree.nodes["inner"].incarnation
    play.fails("b")  # as in any other tree, its group fails with it, and is restarted
    assert play.tree.nodes["inner"].incarnation == life + 1


# ---- stopping ------------------------------------------------------------------------------


def test_a_system_that_is_to_be_killed_is_killed_when_it_is_stopped():
    play = up(system("a", shutdown="brutal_kill"), "b")
    play.hand.terminate_child("a", 1)
    play.hand.terminate_child("b", 2)
    assert [each.told for each in play.processes.values()] == ["kill", "stop"]


def test_a_system_that_is_killed_while_it_stops_is_told_of_once():
    play = up(group("inner", "a", "b", shutdown=1.0))
    play.hand.terminate_child("inner", 1)
    play.advance(1.0)
    assert sorted(told(play, EventKind.STOPPING)) == ["a", "b", "inner"]


def test_a_group_has_all_its_time_to_stop_each_time():
    play = up(group("inner", "a", shutdown=5.0))
    play.hand.terminate_child("inner", 1)
    play.exits("a", IN_ORDER)
    play.hand.restart_child("inner", 2)
    play.built("a")
    play.advance(4.0)
    play.hand.terminate_child("inner", 3)
    play.advance(4.9)
    assert play.processes["a"].told == "stop"
    play.advance(0.2)
    assert play.processes["a"].told == "kill"


def test_whoever_stops_a_tree_that_gives_up_has_the_last_word():
    play = up("a", "b", **IMPATIENT)
    play.exits("a")
    play.tree.stop()
    play.exits("b", IN_ORDER)
    assert play.ended.why is None
    assert told(play, EventKind.STOPPING) == ["root", "b"]


def test_a_tree_that_has_ended_is_not_stopped_again():
    play = up("a")
    for _ in range(2):
        play.tree.stop()
        play.settle(works)
    assert told(play, EventKind.STOPPING) == ["root", "a"]


def test_a_group_that_gives_up_says_so_and_then_that_it_has_stopped():
    play = up(group("inner", "a", "b", **IMPATIENT, restart_type="temporary"))
    play.exits("a")
    [gave_up] = [each for each in play.events if each.kind is EventKind.GAVE_UP]
    assert (gave_up.system_name, gave_up.reason) == ("inner", BUG.of("a").reason)
    assert told(play, EventKind.STOPPED) == []
    play.exits("b", IN_ORDER)
    [stopped] = [e for e in play.events if (e.kind, e.system_name) == (EventKind.STOPPED, "inner")]
    assert stopped.reason == BUG.of("a").reason
    assert play.standing("inner") == "removed"


# ---- those who wait ------------------------------------------------------------------------


def test_nothing_is_left_of_a_new_child_that_is_stopped_before_it_was_up():
    play = up("a")
    play.hand.start_child(system("b"), None, "up")
    play.hand.terminate_child("b", "down")
    play.exits("b", IN_ORDER)
    assert play.settled == {"up": "unavailable", "down": None}
    assert play.standing("b") == "removed"


def test_a_child_that_was_up_once_is_kept_when_it_is_stopped_in_its_second_start():
    play = up("a")
    play.hand.terminate_child("a", 1)
    play.exits("a", IN_ORDER)
    play.hand.restart_child("a", "up")
    play.hand.terminate_child("a", "down")
    play.exits("a", IN_ORDER)
    assert play.settled == {1: None, "up": "unavailable", "down": None}
    assert play.standing("a") == "terminated"


def test_whoever_waits_for_a_child_that_is_stopped_and_started_with_others_waits_on():
    play = up("a", "b", strategy="one_for_all")
    play.hand.restart("b", "order")
    play.exits("a")
    play.exits("b", IN_ORDER)
    assert play.settled == {}
    play.built("a")
    play.built("b")
    assert play.settled == {"order": None}


def test_whoever_waits_for_a_child_between_two_attempts_hears_that_it_was_stopped():
    play = started("a", "b", on_start_failure="retry", strategy="one_for_all")
    play.built("a")
    for _ in range(2):
        play.fails("b")
    play.hand.restart("b", "order")
    for _ in range(2):
        play.fails("b")
    assert play.standing("b") == "restarting"
    play.exits("a")
    assert play.settled == {"order": "unavailable"}


def test_whoever_waits_for_a_temporary_child_that_cannot_be_started_hears_that_it_is_gone():
    play = started(system("a", restart_type="temporary"), "b", on_start_failure="retry")
    play.hand.restart("a", "order")
    play.fails("a")
    assert play.settled == {"order": "unavailable"}
    assert play.standing("a") == "removed"


# ---- two restarts that meet ----------------------------------------------------------------


def test_a_restart_in_the_middle_of_another_starts_nobody_who_had_ended():
    ended = system("ended", restart_type="transient")
    play = up(ended, "a", "b", "c", strategy="rest_for_one")
    play.exits("ended", IN_ORDER)
    play.exits("b")
    play.exits("a")
    play.settle(works)
    assert play.up == "a b c"
    assert play.standing("ended") == "ended"


def test_a_child_that_waits_for_its_restart_is_not_forgotten_for_one_that_comes_before_it():
    play = up("z", "a", "b", strategy="rest_for_one")
    for _ in range(2):
        play.settle(works, patience=0.0)
        play.exits("a")
        play.exits("b", IN_ORDER)
    assert play.standing("a") == "restarting"
    play.exits("z")
    play.settle(works, patience=5.0)
    assert play.up == "z a b"
