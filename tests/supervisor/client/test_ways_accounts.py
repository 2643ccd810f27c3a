"""What waits for a system is counted, has its time, and leaves nothing behind."""

from actors.messages import (
    Deliver,
    FencePassed,
    ReceiveData,
    SendData,
    limits,
)
from actors.messages.limits import WINDOW
from supervisor.client.way_actions import Tell
from tests.helpers.plant import MAILBOX, received, sent

# ---- limits ------------------------------------------------------------------------------------


def test_as_many_bytes_may_wait_as_the_limit_says_and_none_more(plant, monkeypatch):
    monkeypatch.setattr(limits, "MAILBOX_BYTES", 10)
    plant.open()
    for _ in range(2):  # what was answered does not count any more
        five = [plant.ask(SendData("plc", b"five.")) for _ in range(2)]
        [failure] = plant.answers(plant.ask(SendData("plc", b"6")))
        assert failure.code == "overloaded"
        assert plant.answers(five[1]) == []
        plant.say(*map(sent, five))


def test_what_the_supervisor_has_counts_here_no_more(plant):
    plant.open()
    requests = [plant.ask(SendData("plc", number)) for number in range(MAILBOX)]
    assert plant.delivered() == requests[:WINDOW]
    plant.ways.closing(1)
    plant.say(*map(sent, requests[:WINDOW]))
    assert plant.routed() == requests[WINDOW:]
    more = [plant.ask(SendData("plc", number)) for number in range(MAILBOX)]
    assert [plant.answers(each) for each in more] == [[]] * MAILBOX
    for each in requests[WINDOW:] + more:
        plant.ways.routed_reply(each.request_id, sent(each), plant.now)
    plant.ways.opened(plant.found, 0)
    for _ in range(MAILBOX):
        plant.ask(SendData("plc", "x"))
    [failure] = plant.answers(plant.ask(SendData("plc", "x")))
    assert failure.code == "overloaded", "what it answered made no more room than it took"


# ---- what is known of what waits ---------------------------------------------------------------


def test_what_only_the_manager_knows_of_is_what_no_process_has_taken(plant):
    plant.open()
    assert plant.ways.untaken == 0
    requests = [plant.ask(SendData("plc", number)) for number in range(WINDOW + 1)]
    assert plant.ways.untaken == WINDOW + 1
    plant.ways.heard(plant.answered(taken=1), plant.now)
    assert plant.ways.untaken == WINDOW, "the first was taken, and not answered"
    plant.flush()
    plant.say(*map(sent, requests))
    assert plant.ways.untaken == 0


def test_what_the_supervisor_has_is_no_secret_of_the_manager(plant):
    plant.ask(SendData("plc", "x"))
    assert plant.ways.untaken == 0


def test_a_system_is_idle_when_nothing_is_asked_and_no_fence_is_under_way(plant):
    plant.open(proven=False)
    assert plant.ways.is_idle
    request = plant.ask(SendData("plc", "x"))
    [fence] = plant.routed()
    assert not plant.ways.is_idle
    assert plant.ways.cancel(request.request_id)
    assert not plant.ways.is_idle, "its fence is still under way"
    plant.ways.routed_reply(fence.request_id, FencePassed(request_id=fence.request_id), plant.now)
    assert plant.ways.is_idle


def test_there_is_work_while_something_is_to_be_sent_or_said(plant):
    plant.open()
    assert not plant.ways.has_work
    request = ReceiveData("plc")
    plant.ways.ask(request, lambda _: None, plant.now)
    assert plant.ways.has_work, "it is in the queue"
    plant.flush()
    assert not plant.ways.has_work
    plant.ways.cancel(request.request_id)
    assert plant.ways.has_work, "it is to be forgotten"
    plant.flush()
    assert not plant.ways.has_work
    plant.ways.give_back(received(request, "precious"))
    assert plant.ways.has_work, "an item goes back"
    plant.flush()
    assert not plant.ways.has_work


def test_to_ask_now_says_at_once_what_is_to_be_done(plant):
    plant.open()
    request, answers = SendData("plc", b"x"), []
    [action] = plant.ways.ask_now(request, answers.append, plant.now, 1)
    assert isinstance(action, Tell)
    assert isinstance(action.message, Deliver)
    assert [each for _, each in action.message.requests] == [request]


def test_what_is_taken_back_from_the_supervisor_is_work(plant):
    request = plant.ask(SendData("plc", "x"))
    assert not plant.ways.has_work
    plant.ways.cancel(request.request_id)
    assert plant.ways.has_work


def test_what_was_handed_back_is_work(plant):
    plant.open()
    request = plant.ask(SendData("plc", "x"))
    plant.ways.heard(plant.answered(taken=1, refused=(request.request_id,)), plant.now)
    assert plant.ways.has_work


# ---- time ----------------------------------------------------------------------------------------


def test_what_the_system_does_not_answer_in_time_has_failed_and_may_have_been_done(plant):
    plant.open()
    request = plant.ask(SendData("plc", "x", timeout=5.0))
    plant.ways.tick(plant.now + 4.9)
    assert plant.answers(request) == []
    plant.ways.tick(plant.now + 5.0)
    [failure] = plant.answers(request)
    assert (failure.code, failure.outcome) == ("timeout", "unknown")


def test_what_has_run_out_before_its_turn_is_never_sent(plant):
    plant.open()
    first = [plant.ask(SendData("plc", number)) for number in range(WINDOW)]
    late = plant.ask(SendData("plc", "late", timeout=5.0))
    plant.ways.tick(plant.now + 5.0)
    [failure] = plant.answers(late)
    assert (failure.code, failure.outcome) == ("timeout", "not_sent")
    plant.say(*map(sent, first))
    assert late not in plant.delivered()


def test_what_is_answered_leaves_no_deadline_behind(plant):
    plant.open()
    for number in range(200):
        plant.say(sent(plant.ask(SendData("plc", number))))
    plant.ways.tick(plant.now + 1.0)  # the fence's
    assert len(plant.ways._deadlines._of) == 0
