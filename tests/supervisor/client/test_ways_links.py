"""What becomes of requests when a link opens, closes and is lost, and of what is owed then."""

from actors.messages import (
    Answered,
    ConnectSystem,
    Fence,
    FencePassed,
    Forget,
    Outcome,
    ReceiveData,
    SendData,
    SendMany,
    TakeBack,
)
from supervisor.client.fencing import FENCE_PATIENCE
from supervisor.client.way_actions import GiveBack, Route, Tell, Unroute
from tests.helpers.plant import part, received, sent


def fences(plant):
    return [each for each in plant.routed() if isinstance(each, Fence)]


# ---- the end of an incarnation -----------------------------------------------------------------


def test_nothing_goes_straight_to_an_incarnation_that_is_about_to_end(plant):
    plant.open()
    plant.ways.closing(1)
    request = plant.ask(SendData("plc", "x"))
    assert (plant.delivered(), plant.routed()) == ([], [request])


def test_that_an_earlier_incarnation_is_about_to_end_changes_nothing(plant):
    plant.open(incarnation=1)
    plant.ways.closing(0)
    request = plant.ask(SendData("plc", "x"))
    assert plant.delivered() == [request]


def test_the_next_incarnation_is_sent_to_straight_again(plant):
    plant.open()
    plant.ways.closing(1)
    plant.ways.opened(plant.found, 0)
    request = plant.ask(SendData("plc", "x"))
    assert plant.delivered() == [request]


def test_what_another_incarnation_says_is_not_heard(plant):
    plant.open()
    request = plant.ask(SendData("plc", "x"))
    answered = ((request.request_id, sent(request)),)
    plant.ways.heard(Answered("plc", 2, plant.taken, answered, ()), plant.now)
    assert plant.answers(request) == []
    plant.say(sent(request))
    assert plant.answers(request) == [sent(request)]


def test_what_is_read_of_a_link_that_was_lost_is_not_heard(plant):
    plant.open()
    request = plant.ask(SendData("plc", "x"))
    plant.ways.lost()
    plant.say(sent(request))
    assert plant.answers(request) == []


def test_only_what_went_straight_can_be_handed_back(plant):
    plant.open()
    request = plant.ask(ConnectSystem("plc"))
    plant.say(refused=(request.request_id, request.request_id + 1000))
    assert plant.routed() == [request]
    later = plant.ask(SendData("plc", "x"))
    [fence] = fences(plant)
    plant.ways.routed_reply(fence.request_id, FencePassed(request_id=fence.request_id), plant.now)
    plant.flush()
    assert plant.delivered() == [later], "the link is none that closes"


def test_what_was_handed_back_goes_on_once(plant):
    plant.open()
    first = plant.ask(SendData("plc", 1))
    plant.say(refused=(first.request_id,))
    second = plant.ask(SendData("plc", 2))
    assert plant.routed() == [first, second]


# ---- a lost link -------------------------------------------------------------------------------


def test_without_a_link_none_can_be_lost(plant):
    request = plant.ask(SendData("plc", "x"))
    assert plant.ways.lost() == []
    assert plant.answers(request) == []


def test_only_what_went_straight_waits_for_the_reason_of_a_loss(plant):
    plant.open()
    straight, behind = plant.ask(SendData("plc", 1)), plant.ask(ConnectSystem("plc"))
    assert plant.ways.lost() == [straight.request_id]
    plant.ways.unexplained([straight.request_id, behind.request_id], "its process hung up")
    assert [len(plant.answers(each)) for each in (straight, behind)] == [1, 0]


def test_of_what_a_lost_supervisor_has_nothing_is_answered_here(plant):
    plant.open()
    straight, behind = plant.ask(SendData("plc", 1)), plant.ask(ConnectSystem("plc"))
    plant.ways.lost()
    plant.ways.supervisor_lost("the supervisor was killed")
    [failure] = plant.answers(straight)
    assert plant.answers(behind) == []
    assert (failure.code, failure.outcome) == ("unavailable", Outcome.UNKNOWN)
    assert failure.text == "plc: the supervisor was killed before it answered"
    assert failure.system_name is None


# ---- taking back, and giving back ----------------------------------------------------------------


def test_the_supervisor_is_told_nothing_of_what_it_does_not_have(plant):
    plant.open()
    delivered = plant.ask(ReceiveData("plc"))
    plant.ways.cancel(delivered.request_id)
    plant.flush()
    assert [each for each in plant.actions if isinstance(each, Unroute)] == []


def test_the_system_is_told_nothing_of_what_it_does_not_have(plant):
    routed = plant.ask(ReceiveData("plc"))
    plant.open(proven=False)
    plant.ways.cancel(routed.request_id)
    plant.flush()
    assert plant.told(Forget) == []


def test_data_given_back_goes_alone_where_nothing_is_to_be_forgotten(plant):
    plant.open()
    request = plant.ask(ReceiveData("plc"))
    plant.ways.give_back(received(request, "precious"))
    plant.flush()
    assert plant.actions[1:] == [Tell(TakeBack("plc", ("precious",)))]


def test_what_is_asked_after_data_went_back_through_the_supervisor_is_not_answered_before(plant):
    request = ReceiveData("plc")
    plant.ways.give_back(received(request, "precious"))
    plant.flush()
    assert [type(each) for each in plant.actions] == [GiveBack]
    plant.open()
    plant.ways.lost()
    plant.ways.give_back(received(request, "again"))
    plant.flush()
    plant.actions.clear()
    plant.ways.opened(plant.found, 0)
    plant.ask(ReceiveData("plc"))
    assert [type(each) for each in plant.routed()] == [Fence]


# ---- the fence ---------------------------------------------------------------------------------


def test_a_fence_has_its_time(plant):
    plant.open(proven=False)
    plant.ask(SendData("plc", "x", timeout=100.0))
    assert plant.ways.next_due() == plant.now + FENCE_PATIENCE


def test_a_part_of_an_answer_does_not_prove_that_a_request_was_taken_and_its_end_does(plant):
    many = plant.ask(SendMany("plc", (1, 2), stream=True))
    plant.open(proven=False)
    first = plant.ask(SendData("plc", "first"))
    [fence] = fences(plant)
    plant.ways.routed_reply(fence.request_id, FencePassed(request_id=fence.request_id), plant.now)
    plant.flush()
    plant.say(sent(first))

    order = plant.ask(SendMany("plc", (3, 4), stream=True))
    assert plant.delivered()[-1] == order
    plant.say(part(order, True, True, final=True))
    assert plant.answers(many) == []
    plant.actions.clear()

    connect = plant.ask(ConnectSystem("plc"))
    plant.ways.routed_reply(connect.request_id, sent(connect), plant.now)
    straight = plant.ask(SendData("plc", "x"))
    assert plant.actions[0] == Route(connect)
    assert plant.delivered() == [straight], "what was answered is proven"


def test_an_answer_in_parts_is_awaited_to_its_end_before_anything_may_go_straight(plant):
    plant.open(proven=False)
    plant.ways._fencing.unproven.clear()
    large = plant.ask(SendMany("plc", (1, 2), stream=True))
    assert plant.delivered() == [large]
    plant.ways.lost()
    plant.ways.unexplained([large.request_id], "hung up")
    routed = plant.ask(SendMany("plc", (1, 2), stream=True))
    plant.ways.routed_reply(routed.request_id, part(routed, True), plant.now)
    plant.ways.opened(plant.found, 0)
    plant.ask(SendData("plc", "x"))
    assert [type(each) for each in plant.routed()] == [SendMany, Fence]
