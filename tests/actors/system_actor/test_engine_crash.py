"""What a connector must not raise is a crash: told once, and nothing is done after it."""

import asyncio

import pytest

from actors import ConnectorError
from actors.messages import (
    CallCommand,
    CheckHealth,
    ConnectSystem,
    DataSent,
    DisconnectSystem,
    ReceiveData,
    ReceiveMany,
    SendData,
    SendMany,
)
from actors.system_actor import waiters
from tests.helpers.bench import Bench, BulkPuppet, Held, Puppet, Source, scenario, turns

FOREVER = 3600.0

REQUESTS = {
    "connect": ConnectSystem("plc"),
    "disconnect": DisconnectSystem("plc"),
    "send": SendData("plc", 1),
    "receive": ReceiveData("plc", wait=FOREVER),
    "call": CallCommand("plc", "call"),
    "health": CheckHealth("plc"),
}


class Mute(RuntimeError):
    """Cannot even say what is wrong."""

    def __str__(self):
        raise ValueError("no text")


def crashing(operation, error, kind=Puppet):
    """A system in which one operation raises."""
    system = kind(connected=operation != "connect")

    async def crash(*_):
        raise error

    system.on[operation] = crash
    return system


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("bug"),
        SystemExit(3),
        KeyboardInterrupt(),
        asyncio.CancelledError("own"),
        MemoryError(),
        GeneratorExit(),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("operation", REQUESTS)
@scenario
async def test_an_unexpected_exception_is_a_crash_told_once(operation, error):
    bench = Bench(crashing(operation, error))
    ref = bench.submit(REQUESTS[operation])
    reason = await bench.crash()
    await turns()
    assert len(bench.crashes) == 1
    assert reason.kind == type(error).__name__
    assert "in crash" in reason.traceback
    assert bench.replies[ref] == []


@pytest.mark.parametrize(
    ("operation", "request_"),
    [("send_many", SendMany("plc", [1])), ("receive_many", ReceiveMany("plc", 1, wait=FOREVER))],
)
@scenario
async def test_so_is_one_of_a_bulk_operation(operation, request_):
    bench = Bench(crashing(operation, RuntimeError("bug"), BulkPuppet))
    bench.submit(request_)
    assert (await bench.crash()).text == "RuntimeError: bug"


@scenario
async def test_what_was_done_before_the_crash_is_reported_before_it():
    system = Puppet()
    seen = []

    async def second_crashes(item):
        if item == 2:
            raise RuntimeError("bug")
        return True

    system.on["send"] = second_crashes
    bench = Bench(system)

    def on_crash(reason):
        seen.extend(bench.reports)
        bench._crash(reason)

    bench.engine._on_crash = on_crash
    first, second, third = (bench.submit(SendData("plc", n)) for n in (1, 2, 3))
    await bench.crash()
    assert [ref for report in seen for ref, _ in report.replies] == [first]
    assert isinstance(bench.replies[first][0], DataSent)
    await turns()
    assert bench.replies[second] == bench.replies[third] == []


@scenario
async def test_results_of_many_before_the_crash_are_reported():
    system = Puppet()

    async def third_crashes(item):
        if item == 3:
            raise RuntimeError("bug")
        return True

    system.on["send"] = third_crashes
    bench = Bench(system)
    ref = bench.submit(SendMany("plc", [1, 2, 3, 4]))
    await bench.crash()
    assert bench.results(ref) == [True, True]
    assert not bench.is_answered(ref)


@scenario
async def test_after_a_crash_nothing_begins():
    system = crashing("call", RuntimeError("bug"))
    system.on["send"] = held = Held()
    bench = Bench(system)
    running = bench.submit(SendData("plc", 1))
    bench.submit(SendData("plc", 2))
    await held.begun()
    bench.submit(CallCommand("plc", "call"))
    await bench.crash()
    for request in REQUESTS.values():
        bench.submit(request)
    if held.waiting:
        held.release()
    await turns()
    assert held.calls == [(1,)]
    assert [entry[1] for entry in system.log if entry[0] == "begin"] == ["send", "call"]
    assert set(bench.replies) <= {running}


