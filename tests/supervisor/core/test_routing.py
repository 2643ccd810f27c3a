"""Requests on their way to a system, and answers on their way back."""

import pytest

from actors.messages import (
    CallCommand,
    CheckHealth,
    CommandCalled,
    DataReceived,
    DataSent,
    HealthChecked,
    ManyReceived,
    ManySent,
    NothingReceived,
    ReceiveData,
    ReceiveMany,
    SendData,
    SendMany,
    SystemConnected,
    TakeBack,
    limits,
)
from actors.messages.limits import WINDOW
from supervisor.messages import CancelRequest, ConnectAll, GetStatus, ReturnData
from tests.helpers.harness import BUG, Harness, failed, sent


@pytest.fixture
def plant():
    return Harness()


def status(plant, name="plc"):
    return plant.ask(GetStatus(name), "stat").status


def test_a_request_is_delivered_untouched_and_its_answer_passed_on(plant):
    actor = plant.register()
    for request, fields in (
        (SendData("plc", b"x"), {}),
        (CallCommand("plc", "calibrate", (1,)), {"result": 5}),
        (CheckHealth("plc"), {"healthy": True}),
    ):
        kind = {SendData: DataSent, CallCommand: CommandCalled, CheckHealth: HealthChecked}
        plant.tell(request)
        assert actor.requests[-1] is request
        actor.answer(request, kind[type(request)], **fields)
        assert plant.reply(request) == kind[type(request)](
            request_id=request.request_id, system_name="plc", **fields
        )


def test_a_systems_own_failure_is_passed_on_as_it_is(plant):
    actor = plant.register()
    request = SendData("plc", b"x")
    plant.tell(request)
    failure = request.failure("not_connected", "the system is not connected")
    actor.answer(request, failure)
    assert plant.reply(request) is failure


def test_two_clients_may_use_the_same_request_id(plant):
    actor = plant.register()
    requests = {client: SendData("plc", client, request_id=1) for client in ("ann", "bob")}
    for client, request in requests.items():
        plant.tell(request, client)
    actor.answer(requests["bob"], DataSent)
    assert plant.replies(requests["ann"], "ann") == []
    assert plant.reply(requests["bob"], "bob") == sent(requests["bob"])


def test_one_system_does_not_wait_for_another(plant):
    hung, other = plant.register("hung"), plant.register("other")
    for _ in range(10):
        plant.tell(SendData("hung", b""))
    request = SendData("other", b"")
    plant.tell(request)
    other.answer(request, DataSent)
    assert plant.reply(request)
    assert len(hung.deliveries) == WINDOW


def test_no_more_than_the_window_is_delivered_before_it_is_taken(plant):
    actor = plant.register()
    sends = [SendData("plc", str(number)) for number in range(5)]
    for send in sends:
        plant.tell(send)
    assert actor.requests == sends[:WINDOW]
    actor.taken = 1
    actor.report_without_taking()
    assert len(actor.deliveries) == WINDOW + 1
    assert actor.requests == sends  # what waited together goes together


def test_taking_and_answering_are_two_things(plant):
    actor = plant.register()
    sends = [SendData("plc", str(number)) for number in range(3)]
    for send in sends:
        plant.tell(send)
    actor.report_without_taking((actor.ref_of(sends[0]), sent(sends[0])))
    assert len(actor.deliveries) == WINDOW
    assert plant.reply(sends[0]) == sent(sends[0])


def test_an_older_number_of_taken_deliveries_changes_nothing(plant):
    actor = plant.register()
    for number in range(2):
        plant.tell(SendData("plc", str(number)))
    actor.report()
    actor.taken = 0
    actor.report_without_taking()
    actor.taken = 2
    plant.tell(SendData("plc", b"2"))
    plant.tell(SendData("plc", b"3"))
    assert len(actor.deliveries) == 4


def test_what_comes_in_one_burst_goes_in_one_delivery(plant):
    actor = plant.register()
    sends = [SendData("plc", str(number)) for number in range(20)]
    for send in sends:
        plant.post(send)
    plant.carry_out()
    assert len(actor.deliveries) == 1
    assert actor.requests == sends


def test_a_delivery_has_a_limit_of_items_and_one_of_bytes(plant):
    actor = plant.register()
    items, size = limits.DELIVERY_ITEMS, limits.DELIVERY_BYTES
    for request in (
        SendMany("plc", (b"",) * (items - 1)),
        SendData("plc", b"reaches the limit"),
        SendData("plc", bytes(size - 1)),
        SendData("plc", b"reaches the limit"),
        SendData("plc", b"waits"),
    ):
        plant.post(request)
    plant.carry_out()
    assert [len(delivery.requests) for delivery in actor.deliveries] == [2, 2]
    actor.report()
    assert len(actor.deliveries) == 3


def test_answers_may_come_in_any_order(plant):
    actor = plant.register()
    requests = [ReceiveData("plc"), SendData("plc", b"x"), CheckHealth("plc")]
    for request in requests:
        plant.tell(request)
    actor.report()
    actor.answer(requests[2], HealthChecked, healthy=False)
    actor.answer(requests[1], DataSent)
    actor.answer(requests[0], NothingReceived)
    assert all(plant.reply(request) for request in requests)
    plant.assert_nothing_open()


