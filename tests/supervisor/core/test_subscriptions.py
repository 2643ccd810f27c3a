"""Events and data for subscribers."""

import pytest

from actors.messages import DataReceived, Failure, ReceiveData, TapData
from supervisor.core.events import FOLLOWER_BYTES
from supervisor.messages import (
    DataArrived,
    DataLost,
    EventKind,
    GetStatus,
    LifecycleEvent,
    RestartSystem,
    Subscribe,
    Subscribed,
    UnregisterSystem,
    Unsubscribe,
    Unsubscribed,
)
from supervisor.messages.record import EVENTS_KEPT
from tests.helpers.harness import Harness


@pytest.fixture
def plant():
    return Harness()


def test_a_subscription_says_with_which_event_it_begins(plant):
    plant.register()
    request = Subscribe()
    assert plant.ask(request, "sue") == Subscribed(request_id=request.request_id, next_sequence=7)
    plant.actor().crash_and_exit()
    assert plant.events("sue")[0].sequence == 7


def test_events_go_to_those_who_want_them_until_they_do_not(plant):
    plant.tell(Subscribe(), "sue")
    plant.tell(Subscribe(lifecycle=False), "tom")
    plant.register("one")
    request = Unsubscribe()
    assert plant.ask(request, "sue") == Unsubscribed(request_id=request.request_id)
    plant.register("two")
    assert {event.system_name for event in plant.events("sue")} == {"one"}
    assert plant.events("tom") == []


def test_who_is_not_subscribed_can_unsubscribe(plant):
    assert isinstance(plant.ask(Unsubscribe()), Unsubscribed)


def test_sequence_numbers_have_no_gap_for_any_subscriber(plant):
    first = plant.ask(Subscribe(), "sue").next_sequence
    plant.register("one")
    plant.quarantine("two")
    plant.tell(RestartSystem("two"))
    plant.tell(UnregisterSystem("one"))
    plant.actor("one").exit()
    numbers = [event.sequence for event in plant.events("sue")]
    assert numbers == list(range(first, first + len(numbers)))
    assert plant.events("sue")[-1].kind is EventKind.UNREGISTERED


def test_a_system_is_tapped_while_it_has_subscribers_to_its_data(plant):
    actor = plant.register()
    plant.tell(Subscribe(data_from=("plc",)), "sue")
    plant.tell(Subscribe(data_from=None), "tom")
    assert actor.told == [TapData(True)]
    plant.tell(Unsubscribe(), "sue")
    assert actor.told == [TapData(True)]
    plant.leave("tom")
    assert actor.told == [TapData(True), TapData(False)]


def test_a_new_subscription_takes_the_place_of_the_one_before(plant):
    one, two = plant.register("one"), plant.register("two")
    plant.tell(Subscribe(data_from=("one",)), "sue")
    plant.tell(Subscribe(data_from=("two",)), "sue")
    assert one.told == [TapData(True), TapData(False)]
    assert two.told == [TapData(True)]


def test_systems_registered_later_are_tapped_too(plant):
    plant.tell(Subscribe(data_from=("later",)), "sue")
    assert plant.register("later").told == [TapData(True)]
    assert plant.register("other").told == []


def test_a_restarted_system_is_tapped_again(plant):
    plant.tell(Subscribe(data_from=None), "sue")
    plant.register().crash_and_exit()
    plant.actor().start()
    assert plant.actor().told == [TapData(True)]


def test_a_system_that_is_ending_is_left_alone(plant):
    actor = plant.register()
    plant.tell(UnregisterSystem("plc"))
    plant.tell(Subscribe(data_from=None), "sue")
    assert actor.told_of(TapData) == []


def test_data_goes_to_every_subscriber_of_its_system(plant):
    one, two = plant.register("one"), plant.register("two")
    plant.tell(Subscribe(lifecycle=False, data_from=("one",)), "sue")
    plant.tell(Subscribe(lifecycle=False, data_from=None), "tom")
    plant.tell(Subscribe(lifecycle=False), "eve")
    one.report(tapped=(b"1", b"2"))
    two.report(tapped=(b"3",))
    assert plant.events("sue") == [DataArrived("one", (b"1", b"2"))]
    assert plant.events("tom") == [DataArrived("one", (b"1", b"2")), DataArrived("two", (b"3",))]
    assert plant.events("eve") == []


def test_an_item_that_also_answers_a_receive_counts_once(plant):
    actor = plant.register()
    plant.tell(Subscribe(data_from=("plc",)), "sue")
    request = ReceiveData("plc")
    plant.tell(request)
    reply = DataReceived(request_id=request.request_id, system_name="plc", data=b"1")
    actor.report((actor.ref_of(request), reply), tapped=(b"1", b"2"))
    assert plant.reply(request) == reply
    assert plant.ask(GetStatus("plc")).status.received == 2


def test_who_wants_no_events_does_not_get_those_that_were_before(plant):
    plant.register()
    plant.tell(Subscribe(lifecycle=False, since=0), "sue")
    assert plant.events("sue") == []


def test_who_asks_for_events_that_are_not_kept_any_more_is_told_to_begin_anew(plant):
    for _ in range(EVENTS_KEPT):
        plant.register()
        plant.tell(UnregisterSystem("plc"))
        plant.actor().exit()
        if isinstance(answer := plant.ask(Subscribe(since=0), "sue"), Failure):
            break
    assert answer.text == "not all events since 0 are kept any more; begin anew"


def test_who_asks_for_events_that_never_were_is_told_whose_they_are(plant):
    last = plant.ask(Subscribe(), "sue").next_sequence - 1
    assert isinstance(plant.ask(Subscribe(since=last), "sue"), Subscribed)
    text = plant.ask(Subscribe(since=last + 1), "sue").text
    assert text == (
        f"the last event of this supervisor is {last}: the {last + 1} was another supervisor's; "
        "begin anew"
    )


def test_a_slow_follower_loses_the_data_and_costs_nobody_else(plant):
    unread = {}
    plant.core._context.unread = lambda client: unread.get(client, 0)
    actor = plant.register()
    plant.tell(Subscribe(data_from=("plc",)), "slow")
    plant.tell(Subscribe(data_from=("plc",)), "quick")
    actor.report(tapped=(b"1",))
    unread["slow"] = FOLLOWER_BYTES + 1
    actor.report(tapped=(b"2",))
    actor.report(tapped=(b"3",))
    data = [each for each in plant.events("quick") if isinstance(each, DataArrived)]
    assert [each.items for each in data] == [(b"1",), (b"2",), (b"3",)]
    mine = [type(each) for each in plant.events("slow") if not isinstance(each, LifecycleEvent)]
    assert mine == [DataArrived, DataLost]
    actor.crash_and_exit()
    assert plant.events("slow")[-1].kind == "starting", "what happens it is told as before"
    unread.clear()
    plant.tell(Subscribe(data_from=("plc",)), "slow")
    again = plant.actor()
    again.start()
    again.report(tapped=(b"4",))
    assert plant.events("slow")[-1] == DataArrived("plc", (b"4",))
