"""What is sent durably: accepted when it is on the disk, delivered in order, at least once."""

import pytest

from actors.messages import (
    DataAccepted,
    DataSent,
    Failure,
    FailureCode,
    ManySent,
    Outcome,
    SendData,
    SendMany,
)
from supervisor.messages import (
    EventKind,
    GetStatus,
    RegisterSystem,
    StopSupervisor,
    UnregisterSystem,
)
from supervisor.messages.journal import JournalLimits
from supervisor.messages.record import KeepRecord
from supervisor.specs.durable import DurablePolicy
from tests.helpers.harness import Harness, failed, kept, spec
from tests.helpers.journals import DurablePlant


def plant_with(connected=True, durable=True, **options):
    plant = DurablePlant(**options)
    actor = plant.register(connect=True, durable=durable)
    if connected:
        actor.connect()
    return plant


def sending(actor):
    """What it was last asked to send."""
    return next(each for each in reversed(actor.requests) if isinstance(each, SendMany))


def take(actor, *results):
    """Answer what it was asked to send; without results it takes all of it."""
    request = sending(actor)
    actor.answer(request, ManySent, results=results or (True,) * len(request.items))


def items(plant):
    return [each.data.wrapped() for each in plant.disk.waiting.values()]


def test_what_is_accepted_is_on_the_disk_then_delivered_then_gone():
    plant = plant_with()
    plant.holds_journal = True
    request = SendData("plc", b"x")
    plant.tell(request)
    assert plant.replies(request) == []
    assert items(plant) == []
    plant.holds_journal = False
    plant.carry_out()
    assert plant.reply(request).ids == ("j-1",)
    assert isinstance(plant.reply(request), DataAccepted)
    assert items(plant) == [b"x"]
    actor = plant.actor()
    assert sending(actor).items == (b"x",)
    assert [(d.id, d.attempt) for d in sending(actor).deliveries] == [("j-1", 1)]
    assert plant.disk.waiting[1].attempts == 1, "it is counted before it is made"
    take(actor)
    assert items(plant) == []


def test_whoever_waits_is_answered_when_it_is_delivered_and_that_is_on_the_disk():
    plant = plant_with()
    one, many = SendData("plc", b"x", wait=True), SendMany("plc", (b"y", b"z"), wait=True)
    plant.tell(one)
    plant.tell(many)
    assert plant.replies(one) == []
    plant.holds_journal = True
    take(plant.actor())
    assert plant.replies(one) == []
    plant.holds_journal = False
    plant.carry_out()
    assert isinstance(plant.reply(one), DataSent)
    take(plant.actor())
    assert plant.reply(many).results == (True, True)


def test_it_is_accepted_while_the_system_is_not_connected_and_delivered_once_it_is():
    plant = plant_with(connected=False)
    request = SendMany("plc", (b"a", b"b"))
    plant.tell(request)
    assert len(plant.reply(request).ids) == 2
    assert not any(isinstance(each, SendMany) for each in plant.actor().requests)
    plant.actor().connect()
    assert sending(plant.actor()).items == (b"a", b"b")


def test_it_is_accepted_while_the_system_is_in_quarantine():
    plant = DurablePlant()
    plant.quarantine(durable=True)
    request = SendData("plc", b"x")
    assert isinstance(plant.ask(request), DataAccepted)
    assert plant.ask(GetStatus("plc")).status.outbox == 1


def test_one_message_can_be_sent_durably_to_a_system_that_is_not():
    plant = plant_with(durable=None)
    plain, durable = SendData("plc", b"p"), SendData("plc", b"d", durable=True)
    plant.tell(durable)
    plant.tell(plain)
    assert isinstance(plant.reply(durable), DataAccepted)
    assert plain in plant.actor().requests


def test_one_message_can_be_sent_otherwise_to_a_system_that_is_durable():
    plant = plant_with()
    plain = SendData("plc", b"p", durable=False)
    plant.tell(plain)
    assert plain in plant.actor().requests
    assert plant.disk.commits == 0


def test_what_failed_is_tried_again_alone_before_all_behind_it():
    plant = plant_with(durable=DurablePolicy(backoff_min=1))
    plant.tell(SendMany("plc", (b"a", b"b", b"c")))
    actor = plant.actor()
    broken = sending(actor).failure(FailureCode.CONNECTOR_ERROR, "broken", Outcome.UNKNOWN)
    behind = sending(actor).failure(FailureCode.NOT_TRIED, "an item before it failed")
    take(actor, True, broken, behind)
    assert items(plant) == [b"b", b"c"]
    assert [each.attempts for each in plant.disk.waiting.values()] == [1, 0]
    before = len(actor.requests)
    plant.advance(0.5)
    assert len(actor.requests) == before
    plant.advance(0.6)
    assert sending(actor).items == (b"b",)
    assert sending(actor).deliveries[0].attempt == 2
    take(actor)
    assert sending(actor).items == (b"c",)
    take(actor)
    assert items(plant) == []