@scenario
async def test_two_crashes_at_once_are_one():
    system = Puppet()
    system.on["call"] = held = Held()
    bench = Bench(system)
    for _ in range(2):
        bench.submit(CallCommand("plc", "call"))
    await held.begun(2)
    held.release(RuntimeError("first"))
    held.release(RuntimeError("second"))
    await bench.crash()
    await turns()
    assert [reason.text for reason in bench.crashes] == ["RuntimeError: first"]


@scenario
async def test_a_bug_that_shows_only_when_a_send_is_cut_off_is_a_crash():
    system = Puppet()
    begun = asyncio.Event()

    async def send(_item):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise RuntimeError("bug in the clean-up")

    system.on["send"] = send
    bench = Bench(system)
    ref = bench.submit(SendData("plc", 1))
    await begun.wait()
    bench.forget(ref)
    assert (await bench.crash()).text == "RuntimeError: bug in the clean-up"


@scenario
async def test_an_expected_error_with_an_unexpected_cause_is_still_an_answer():
    system = Puppet()

    async def send(_item):
        try:
            raise RuntimeError("inner")
        except RuntimeError as error:
            raise ConnectorError("outer") from error

    system.on["send"] = send
    bench = Bench(system)
    assert (await bench.ask(SendData("plc", 1))).text == "plc: ConnectorError: outer"
    assert bench.crashes == []


@pytest.mark.parametrize("operation", REQUESTS)
@scenario
async def test_an_exception_that_cannot_be_printed_is_a_crash_too(operation):
    bench = Bench(crashing(operation, Mute()))
    bench.submit(REQUESTS[operation])
    assert (await bench.crash()).text == "Mute: (its text cannot be read: ValueError)"


@scenario
async def test_after_a_crash_no_more_is_received():
    system = crashing("call", RuntimeError("bug"))
    system.on["receive"] = held = Held()
    bench = Bench(system)
    bench.engine.set_tap(True)
    await held.begun()
    bench.submit(CallCommand("plc", "call"))
    await bench.crash()
    said = len(bench.reports)
    await turns()
    assert held.waiting == []
    assert len(held.calls) == 1
    assert len(bench.reports) == said


@scenario
async def test_after_a_disconnect_that_crashed_no_more_is_received():
    system = crashing("disconnect", RuntimeError("bug"))
    bench = Bench(system)
    bench.engine.set_tap(True)
    bench.submit(DisconnectSystem("plc"))
    await bench.crash()
    system.on["receive"] = Held()
    await turns()
    assert [entry for entry in system.log if entry == ("begin", "receive")] == []


@scenario
async def test_items_gathered_before_the_crash_are_reported(monkeypatch):
    monkeypatch.setattr(waiters, "_LINGER", FOREVER)
    system = Puppet()
    system.on["receive"] = source = Source()
    source.put(1, 2, RuntimeError("bug"))
    bench = Bench(system)
    ref = bench.submit(ReceiveMany("plc", 5, wait=FOREVER))
    await bench.crash()
    assert bench.replies[ref][0].load() == [1, 2]


@scenario
async def test_what_runs_during_a_crash_is_cut_off():
    system = crashing("health", RuntimeError("bug"))
    system.on["send"] = sending = Held()
    system.on["call"] = calling = Held()
    bench = Bench(system)
    bench.submit(SendData("plc", 1))
    bench.submit(CallCommand("plc", "call"))
    await sending.begun()
    await calling.begun()
    bench.submit(CheckHealth("plc"))
    await bench.crash()
    await turns()
    assert sending.waiting == calling.waiting == []
    assert len(bench.crashes) == 1


@scenario
async def test_a_crash_during_a_disconnect_lets_no_more_be_received():
    system = crashing("call", RuntimeError("bug"))
    system.on["disconnect"] = disconnecting = Held()
    bench = Bench(system)
    bench.engine.set_tap(True)
    bench.submit(DisconnectSystem("plc"))
    await disconnecting.begun()
    system.on["receive"] = receive = Held()
    bench.submit(CallCommand("plc", "call"))
    await bench.crash()
    await turns()
    bench.engine.set_tap(True)
    await turns()
    assert disconnecting.waiting == []
    assert receive.calls == []
