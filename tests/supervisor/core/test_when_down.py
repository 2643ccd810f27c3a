"""What is asked of a system that is down: it fails with a hint, or waits."""

from __future__ import annotations

import pytest

from actors.messages import (
    CallCommand,
    CommandCalled,
    ConnectSystem,
    DataSent,
    DisconnectSystem,
    FailureCode,
    Fence,
    FencePassed,
    ManySent,
    QueryAnswered,
    QueryData,
    SendData,
    SendMany,
)
from actors.resilience.backoff import BackoffPolicy
from actors.resilience.policy import Policy
from supervisor.messages import CancelRequest, RestartSystem, TerminateChild
from tests.helpers.harness import Harness, failed, sent

WAITS = Policy(when_down="wait")
SLOW = {"backoff_min": 4.0, "backoff_max": 4.0, "max_restarts": 100, "period": 1000.0}
RECONNECT = BackoffPolicy(backoff_min=8.0, backoff_max=8.0)


@pytest.fixture
def plant():
    return Harness(request_timeout=30)


def up(plant, name="plc", policy=WAITS, **options):
    """A system that is meant to be connected, and is."""
    actor = plant.register(name, policy=policy, connect=True, reconnect=RECONNECT, **options)
    actor.connect()
    return actor


def crash_twice(plant):
    """So that it is restarted after four seconds."""
    plant.actor().crash_and_exit()
    plant.actor().start()
    plant.actor().crash_and_exit()


def ask(plant, *requests):
    for request in requests:
        plant.tell(request)
    return requests


# ---- restarting ---------------------------------------------------------------------------


def test_what_fails_while_a_system_is_restarted_is_told_when_that_will_be(plant):
    up(plant, policy=Policy(), **SLOW)
    [waits] = ask(plant, SendData("plc", 0, timeout=60))
    crash_twice(plant)
    plant.advance(1.0)
    reply = plant.ask(SendData("plc", 1))
    assert failed(reply) == ("unavailable", "not_sent")
    assert reply.retry_after == pytest.approx(3.0)
    assert plant.reply(waits)


def test_what_was_in_the_mailbox_is_told_as_well(plant):
    actor = up(plant, policy=Policy(), **SLOW)
    actor.crash_and_exit()
    [waits] = ask(plant, SendData("plc", 1))
    plant.actor().crash_and_exit()
    assert failed(plant.reply(waits)) == ("system_crashed", "not_sent")
    assert plant.reply(waits).retry_after == pytest.approx(4.0)


def test_who_may_wait_waits_for_the_next_incarnation(plant):
    up(plant, **SLOW)
    crash_twice(plant)
    requests = ask(plant, SendData("plc", 1), QueryData("plc", "?"), SendMany("plc", (2, 3)))
    plant.advance(5.0)
    actor = plant.actor()
    actor.start()
    assert [type(each) for each in actor.requests] == [ConnectSystem]
    actor.connect()
    assert tuple(actor.requests[1:]) == requests
    actor.answer(requests[0], DataSent)
    actor.answer(requests[1], QueryAnswered, data="!")
    assert plant.reply(requests[0]) == sent(requests[0])


def test_what_was_delivered_when_it_crashed_is_not_sent_again(plant):
    actor = up(plant, **SLOW)
    [had] = ask(plant, SendData("plc", 1))
    assert had in actor.requests
    crash_twice(plant)
    assert failed(plant.reply(had)) == ("system_crashed", "unknown")


def test_a_crash_of_the_one_that_was_waited_for_changes_nothing(plant):
    up(plant, **SLOW)
    crash_twice(plant)
    requests = ask(plant, SendData("plc", 1), SendData("plc", 2))
    for _ in range(3):
        plant.advance(5.0)
        plant.actor().start()
        plant.actor().crash_and_exit()
    plant.advance(5.0)
    plant.actor().start()
    plant.actor().connect()
    assert tuple(plant.actor().requests[1:]) == requests


def test_a_restart_by_hand_is_waited_for(plant):
    actor = up(plant)
    plant.tell(RestartSystem("plc"))
    [request] = ask(plant, SendData("plc", 1))
    actor.stop()
    actor.exit()
    plant.actor().start()
    plant.actor().connect()
    assert plant.actor().requests[-1] is request


def test_each_waits_within_its_own_time_and_is_told_why_that_was_not_enough(plant):
    up(plant, **SLOW)
    crash_twice(plant)
    soon, late = ask(plant, SendData("plc", 1, timeout=1.0), SendData("plc", 2))
    plant.advance(2.0)
    assert failed(plant.reply(soon)) == ("timeout", "not_sent")
    assert "its turn did not come within 1 s: it is restarting" in plant.reply(soon).text
    assert plant.replies(late) == []


def test_a_quarantine_ends_the_wait_with_its_reason(plant):
    actor = up(plant, max_restarts=0)
    actor.is_connected = False
    actor.report()
    [request] = ask(plant, SendData("plc", 1))
    actor.crash_and_exit()
    assert failed(plant.reply(request)) == ("unavailable", "not_sent")
    assert "quarantined" in plant.reply(request).text
    assert plant.reply(request).retry_after is None
    assert failed(plant.ask(SendData("plc", 2)))[0] == "unavailable"