# ---- bounds ----------------------------------------------------------------------------


def test_a_full_mailbox_refuses_at_once_and_takes_again_what_fits(plant):
    actor = plant.register(mailbox_size=3)
    first = SendMany("plc", (1, 2))
    plant.tell(first)
    plant.tell(SendData("plc", 3))
    failure = plant.ask(SendMany("plc", (4, 5)))
    assert failed(failure) == ("overloaded", "not_sent")
    assert (
        "it is disconnected; 3 items wait already (mailbox_size 3), the first for 0 s"
        in failure.text
    )
    assert failed(plant.ask(SendData("plc", 4)))[0] == "overloaded"
    assert status(plant).waiting == 3
    actor.answer(first, ManySent, results=(True, True))
    assert status(plant).waiting == 1
    again = SendMany("plc", (4, 5))
    plant.tell(again)
    assert plant.replies(again) == []


def test_a_full_mailbox_of_one_system_is_no_concern_of_another(plant):
    plant.register("full", mailbox_size=1)
    plant.register("other", mailbox_size=1)
    plant.tell(SendData("full", b""))
    request = SendData("other", b"")
    plant.tell(request)
    assert plant.replies(request) == []


def test_too_many_bytes_are_refused_at_once(plant, monkeypatch):
    monkeypatch.setattr(limits, "MAILBOX_BYTES", 100)
    actor = plant.register()
    first = SendData("plc", bytes(60))
    plant.tell(first)
    failure = plant.ask(SendData("plc", bytes(41)))
    assert failed(failure) == ("overloaded", "not_sent")
    assert "60 bytes" in failure.text
    plant.tell(SendData("plc", bytes(40)))
    assert failed(plant.ask(CallCommand("plc", "f", "x")))[0] == "overloaded"
    actor.answer(first, DataSent)
    last = SendData("plc", bytes(60))
    plant.tell(last)
    assert plant.replies(last) == []


# ---- data that nobody waits for --------------------------------------------------------


def test_data_the_asker_cannot_use_goes_back_to_the_system(plant):
    actor = plant.register()
    plant.tell(ReturnData("plc", (b"1", b"2")))
    assert actor.told == [TakeBack("plc", (b"1", b"2"))]


def test_data_cannot_go_back_to_a_system_without_a_process(plant):
    plant.quarantine()
    plant.tell(ReturnData("plc", (b"1",)))
    assert plant.actor().told_of(TakeBack) == []


# ---- counting --------------------------------------------------------------------------


def test_items_are_counted_over_all_incarnations(plant):
    actor = plant.register()
    send, many, receive = SendData("plc", 1), SendMany("plc", (1, 2, 3)), ReceiveData("plc")
    for request in (send, many, receive):
        plant.tell(request)
    actor.report()
    actor.answer(send, DataSent)
    actor.answer(many, ManySent, results=(True, many.failure("connector_error", "x"), True))
    actor.answer(receive, DataReceived, data=b"x")
    actor.crash_and_exit()
    plant.actor().start()
    given = status(plant)
    assert (given.sent, given.received, given.restarts) == (3, 1, 1)
    assert given.last_crash == BUG


def test_what_a_system_took_counts_also_when_nobody_waits_any_more(plant):
    actor = plant.register()
    late, left = SendData("plc", 1, timeout=1), SendMany("plc", (1, 2))
    plant.tell(late)
    plant.tell(left, "bob")
    plant.leave("bob")
    plant.advance(2)
    actor.answer(late, DataSent)
    actor.answer(left, ManySent, results=(True, True))
    assert status(plant).sent == 3


def test_items_that_are_received_together_are_counted_each(plant):
    actor = plant.register()
    request = ReceiveMany("plc", 5)
    plant.tell(request)
    actor.answer(request, ManyReceived, items=(b"1", b"2", b"3"))
    assert plant.ask(GetStatus("plc"), "stat").status.received == 3


def test_an_order_to_all_is_cancelled_by_who_gave_it_and_by_nobody_else(plant):
    actor = plant.register()
    mine, others = ConnectAll(), ConnectAll()
    plant.tell(mine, "ann")
    plant.tell(others, "bob")
    plant.tell(CancelRequest((mine.request_id,)), "ann")
    plant.tell(CancelRequest((mine.request_id,)), "bob")
    for request in list(actor.requests):
        actor.answer(request, SystemConnected)
    assert plant.replies(mine, "ann") == []
    assert plant.reply(others, "bob").results == {"plc": True}


def test_an_order_to_all_of_somebody_who_left_is_answered_to_nobody(plant):
    actor = plant.register()
    mine, others = ConnectAll(), ConnectAll()
    plant.tell(mine, "ann")
    plant.tell(others, "bob")
    plant.leave("ann")
    for request in list(actor.requests):
        actor.answer(request, SystemConnected)
    assert plant.replies(mine, "ann") == []
    assert plant.reply(others, "bob").results == {"plc": True}
