"""Deadlines, and askers who do not wait any more."""

import pytest

from actors.messages import (
    CallCommand,
    ConnectSystem,
    DataReceived,
    DataSent,
    DisconnectSystem,
    Forget,
    ManyReceived,
    ReceiveData,
    ReceiveMany,
    SendData,
    SendMany,
    SystemConnected,
    TakeBack,
)
from supervisor.messages import (
    AllConnected,
    CancelRequest,
    ConnectAll,
    GetStatus,
    RegisterSystem,
    RestartSystem,
    StopSupervisor,
    Subscribe,
    SystemState,
    UnregisterSystem,
)
from tests.helpers.harness import Harness, failed, spec


@pytest.fixture
def plant():
    return Harness(request_timeout=30, connect_timeout=60)


# ---- time runs out ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "seconds"),
    [
        (SendData("plc", b""), 30),
        (SendData("plc", b"", timeout=2), 2),
        (SendMany("plc", (1, 2)), 30),
        (CallCommand("plc", "f"), 30),
        (DisconnectSystem("plc"), 30),
        (ConnectSystem("plc", keep_trying=False), 60),
        (ConnectSystem("plc", keep_trying=False, timeout=5), 5),
        (ReceiveData("plc"), 30),
        (ReceiveData("plc", 10), 40),
        (ReceiveData("plc", 10, timeout=3), 3),
        (ReceiveMany("plc", 5, 10), 40),
    ],
    ids=str,
)
def test_a_request_without_an_answer_fails_when_its_time_is_over(plant, request_, seconds):
    actor = plant.register()
    plant.tell(request_)
    plant.advance(seconds - 0.01)
    assert plant.replies(request_) == []
    plant.advance(0.02)
    failure = plant.reply(request_)
    assert failed(failure) == ("timeout", "unknown")
    assert f"no answer within {seconds} s" in failure.text
    assert actor.told[-1] == Forget((actor.ref_of(request_),))
    plant.assert_nothing_open()


def test_a_request_whose_turn_did_not_come_is_never_delivered(plant):
    actor = plant.register()
    for _ in range(2):
        plant.tell(SendData("plc", b"hangs"))
    request = SendData("plc", b"", timeout=5)
    plant.tell(request)
    plant.advance(5.01)
    failure = plant.reply(request)
    assert failed(failure) == ("timeout", "not_sent")
    assert "its turn did not come within 5 s" in failure.text
    actor.report()
    assert request not in actor.requests
    assert actor.told_of(Forget) == []


def test_time_also_runs_while_a_system_starts(plant):
    plant.tell(RegisterSystem(spec()))
    request = SendData("plc", b"", timeout=5)
    plant.tell(request)
    plant.advance(5.01)
    assert failed(plant.reply(request)) == ("timeout", "not_sent")
    plant.actor().start()
    assert plant.actor().requests == []


def test_a_late_answer_is_dropped(plant):
    actor = plant.register()
    request = SendData("plc", b"", timeout=5)
    plant.tell(request)
    plant.advance(6)
    actor.answer(request, DataSent)
    assert failed(plant.reply(request)) == ("timeout", "unknown")
    assert actor.told_of(TakeBack) == []


def test_data_received_too_late_is_handed_back(plant):
    actor = plant.register()
    one, many = ReceiveData("plc", timeout=5), ReceiveMany("plc", 2, timeout=5)
    plant.tell(one)
    plant.tell(many)
    plant.advance(6)
    actor.answer(one, DataReceived, data=b"1")
    actor.answer(many, ManyReceived, items=(b"2", b"3"))
    assert actor.told_of(TakeBack) == [TakeBack("plc", (b"1",)), TakeBack("plc", (b"2", b"3"))]
    assert failed(plant.reply(one)) == ("timeout", "unknown")
    assert plant.ask(GetStatus("plc")).status.received == 0


def test_nothing_received_too_late_is_not_handed_back(plant):
    actor = plant.register()
    request = ReceiveMany("plc", 2, timeout=5)
    plant.tell(request)
    plant.advance(6)
    actor.answer(request, ManyReceived, items=())
    assert actor.told_of(TakeBack) == []


