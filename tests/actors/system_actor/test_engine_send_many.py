"""Many items in one request: in order, each with its own result, said in parts."""

import pytest

from actors import ConnectorError
from actors.messages import (
    DisconnectSystem,
    Failure,
    FailureCode,
    ManySent,
    Outcome,
    SendData,
    SendMany,
)
from actors.payload import Payload
from actors.system_actor import sending
from tests.helpers.bench import Bench, BulkPuppet, Held, Puppet, scenario, turns

UNREADABLE = Payload(encoded=b"no pickle")


def codes(results):
    return [each if each is True else (each.code, each.outcome) for each in results]


# ---- one by one ----------------------------------------------------------------------


@scenario
async def test_each_item_has_its_own_result():
    system = Puppet()

    async def send(item):
        if item == 2:
            raise ConnectorError("bad item")
        return item != 3

    system.on["send"] = send
    bench = Bench(system)
    ref = bench.submit(SendMany("plc", [1, 2, 3, UNREADABLE, 4]))
    assert (await bench.answer(ref)).final
    assert codes(bench.results(ref)) == [
        True,
        (FailureCode.CONNECTOR_ERROR, Outcome.UNKNOWN),
        (FailureCode.CONNECTOR_ERROR, Outcome.NOT_SENT),
        (FailureCode.INVALID_REQUEST, Outcome.NOT_SENT),
        True,
    ]
    assert system.begun("send") == [(1,), (2,), (3,), (4,)]


@scenario
async def test_items_after_a_lost_connection_were_not_sent():
    system = Puppet()

    async def lose(item):
        if item == 2:
            system.is_connected = False
            raise ConnectionResetError
        return True

    system.on["send"] = lose
    bench = Bench(system)
    ref = bench.submit(SendMany("plc", [1, 2, 3, 4]))
    await bench.answer(ref)
    assert codes(bench.results(ref)) == [
        True,
        (FailureCode.CONNECTOR_ERROR, Outcome.UNKNOWN),
        (FailureCode.NOT_CONNECTED, Outcome.NOT_SENT),
        (FailureCode.NOT_CONNECTED, Outcome.NOT_SENT),
    ]


@scenario
async def test_no_items_are_sent_at_once():
    for system in (Puppet(), BulkPuppet()):
        bench = Bench(system)
        ref = bench.submit(SendMany("plc", []))
        assert (await bench.answer(ref)).results == ()


@scenario
async def test_results_of_an_unfinished_request_are_said_in_parts(monkeypatch):
    monkeypatch.setattr(sending, "_PART_EVERY", 0.0)
    system = Puppet()
    system.on["send"] = held = Held()
    bench = Bench(system)
    ref = bench.submit(SendMany("plc", [1, 2, 3]))
    for n in range(2):
        await held.begun(n + 1)
        held.release()
        await bench.until(lambda n=n: len(bench.results(ref)) > n)
        assert not bench.is_answered(ref)
    held.release()
    await bench.answer(ref)
    assert bench.results(ref) == [True] * 3
    assert [part.final for part in bench.replies[ref]] == [False, False, True]


@scenario
async def test_a_cut_off_request_keeps_the_results_it_has(monkeypatch):
    monkeypatch.setattr(sending, "_PART_EVERY", 3600.0)
    monkeypatch.setattr("actors.system_actor.lane.DISCONNECT_GRACE", 0.0)
    system = Puppet()
    held = Held()

    async def first_goes(item):
        return True if item == 1 else await held(item)

    system.on["send"] = first_goes
    bench = Bench(system)
    ref = bench.submit(SendMany("plc", [1, 2, 3]))
    bench.submit(DisconnectSystem("plc"))
    await bench.until(lambda: len(bench.replies[ref]) == 2)
    part, cut = bench.replies[ref]
    assert isinstance(part, ManySent)
    assert not part.final
    assert part.results == (True,)
    assert isinstance(cut, Failure)
    assert cut.outcome is Outcome.UNKNOWN
    assert held.calls == [(2,)]


@scenario
async def test_no_part_comes_after_the_last(monkeypatch):
    monkeypatch.setattr(sending, "_PART_EVERY", 0.0)
    bench = Bench(Puppet())
    ref = bench.submit(SendMany("plc", [1]))
    await bench.answer(ref)
    await turns()
    assert len(bench.replies[ref]) == 1


@scenario
async def test_another_send_waits_until_all_items_went():
    system = Puppet()
    system.on["send"] = held = Held()
    bench = Bench(system)
    bench.submit(SendMany("plc", [1, 2]))
    last = bench.submit(SendData("plc", 3))
    for n in range(3):
        await held.begun(n + 1)
        held.release()
    await bench.answer(last)
    assert held.calls == [(1,), (2,), (3,)]


# ---- a bulk operation of the system ----------------------------------------------------


@scenario
async def test_the_bulk_operation_gets_all_readable_items_at_once():
    system = BulkPuppet()

    async def send_many(_items):
        return [True, False, True]

    system.on["send_many"] = send_many
    bench = Bench(system)
    ref = bench.submit(SendMany("plc", [1, UNREADABLE, 2, [3], UNREADABLE]))
    await bench.answer(ref)
    assert system.begun("send_many") == [((1, 2, [3]),)]
    assert codes(bench.results(ref)) == [
        True,
        (FailureCode.INVALID_REQUEST, Outcome.NOT_SENT),
        (FailureCode.CONNECTOR_ERROR, Outcome.NOT_SENT),
        True,
        (FailureCode.INVALID_REQUEST, Outcome.NOT_SENT),
    ]


@scenario
async def test_an_expected_error_of_the_bulk_operation_leaves_all_readable_items_unknown():
    system = BulkPuppet()

    async def fail(_items):
        raise ConnectionResetError("gone")

    system.on["send_many"] = fail
    bench = Bench(system)
    ref = bench.submit(SendMany("plc", [1, UNREADABLE, 2]))
    await bench.answer(ref)
    assert codes(bench.results(ref)) == [
        (FailureCode.CONNECTOR_ERROR, Outcome.UNKNOWN),
        (FailureCode.INVALID_REQUEST, Outcome.NOT_SENT),
        (FailureCode.CONNECTOR_ERROR, Outcome.UNKNOWN),
    ]


@scenario
async def test_the_bulk_operation_is_not_asked_without_connection():
    system = BulkPuppet(connected=False)
    bench = Bench(system)
    ref = bench.submit(SendMany("plc", [1, 2]))
    await bench.answer(ref)
    assert codes(bench.results(ref)) == [(FailureCode.NOT_CONNECTED, Outcome.NOT_SENT)] * 2
    assert system.begun("send_many") == []


@pytest.mark.parametrize("results", [[True], [True] * 3, []])
@scenario
async def test_a_wrong_number_of_results_is_a_crash(results):
    system = BulkPuppet()

    async def send_many(_items):
        return results

    system.on["send_many"] = send_many
    bench = Bench(system)
    bench.submit(SendMany("plc", [1, 2]))
    reason = await bench.crash()
    assert f"BulkPuppet.send_many gave {len(results)} results for 2 items" in reason.text
