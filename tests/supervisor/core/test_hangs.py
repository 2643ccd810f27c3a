"""What a supervisor does about a system that hangs."""

from actors.messages import Heartbeat, HeartbeatAnswered, SendData, Thread
from supervisor.messages import EventKind, LifecycleEvent, Subscribe, UnregisterSystem
from tests.helpers.harness import Harness, failed

LIMIT = 9.0


def watched():
    harness = Harness()
    harness.tell(Subscribe(), "watcher")
    actor = harness.register(hang_timeout=LIMIT, connect=True)
    actor.connect()
    return harness, actor


def kinds(harness):
    return [e.kind for e in harness.events("watcher") if isinstance(e, LifecycleEvent)]


def test_it_is_killed_and_restarted_and_what_it_had_is_answered_once():
    harness, actor = watched()
    send = SendData("plc", 1)
    harness.tell(send)
    asked_at = harness.now
    while not actor.killed:
        assert harness.now < asked_at + LIMIT * 1.5
        harness.advance(0.5)
    actor.exit()
    assert failed(harness.reply(send)) == ("system_crashed", "unknown")
    assert "silent for 9 s" in harness.reply(send).text
    assert harness.incarnations() == [1, 2]
    hung = kinds(harness).index(EventKind.HUNG)
    assert kinds(harness)[hung : hung + 2] == [EventKind.HUNG, EventKind.CRASHED]


def test_one_that_does_not_end_even_so_is_abandoned_and_reported():
    harness, _ = watched()
    harness.advance(LIMIT * 1.5 + 1.0)
    assert EventKind.ABANDONED in kinds(harness)
    assert harness.incarnations() == [1, 2]


def test_one_that_answers_lives_on():
    harness, actor = watched()
    for _ in range(100):
        harness.advance(LIMIT / 3)
        number = len(actor.told_of(Heartbeat))
        for thread in Thread:
            actor.say(HeartbeatAnswered("plc", 1, thread, number))
    assert len(actor.told_of(Heartbeat)) > 30
    assert not actor.killed
    assert EventKind.HUNG not in kinds(harness)


def test_one_that_is_stopping_is_not_asked_and_does_not_hang():
    harness, actor = watched()
    harness.tell(UnregisterSystem("plc"))
    harness.advance(LIMIT * 1.5)
    assert not actor.told_of(Heartbeat)
    assert EventKind.HUNG not in kinds(harness)
