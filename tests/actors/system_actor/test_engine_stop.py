"""Stopping disconnects once, answers everyone, and takes no longer than it may."""

import asyncio

import pytest

from actors import ConnectorError
from actors.messages import (
    CallCommand,
    CheckHealth,
    ConnectSystem,
    DataSent,
    DisconnectSystem,
    FailureCode,
    Outcome,
    ReceiveData,
    ReceiveMany,
    SendData,
    SendMany,
)
from tests.helpers.bench import Bench, Held, Puppet, scenario, turns

FOREVER = 3600.0


@scenario
async def test_stopping_disconnects():
    bench = Bench(Puppet())
    await bench.engine.stop(FOREVER)
    assert bench.system.begun("disconnect") == [()]
    assert not bench.system.is_connected


@scenario
async def test_stopping_what_is_disconnected_does_nothing():
    bench = Bench(Puppet(connected=False))
    await bench.engine.stop(FOREVER)
    assert bench.system.log == []


@scenario
async def test_sends_that_can_go_in_time_go_first():
    system = Puppet()
    system.on["send"] = held = Held()
    bench = Bench(system)
    refs = [bench.submit(SendData("plc", n)) for n in range(2)]
    stop = asyncio.create_task(bench.engine.stop(FOREVER))
    for n in range(2):
        await held.begun(n + 1)
        assert system.begun("disconnect") == []
        held.release()
    await stop
    for ref in refs:
        assert isinstance(await bench.answer(ref), DataSent)


@scenario
async def test_who_waits_for_data_is_answered():
    system = Puppet()
    system.on["receive"] = held = Held()
    bench = Bench(system)
    ref = bench.submit(ReceiveData("plc", wait=FOREVER))
    await held.begun()
    await bench.engine.stop(FOREVER)
    assert (await bench.answer(ref)).code is FailureCode.UNAVAILABLE


@scenario
async def test_a_disconnect_that_hangs_takes_no_longer_than_the_grace():
    system = Puppet()
    system.on["disconnect"] = Held()
    await Bench(system).engine.stop(0.01)


@pytest.mark.parametrize("error", [ConnectorError("no"), OSError(5, "no")])
@scenario
async def test_a_disconnect_that_fails_is_no_crash(error):
    system = Puppet()

    async def fail():
        raise error

    system.on["disconnect"] = fail
    bench = Bench(system)
    await bench.engine.stop(FOREVER)
    assert bench.crashes == []


@scenario
async def test_what_cannot_go_in_time_is_cut_off_or_never_begun_and_all_are_answered():
    system = Puppet()
    for operation in ("send", "receive", "call", "health"):
        system.on[operation] = Held()
    bench = Bench(system)
    running, waiting = (bench.submit(SendData("plc", n)) for n in range(2))
    receives = [bench.submit(ReceiveData("plc", wait=FOREVER)), bench.submit(ReceiveMany("plc", 3))]
    command, health = bench.submit(CallCommand("plc", "call")), bench.submit(CheckHealth("plc"))
    for held in system.on.values():
        await held.begun()
    await bench.engine.stop(0.02)
    bench.to_supervisor.flush()
    answers = {ref: (reply.code, reply.outcome) for ref, (reply,) in bench.replies.items()}
    assert answers == {
        running: (FailureCode.UNAVAILABLE, Outcome.UNKNOWN),
        waiting: (FailureCode.UNAVAILABLE, Outcome.NOT_SENT),
        receives[0]: (FailureCode.UNAVAILABLE, Outcome.NOT_SENT),
        receives[1]: (FailureCode.UNAVAILABLE, Outcome.NOT_SENT),
        command: (FailureCode.UNAVAILABLE, Outcome.UNKNOWN),
        health: (FailureCode.UNAVAILABLE, Outcome.UNKNOWN),
    }
    await turns()
    assert system.begun("send") == [(0,)]
    assert system.begun("disconnect") == [()]


@scenario
async def test_nothing_is_sent_beside_the_last_disconnect():
    system = Puppet()
    system.on["send"] = sending = Held()
    system.on["disconnect"] = disconnecting = Held()
    bench = Bench(system)
    for n in range(3):
        bench.submit(SendData("plc", n))
    await sending.begun()
    stop = asyncio.create_task(bench.engine.stop(0.02))
    await disconnecting.begun()
    await stop
    assert sending.calls == [(0,)]