def test_a_termination_ends_the_wait(plant):
    up(plant, **SLOW)
    crash_twice(plant)
    [request] = ask(plant, SendData("plc", 1))
    plant.tell(TerminateChild("plc"))
    assert failed(plant.reply(request)) == ("unavailable", "not_sent")


# ---- disconnected ---------------------------------------------------------------------------


def test_what_fails_for_want_of_a_connection_is_told_of_the_next_attempt(plant):
    actor = up(plant, policy=Policy())
    actor.lose()
    plant.advance(2.0)
    single, many = ask(plant, SendData("plc", 1), SendMany("plc", (2,)))
    actor.answer(single, single.failure(FailureCode.NOT_CONNECTED, "not connected"))

    actor.answer(
        many, ManySent, results=(many.failure(FailureCode.NOT_CONNECTED, "not connected"),)
    )
    assert plant.reply(single).retry_after == pytest.approx(6.0)
    assert plant.reply(many).results[0].retry_after == plant.reply(single).retry_after


def test_sends_and_questions_wait_for_the_connection_in_order(plant):
    actor = up(plant)
    actor.lose()
    requests = ask(plant, SendData("plc", 1), QueryData("plc", "?"), SendMany("plc", (2, 3)))
    assert not set(map(id, requests)) & set(map(id, actor.requests))
    plant.advance(10.0)
    actor.connect()
    assert tuple(actor.requests[-3:]) == requests
    actor.report()


def test_what_needs_no_connection_goes_past_them(plant):
    actor = up(plant)
    actor.lose()
    ask(plant, SendData("plc", 1))
    [command] = ask(plant, CallCommand("plc", "calibrate"))
    actor.answer(command, CommandCalled, result=None)
    assert isinstance(plant.reply(command), CommandCalled)


def test_a_fence_stays_behind_what_it_is_to_prove(plant):
    actor = up(plant)
    actor.lose()
    request, fence = ask(plant, SendData("plc", 1), Fence("plc"))
    assert fence not in actor.requests
    plant.advance(10.0)
    actor.connect()
    assert actor.requests[-2:] == [request, fence]
    actor.answer(fence, FencePassed)


def test_without_anything_held_a_fence_goes_through(plant):
    actor = up(plant)
    actor.lose()
    [fence] = ask(plant, Fence("plc"))
    assert fence in actor.requests


def test_one_that_is_not_meant_to_be_connected_is_asked_at_once(plant):
    actor = plant.register(policy=WAITS)
    [request] = ask(plant, SendData("plc", 1))
    assert request in actor.requests


def test_an_order_to_disconnect_lets_go_of_what_waits_before_it(plant):
    actor = up(plant)
    actor.lose()
    request, order = ask(plant, SendData("plc", 1), DisconnectSystem("plc"))
    assert actor.requests[-2:] == [request, order]


def test_one_that_somebody_must_mend_first_is_asked_and_says_so(plant):
    actor = up(plant)
    actor.lose()
    [request] = ask(plant, SendData("plc", 1))
    plant.advance(10.0)
    connect = [each for each in actor.requests if isinstance(each, ConnectSystem)][-1]
    actor.answer(connect, connect.failure(FailureCode.FAILED, "the password was refused"))
    assert actor.requests[-1] is request


def test_no_more_wait_than_the_mailbox_has_room_for(plant):
    actor = up(plant, mailbox_size=2)
    actor.lose()
    plant.advance(0.5)
    ask(plant, SendData("plc", 1), SendData("plc", 2))
    plant.advance(1.5)
    refused = plant.ask(SendData("plc", 3))
    assert failed(refused) == ("overloaded", "not_sent")
    assert "2 items wait already (mailbox_size 2), the first for 1.5 s" in refused.text
    assert refused.retry_after == pytest.approx(1.5)


def test_who_does_not_wait_any_more_is_taken_out(plant):
    actor = up(plant)
    actor.lose()
    first, second = ask(plant, SendData("plc", 1), SendData("plc", 2))
    plant.tell(CancelRequest((first.request_id,)))
    plant.advance(10.0)
    actor.connect()
    assert actor.requests[-1] is second
    assert first not in actor.requests
    actor.answer(second, DataSent)
    plant.tell(DisconnectSystem("plc"))


def test_what_waited_for_a_connection_waits_for_a_restart_as_well(plant):
    actor = up(plant, **SLOW)
    actor.lose()
    requests = ask(plant, SendData("plc", 1), SendData("plc", 2))
    actor.crash_and_exit()
    later = ask(plant, SendData("plc", 3))
    plant.actor().start()
    plant.advance(10.0)
    assert [type(each) for each in plant.actor().requests] == [ConnectSystem]
    plant.actor().connect()
    assert tuple(plant.actor().requests[-3:]) == (*requests, *later)
    assert plant.replies(requests[0]) == []