def test_a_message_that_fails_too_often_is_a_dead_letter_and_the_next_goes_on():
    plant = plant_with(durable=DurablePolicy(max_attempts=2, backoff_min=1))
    waits = SendData("plc", b"bad", wait=True)
    plant.tell(waits)
    plant.tell(SendData("plc", b"good"))
    actor = plant.actor()
    for _ in range(2):
        request = sending(actor)
        take(actor, request.failure(FailureCode.CONNECTOR_ERROR, "no"))
        plant.advance(3)
    assert plant.disk.dead == {1: "2 attempts failed (max_attempts); the last: no"}
    assert failed(plant.reply(waits)) == ("dead_letter", "unknown")
    assert sending(actor).items == (b"good",)


def test_or_all_behind_it_wait():
    plant = plant_with(durable=DurablePolicy(max_attempts=1, on_dead="block"))
    events = []
    plant.core._context.listen(events.append)
    plant.tell(SendData("plc", b"bad"))
    plant.tell(SendData("plc", b"good"))
    actor = plant.actor()
    take(actor, sending(actor).failure(FailureCode.CONNECTOR_ERROR, "no"))
    before = len(actor.requests)
    plant.advance(100)
    assert len(actor.requests) == before
    assert items(plant) == [b"bad", b"good"]
    assert EventKind.OUTBOX_BLOCKED in [each.kind for each in events]


def test_a_message_that_crashes_its_system_is_a_dead_letter_after_so_many():
    plant = plant_with(durable=DurablePolicy(max_crashes=2))
    plant.tell(SendMany("plc", (b"poison", b"good")))
    for _ in range(2):
        assert b"poison" in sending(plant.actor()).items
        plant.actor().crash_and_exit()
        plant.advance(1)
        plant.actor().start()
        plant.actor().connect()
        plant.advance(3)
    assert list(plant.disk.dead) == [1]
    assert sending(plant.actor()).items == (b"good",)


def test_no_attempt_is_counted_while_it_is_not_connected():
    plant = plant_with(durable=DurablePolicy(max_attempts=1))
    plant.tell(SendData("plc", b"x"))
    actor = plant.actor()
    actor.is_connected = False
    take(actor, sending(actor).failure(FailureCode.NOT_CONNECTED, "not connected"))
    assert plant.disk.waiting[1].attempts == 0
    plant.advance(50)
    actor.connect()
    assert sending(actor).deliveries[0].attempt == 1


def test_a_journal_that_is_killed_costs_nothing_that_was_accepted():
    plant = plant_with()
    plant.holds_journal = True
    request = SendData("plc", b"x")
    plant.tell(request)
    assert plant.journal is not None
    plant.journal.work()  # it is on the disk, and nobody was told
    plant.kill_journal()
    plant.holds_journal = False
    plant.advance(1)
    assert plant.reply(request).ids == ("j-1",)
    assert sending(plant.actor()).items == (b"x",)
    assert plant.disk.next_id == 2


def test_a_full_disk_refuses_and_what_is_accepted_goes_on_later():
    plant = plant_with()
    before = SendData("plc", b"before")
    plant.tell(before)
    plant.disk.is_full = True
    request = SendData("plc", b"x")
    assert failed(plant.ask(request)) == ("unavailable", "not_sent")
    assert "the disk is full" in plant.reply(request).text
    take(plant.actor())
    assert items(plant) == [b"before"]
    plant.disk.is_full = False
    plant.advance(2)
    assert items(plant) == []


def test_the_next_supervisor_delivers_what_the_last_accepted():
    plant = plant_with()
    plant.ask(KeepRecord())
    plant.tell(SendMany("plc", (b"a", b"b")))
    record = kept(plant, "ann")
    after = DurablePlant(plant.disk, record=record)
    after.actor().start()
    after.actor().connect()
    assert sending(after.actor()).items == (b"a",), "it was tried before: alone"
    assert sending(after.actor()).deliveries[0].attempt == 2
    take(after.actor())
    assert sending(after.actor()).items == (b"b",)


