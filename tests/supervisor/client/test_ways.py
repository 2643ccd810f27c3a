"""The two ways to one system, case by case; random histories are in test_ways_properties."""

import pytest

from actors.messages import (
    Answered,
    ConnectSystem,
    Deliver,
    Failure,
    Fence,
    FencePassed,
    Forget,
    ReceiveData,
    SendData,
    SendMany,
    TakeBack,
)
from actors.messages.limits import WINDOW
from supervisor.client import load
from supervisor.client.way_actions import GiveBack, Unroute
from tests.helpers.plant import LARGEST, MAILBOX, part, received, sent


def test_without_a_link_all_goes_through_the_supervisor(plant):
    request = plant.ask(SendData("plc", "x"))
    assert plant.routed() == [request]


def test_with_one_it_goes_straight(plant):
    plant.open()
    request = plant.ask(SendData("plc", "x"))
    assert (plant.delivered(), plant.routed()) == ([request], [])


# ---- the answer to a SendMany ----------------------------------------------------------------


def test_a_send_many_that_goes_straight_is_answered_by_all_its_parts_together(plant):
    plant.open()
    request = plant.ask(SendMany("plc", (1, 2, 3)))
    plant.say(part(request, True))
    assert plant.answers(request) == []
    plant.say(part(request, True, True, final=True))
    assert plant.answers(request) == [part(request, True, True, True, final=True)]


@pytest.mark.parametrize("straight", [True, False])
def test_a_part_of_an_answer_is_passed_on_as_it_comes(plant, straight):
    if straight:
        plant.open()
    request = plant.ask(SendMany("plc", (1, 2), stream=True))
    first, last = part(request, True), part(request, True, final=True)
    for count, each in enumerate((first, last), 1):
        if straight:
            plant.say(each)
        else:
            plant.ways.routed_reply(request.request_id, each, plant.now)
        assert plant.answers(request) == [first, last][:count]


def test_what_is_refused_of_a_send_many_comes_behind_its_last_part_and_no_other(plant):
    plant.open()
    request = plant.ask(SendMany("plc", range(MAILBOX + 1), stream=True))
    [taken] = plant.delivered()
    assert taken.items == tuple(range(MAILBOX))
    plant.say(part(request, True))
    assert plant.answers(request)[-1] == part(request, True)
    plant.say(part(request, *(True,) * 4, final=True))
    *results, refused = plant.answers(request)[-1].results
    assert results == [True] * 4
    assert (refused.code, refused.outcome) == ("overloaded", "not_sent")


def test_each_part_renews_the_time_of_a_request_that_went_straight(plant):
    plant.open()
    request = plant.ask(SendMany("plc", (1, 2), stream=True, timeout=5.0))
    plant.now += 4
    plant.say(part(request, True))
    plant.now += 4
    plant.ways.tick(plant.now)
    assert len(plant.answers(request)) == 1
    plant.now += 2
    plant.ways.tick(plant.now)
    [_, failure] = plant.answers(request)
    assert (failure.code, failure.outcome) == ("timeout", "unknown")


# ---- limits ----------------------------------------------------------------------------------


@pytest.mark.parametrize("measured", [True, False])
def test_an_item_that_is_too_large_is_refused_by_the_supervisor(plant, measured):
    plant.open()
    large, fits = b"x" * (LARGEST + 1), b"x" * LARGEST
    goes = plant.ask(SendData("plc", fits), len(fits) if measured else None)
    assert plant.delivered() == [goes]
    plant.say(sent(goes))
    refused = plant.ask(SendData("plc", large), len(large) if measured else None)
    assert plant.routed() == [refused]


def test_what_is_too_large_for_one_frame_among_others_goes_through_the_supervisor(
    plant, monkeypatch
):
    monkeypatch.setattr(load, "_LARGEST", 3 * LARGEST)
    plant.open()
    fits, large = (SendMany("plc", (bytes(LARGEST),) * count) for count in (3, 4))
    plant.ask(fits)
    plant.say(part(fits, *(True,) * 3, final=True))
    plant.ask(large)
    assert (plant.delivered(), plant.routed()) == ([fits], [large])


def test_no_more_goes_while_two_deliveries_are_not_taken(plant):
    plant.open()
    requests = [plant.ask(SendData("plc", number)) for number in range(WINDOW + 2)]
    assert plant.delivered() == requests[:WINDOW]
    plant.say(sent(requests[0]))
    assert plant.delivered() == requests
    assert plant.told(Deliver)[-1].number == 1 + WINDOW + 1, "what waited goes together"


def test_one_too_many_is_refused_at_once(plant):
    plant.open()
    for _ in range(MAILBOX):
        plant.ask(SendData("plc", "x"))
    request = plant.ask(SendData("plc", "x"))
    [failure] = plant.answers(request)
    assert (failure.code, failure.outcome) == ("overloaded", "not_sent")
    assert plant.ways.untaken <= MAILBOX


# ---- taking back -----------------------------------------------------------------------------


def test_what_is_cancelled_while_it_waits_goes_nowhere(plant):
    plant.open(proven=False)
    first, second = plant.ask(SendData("plc", 1)), plant.ask(SendData("plc", 2))
    [fence] = plant.routed()
    assert plant.ways.cancel(first.request_id)
    plant.ways.routed_reply(fence.request_id, FencePassed(request_id=fence.request_id), plant.now)
    plant.flush()
    assert plant.delivered() == [second]
    plant.say(sent(second))
    assert plant.answers(first) == []
    assert plant.ways.is_idle