def test_a_deadline_does_not_reach_what_was_answered(plant):
    actor = plant.register()
    request = SendData("plc", b"", timeout=5)
    plant.tell(request)
    actor.answer(request, DataSent)
    plant.advance(60)
    assert isinstance(plant.reply(request), DataSent)
    assert actor.told_of(Forget) == []


# ---- askers who change their mind ------------------------------------------------------


def test_a_cancelled_request_gets_no_reply_and_its_system_forgets_it(plant):
    actor = plant.register()
    request = SendData("plc", b"")
    plant.tell(request)
    plant.tell(CancelRequest((request.request_id,)))
    assert actor.told[-1] == Forget((actor.ref_of(request),))
    actor.answer(request, DataSent)
    plant.advance(60)
    assert plant.replies(request) == []
    plant.assert_nothing_open()


def test_what_is_cancelled_before_its_turn_is_never_delivered(plant):
    actor = plant.register()
    sends = [SendData("plc", str(number)) for number in range(5)]
    for send in sends:
        plant.tell(send)
    plant.tell(CancelRequest((sends[3].request_id, 12345)))
    actor.report()
    assert actor.requests == [*sends[:3], sends[4]]


def test_data_for_a_cancelled_receive_is_handed_back(plant):
    actor = plant.register()
    request = ReceiveData("plc")
    plant.tell(request)
    plant.tell(CancelRequest((request.request_id,)))
    actor.answer(request, DataReceived, data=b"1")
    assert actor.told[-1] == TakeBack("plc", (b"1",))
    assert plant.replies(request) == []


def test_nobody_can_cancel_the_request_of_another(plant):
    actor = plant.register()
    request = SendData("plc", b"")
    plant.tell(request)
    plant.tell(CancelRequest((request.request_id,)), "eve")
    actor.answer(request, DataSent)
    assert plant.reply(request)


def test_what_was_answered_cannot_be_cancelled(plant):
    actor = plant.register()
    request = SendData("plc", b"")
    plant.tell(request)
    actor.answer(request, DataSent)
    plant.tell(CancelRequest((request.request_id,)))
    assert plant.reply(request)
    assert actor.told_of(Forget) == []


# ---- askers who leave ------------------------------------------------------------------


def test_what_a_client_asked_to_send_still_goes_when_it_has_left(plant):
    actor = plant.register()
    sends = [SendData("plc", str(number)) for number in range(3)]
    for send in sends:
        plant.tell(send)
    plant.leave()
    actor.report(*((actor.ref_of(send), DataSent(request_id=0)) for send in sends[:2]))
    assert actor.requests == sends
    actor.answer(sends[2], DataSent)
    assert plant.told[1:] == []
    plant.assert_nothing_open()


def test_nothing_is_received_for_a_client_that_has_left(plant):
    actor = plant.register()
    request = ReceiveData("plc")
    plant.tell(request)
    plant.leave()
    assert actor.told[-1] == Forget((actor.ref_of(request),))
    actor.answer(request, DataReceived, data=b"1")
    assert actor.told[-1] == TakeBack("plc", (b"1",))
    assert plant.replies(request) == []


def test_a_client_that_leaves_takes_no_other_with_it(plant):
    actor = plant.register()
    request = ReceiveData("plc")
    plant.tell(request, "ann")
    plant.leave("bob")
    actor.answer(request, DataReceived, data=b"1")
    assert plant.reply(request, "ann").load() == b"1"


# ---- orders that take a while ----------------------------------------------------------


def settle(plant):
    """Have everything answered that still can be."""
    for _ in range(3):
        for actor in list(plant.actors):
            if actor.killed or actor.stopping:
                actor.exit()
            elif not actor.forgotten:
                actor.start()
                for request in actor.requests:
                    if isinstance(request, ConnectSystem):
                        actor.answer(request, SystemConnected)


def orders(plant):
    """Orders that are carried out step by step, each with a system it waits for."""
    for name in ("stopping", "restarting", "connecting"):
        plant.register(name)
    requests = [
        RegisterSystem(spec("starting"), timeout=5),
        UnregisterSystem("stopping", timeout=5),
        RestartSystem("restarting", timeout=5),
        ConnectAll(timeout=5),
    ]
    for request in requests:
        plant.tell(request)
    return requests