def test_what_was_accepted_outlives_a_registration():
    plant = plant_with(connected=False)
    waits = SendData("plc", b"x", wait=True)
    plant.tell(waits)
    plant.tell(UnregisterSystem("plc"))
    plant.actor().stop()
    plant.actor().exit()
    assert failed(plant.reply(waits)) == ("unavailable", "unknown")
    assert items(plant) == [b"x"]
    plant.register(connect=True).connect()
    assert sending(plant.actor()).items == (b"x",)


def test_a_full_outbox_refuses():
    plant = plant_with(connected=False, durable=DurablePolicy(max_items=2))
    plant.tell(SendMany("plc", (b"a", b"b")))
    assert failed(plant.ask(SendData("plc", b"c"))) == ("overloaded", "not_sent")


def test_or_buries_its_oldest():
    policy = DurablePolicy(max_items=2, when_full="drop_oldest")
    plant = plant_with(connected=False, durable=policy)
    plant.tell(SendMany("plc", (b"a", b"b")))
    assert isinstance(plant.ask(SendMany("plc", (b"c", b"d", b"e"))), DataAccepted)
    assert items(plant) == [b"d", b"e"]
    assert list(plant.disk.dead) == [1, 2, 3]


def test_what_waits_for_a_journal_that_does_not_answer_runs_out_of_time():
    plant = plant_with()
    plant.holds_journal = True
    first, second = SendData("plc", b"1", timeout=5), SendData("plc", b"2", timeout=5)
    plant.tell(first)
    plant.tell(second)
    plant.advance(6)
    assert failed(plant.reply(first)) == ("timeout", "unknown")
    assert failed(plant.reply(second)) == ("timeout", "not_sent")
    plant.holds_journal = False
    plant.carry_out()
    assert items(plant) == [b"1"]


def test_a_system_cannot_be_durable_without_a_place_for_it():
    plant = Harness()
    request = RegisterSystem(spec(durable=True))
    assert failed(plant.ask(request)) == ("invalid_spec", "not_sent")
    plant.register()
    refusal = plant.ask(SendData("plc", b"x", durable=True))
    assert failed(refusal) == ("invalid_request", "not_sent")
    assert "state_dir" in refusal.text


@pytest.mark.parametrize("at_once", [1, 64, 1000])
def test_many_at_once_cost_few_commits(at_once):
    plant = plant_with(connected=False)
    plant.holds_journal = True
    requests = [SendData("plc", b"x") for _ in range(at_once)]
    for each in requests:
        plant.tell(each)
    plant.holds_journal = False
    plant.carry_out()
    assert all(isinstance(plant.reply(each), DataAccepted) for each in requests)
    assert plant.disk.commits <= 2
    assert len(plant.core._outbox._deliveries["plc"]._held) <= 2 * 64
    assert not any(isinstance(plant.reply(each), Failure) for each in requests)


def test_what_a_part_of_an_answer_says_is_done_is_not_sent_again():
    plant = plant_with()
    plant.tell(SendMany("plc", (b"a", b"b", b"c")))
    actor = plant.actor()
    request = sending(actor)
    actor.answer(request, ManySent, results=(True,), final=False)
    assert items(plant) == [b"b", b"c"]
    actor.answer(request, ManySent, results=(True, True))
    assert items(plant) == []
    plant.advance(100)
    assert sending(actor) is request


def test_a_stop_in_order_waits_for_the_journal():
    plant = plant_with()
    plant.tell(SendData("plc", b"x"))
    actor = plant.actor()
    stop = StopSupervisor()
    plant.tell(stop)
    plant.holds_journal = True
    take(actor)
    actor.stop()
    actor.exit()
    assert plant.finished == 0
    assert plant.replies(stop) == []
    plant.holds_journal = False
    plant.carry_out()
    assert items(plant) == []
    assert plant.finished == 1


def test_but_not_for_ever():
    plant = plant_with()
    plant.tell(SendData("plc", b"x"))
    plant.tell(StopSupervisor())
    plant.holds_journal = True
    take(plant.actor())
    plant.actor().stop()
    plant.actor().exit()
    plant.advance(2.1)
    assert plant.finished == 1


def test_the_limits_of_the_journal_are_those_of_the_options():
    plant = DurablePlant(journal_bytes=1 << 20, dead_letters=7, dead_letters_for="infinity")
    plant.holds_journal = True
    plant.register(connect=True, durable=True)
    plant.tell(SendData("plc", b"x"))
    opening = plant.journal.inbox[0]
    assert opening.limits == JournalLimits(
        max_bytes=1 << 20, max_dead_letters=7, dead_letters_for=None
    )