@scenario
async def test_what_comes_while_stopping_is_unavailable():
    system = Puppet()
    system.on["disconnect"] = disconnecting = Held()
    bench = Bench(system)
    stop = asyncio.create_task(bench.engine.stop(FOREVER))
    await disconnecting.begun()
    requests = [
        SendData("plc", 1),
        ConnectSystem("plc"),
        DisconnectSystem("plc"),
        ReceiveData("plc", wait=FOREVER),
        CallCommand("plc", "call"),
    ]
    for request in requests:
        failure = await bench.ask(request)
        assert (failure.code, failure.outcome) == (FailureCode.UNAVAILABLE, Outcome.NOT_SENT)
    disconnecting.release()
    await stop
    assert [entry[1] for entry in system.log] == ["disconnect", "disconnect"]


@scenario
async def test_stopping_twice_disconnects_once():
    system = Puppet()
    system.on["disconnect"] = disconnecting = Held()
    bench = Bench(system)
    stops = [asyncio.create_task(bench.engine.stop(FOREVER)) for _ in range(2)]
    await disconnecting.begun()
    await turns()
    disconnecting.release()
    for stop in stops:
        await stop
    assert system.begun("disconnect") == [()]


@scenario
async def test_stopping_without_any_grace_still_answers_everyone():
    bench = Bench(Puppet())
    refs = [
        bench.submit(request)
        for request in (
            SendData("plc", 1),
            ReceiveData("plc", wait=FOREVER),
            CallCommand("plc", "call"),
        )
    ]
    await bench.engine.stop(0.0)
    bench.to_supervisor.flush()
    assert [len(bench.replies[ref]) for ref in refs] == [1, 1, 1]


@scenario
async def test_a_connect_that_hangs_is_cut_off_before_the_last_disconnect():
    system = Puppet(connected=False)
    held = Held()

    async def connect():
        system.is_connected = True
        return await held()

    system.on["connect"] = connect
    bench = Bench(system)
    ref = bench.submit(ConnectSystem("plc"))
    await held.begun()
    await bench.engine.stop(0.02)
    assert [entry[:2] for entry in system.log] == [
        ("begin", "connect"),
        ("end", "connect"),
        ("begin", "disconnect"),
        ("end", "disconnect"),
    ]
    assert (await bench.answer(ref)).outcome is Outcome.UNKNOWN


# ---- what it says of a disconnect that failed ----------------------------------------------


@scenario
async def test_a_stop_in_order_has_nothing_to_tell():
    assert await Bench(Puppet()).engine.stop(FOREVER) is None
    assert await Bench(Puppet(connected=False)).engine.stop(FOREVER) is None


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (ConnectorError("the line is dead"), "the line is dead"),
        (False, "could not disconnect (disconnect gave False)"),
        (None, "could not disconnect (disconnect gave None; it must return True)"),
    ],
)
def test_a_disconnect_that_failed_at_a_stop_is_told(result, text):
    async def disconnect():
        if isinstance(result, Exception):
            raise result
        return result

    async def stop():
        system = Puppet()
        system.on["disconnect"] = disconnect
        return await Bench(system).engine.stop(FOREVER)

    reason = asyncio.run(stop())
    assert text in reason.text


@scenario
async def test_a_disconnect_that_is_not_done_in_time_is_told():
    system = Puppet()
    system.on["disconnect"] = held = Held()
    reason = await Bench(system).engine.stop(0.01)
    assert reason is not None
    assert reason.text == "did not disconnect within 0.01 s"
    held.release()


@scenario
async def test_all_that_is_open_at_a_stop_is_answered_with_one_code():
    bench = Bench(Puppet())
    bench.system.on["send"] = Held()
    bench.system.on["receive"] = Held()
    bench.system.on["call"] = Held()
    requests = [
        *(SendData("plc", 1), SendData("plc", 2), SendMany("plc", (3, 4))),
        *(ReceiveData("plc", FOREVER), ReceiveMany("plc", 5, FOREVER)),
        CallCommand("plc", "call"),
    ]
    refs = [bench.submit(each) for each in requests]
    await turns()
    await bench.engine.stop(0.1)
    replies = [await bench.answer(ref) for ref in refs]
    assert [reply.code for reply in replies] == ["unavailable"] * len(replies)
    assert [reply.outcome == "unknown" for reply in replies] == [
        *(True, False, False),
        *(False, False, True),
    ]