def test_a_cancelled_order_gets_no_reply(plant):
    requests = orders(plant)
    plant.tell(CancelRequest(tuple(request.request_id for request in requests)))
    plant.tell(CancelRequest((requests[0].request_id,)), "eve")
    settle(plant)
    plant.advance(60)
    settle(plant)
    assert [plant.replies(request) for request in requests] == [[]] * 4


def test_a_cancelled_order_to_connect_all_goes_on_if_they_are_meant_to_be_connected(plant):
    actor = plant.register()
    request = ConnectAll()
    plant.tell(request)
    plant.tell(CancelRequest((request.request_id,)))
    actor.connect()
    assert plant.replies(request) == []
    plant.assert_nothing_open()


def test_a_cancelled_order_to_all_is_forgotten_by_those_that_have_it(plant):
    actor = plant.register()
    request = ConnectAll(keep_trying=False)
    plant.tell(request)
    plant.tell(CancelRequest((request.request_id,)))
    assert actor.told[-1] == Forget((actor.ref_of(actor.requests[0]),))
    plant.assert_nothing_open()


def test_an_order_whose_asker_left_is_carried_out_without_a_reply(plant):
    requests = orders(plant)
    plant.leave()
    settle(plant)
    plant.advance(60)
    settle(plant)
    assert [plant.replies(request) for request in requests] == [[]] * 4
    assert plant.ask(GetStatus("starting"), "bob").status.state is not SystemState.STARTING
    assert plant.actor("connecting").is_connected
    assert plant.incarnations("restarting") == [1, 2]


def test_an_order_that_takes_too_long_is_answered_and_still_carried_out(plant):
    requests = orders(plant)
    plant.advance(5.01)
    register, unregister, restart, connect = map(plant.reply, requests)
    for failure, name in (
        (register, "starting"),
        (unregister, "stopping"),
        (restart, "restarting"),
    ):
        assert failed(failure) == ("timeout", "unknown")
        assert failure.system_name == name
        assert "within 5 s" in failure.text
    assert isinstance(connect, AllConnected)
    settle(plant)
    assert plant.incarnations("restarting") == [1, 2]
    assert failed(plant.ask(GetStatus("stopping")))[0] == "unknown_system"
    assert plant.ask(GetStatus("starting")).status.pid


def test_an_order_without_a_timeout_waits_as_long_as_its_system_may_take(plant):
    request = RegisterSystem(spec(start_timeout=100))
    plant.tell(request)
    plant.advance(99)
    plant.actor().start()
    assert plant.reply(request).incarnation == 1


def test_a_stop_of_the_supervisor_that_takes_too_long_is_answered(plant):
    plant.register(shutdown=100)
    request = StopSupervisor(timeout=5)
    plant.tell(request)
    plant.advance(5.01)
    assert failed(plant.reply(request)) == ("timeout", "unknown")
    plant.actor().exit()
    assert plant.finished == 1


def test_a_supervisor_that_has_stopped_answers_who_stops_it_again(plant):
    for _ in range(2):
        plant.ask(StopSupervisor())
    assert plant.finished == 1


def test_a_subscription_ends_with_its_client(plant):
    plant.tell(Subscribe(), "sue")
    plant.leave("sue")
    plant.register()
    assert plant.events("sue") == []


def test_late_items_go_back_together_in_their_order(plant):
    actor = plant.register()
    first, second = ReceiveData("plc"), ReceiveData("plc")
    plant.tell(first)
    plant.tell(second)
    refs = [actor.ref_of(first), actor.ref_of(second)]
    plant.tell(CancelRequest((first.request_id, second.request_id)))
    actor.report(
        *(
            (ref, DataReceived(request_id=request.request_id, system_name="plc", data=item))
            for ref, request, item in zip(refs, (first, second), ("one", "two"), strict=True)
        )
    )
    assert [each.items for each in actor.told_of(TakeBack)] == [("one", "two")]