def test_the_system_is_told_to_forget_what_is_cancelled_after_it_went(plant):
    plant.open()
    request = plant.ask(ReceiveData("plc"))
    assert plant.ways.cancel(request.request_id)
    plant.flush()
    assert plant.told(Forget) == [Forget((request.request_id,))]
    plant.say(received(request, "precious"))
    assert plant.answers(request) == []
    assert plant.told(TakeBack) == [TakeBack("plc", ("precious",))]


def test_what_is_cancelled_after_it_was_handed_back_goes_nowhere(plant):
    plant.open()
    first, second = plant.ask(SendData("plc", 1)), plant.ask(SendData("plc", 2))
    plant.ways.heard(Answered("plc", 1, 2, (), (first.request_id,)), plant.now)
    assert plant.ways.cancel(first.request_id)
    plant.flush()
    plant.say(refused=(second.request_id,))
    assert plant.routed() == [second]


def test_the_supervisor_is_told_of_what_is_cancelled_after_it_was_routed(plant):
    request = plant.ask(ReceiveData("plc"))
    assert plant.ways.cancel(request.request_id)
    plant.flush()
    assert plant.actions[-1] == Unroute(request.request_id)
    plant.ways.routed_reply(request.request_id, received(request, "precious"), plant.now)
    plant.flush()
    assert plant.answers(request) == []
    [given_back] = [each.message for each in plant.actions if isinstance(each, GiveBack)]
    assert given_back.items == ("precious",)


def test_to_cancel_what_is_not_open_does_nothing_and_says_so(plant):
    plant.open()
    request = plant.ask(SendData("plc", "x"))
    plant.say(sent(request))
    before = len(plant.actions)
    assert plant.ways.cancel(request.request_id) is False
    assert plant.ways.cancel(request.request_id + 1000) is False
    plant.flush()
    assert len(plant.actions) == before
    assert plant.answers(request) == [sent(request)]


# ---- order -----------------------------------------------------------------------------------


def test_what_is_behind_an_order_waits_for_the_fence_behind_it(plant):
    plant.open()
    order, send = plant.ask(ConnectSystem("plc")), plant.ask(SendData("plc", "x"))
    [first, fence] = plant.routed()
    assert first == order
    assert isinstance(fence, Fence)
    assert plant.delivered() == []
    plant.ways.routed_reply(fence.request_id, FencePassed(request_id=fence.request_id), plant.now)
    plant.flush()
    assert plant.delivered() == [send]


def test_an_order_waits_until_all_that_went_straight_is_taken(plant):
    plant.open()
    send, order = plant.ask(SendData("plc", "x")), plant.ask(ConnectSystem("plc"))
    assert plant.routed() == []
    plant.say(sent(send))
    assert plant.routed() == [order]


def test_what_was_handed_back_waits_for_all_that_was_delivered_before_it_goes_on(plant):
    plant.open()
    first, second, third = (plant.ask(SendData("plc", number)) for number in range(3))
    plant.ways.heard(Answered("plc", 1, plant.taken - 1, (), (first.request_id,)), plant.now)
    plant.flush()
    assert plant.routed() == []
    plant.say(refused=(second.request_id,))
    assert plant.routed() == [first, second, third]


def test_a_fence_that_does_not_come_back_lets_all_go_through_the_supervisor(plant):
    plant.open(proven=False)
    send = plant.ask(SendData("plc", "x"))
    plant.now += 1.0
    plant.ways.tick(plant.now)
    plant.flush()
    assert plant.routed()[1:] == [send]


def test_a_lost_link_leaves_what_went_straight_to_its_reason(plant):
    plant.open()
    request = plant.ask(SendData("plc", "x"))
    plant.ways.lost()
    assert plant.answers(request) == []
    plant.ways.ended(2, "system_crashed", "another one crashed")
    assert plant.answers(request) == []
    plant.ways.ended(1, "system_crashed", "crashed")
    [failure] = plant.answers(request)
    assert isinstance(failure, Failure)
    assert (failure.code, failure.outcome) == ("system_crashed", "unknown")


def test_only_what_nobody_said_the_reason_of_is_given_up(plant):
    plant.open()
    first = plant.ask(SendData("plc", 1))
    orphans = plant.ways.lost()
    assert orphans == [first.request_id]
    plant.ways.ended(1, "system_crashed", "crashed")
    plant.ways.opened(plant.found, 0)  # registered anew
    second = plant.ask(SendData("plc", 2))
    assert plant.delivered() == [first, second]
    more = plant.ways.lost()
    plant.ways.unexplained(orphans, "its process hung up")
    assert (len(plant.answers(first)), plant.answers(second)) == (1, [])
    plant.ways.unexplained(more, "its process hung up")
    [failure] = plant.answers(second)
    assert (failure.code, failure.outcome) == ("unavailable", "unknown")


def test_what_is_on_its_way_straight_may_be_overtaken_until_it_is_taken_cancelled_or_not(plant):
    plant.open()
    request = plant.ask(SendData("plc", "x"))
    assert not plant.ways.all_is_taken
    plant.ways.cancel(request.request_id)
    assert not plant.ways.all_is_taken
    plant.say()
    assert plant.ways.all_is_taken
