"""A system with several connections: what is asked of it runs beside each other, in its bounds."""

from __future__ import annotations

import asyncio

from actors.errors import ConnectorError
from actors.messages import (
    CallCommand,
    CheckHealth,
    CommandCalled,
    ConnectSystem,
    DataSent,
    DisconnectSystem,
    FailureCode,
    Fence,
    FencePassed,
    HealthChecked,
    Outcome,
    QueryData,
    SendData,
    SendMany,
    SystemConnected,
    SystemDisconnected,
)
from tests.helpers.asked import Instrument, Multiplexed, answer, failed
from tests.helpers.bench import Held, Puppet, scenario, turns
from tests.helpers.net import eventually
from tests.helpers.pooled_bench import PooledBench


class Asked(Instrument):
    """Answers when the test says so."""

    def __init__(self):
        super().__init__()
        self.is_connected = False
        self.by_itself = False


class Slow(Asked):
    """Takes a while to connect."""

    async def connect(self):
        await asyncio.sleep(0.2)
        return await super().connect()


def held_bench(size=3, **policy):
    """Sends of all connections wait for the test."""
    held = Held()

    def make():
        system = Puppet(connected=False)
        system.on["send"] = held
        return system

    return PooledBench(make, size, **policy), held


def sends(bench, *items):
    return [bench.submit(SendData("plc", item)) for item in items]


# ---- lending ------------------------------------------------------------------------------------


@scenario
async def test_a_connect_opens_one_connection_and_more_are_opened_when_they_are_needed():
    bench, held = held_bench()
    await bench.connect()
    assert len(bench.systems) == 1
    refs = sends(bench, 1, 2, 3)
    await held.begun(3)
    assert bench.state == (3, 0, 3, 0)
    assert [system.begun("send") for system in bench.systems] == [[(1,)], [(2,)], [(3,)]]
    for _ in refs:
        held.release()
    for ref in refs:
        assert isinstance(await bench.answer(ref), DataSent)
    await turns()
    assert bench.state == (3, 3, 0, 0)


@scenario
async def test_one_more_than_there_are_connections_waits_for_the_first_that_is_free():
    bench, held = held_bench(size=2)
    await bench.connect()
    refs = sends(bench, 1, 2, 3)
    await held.begun(2)
    assert bench.state == (2, 0, 2, 1)
    held.release()
    await held.begun(3)
    assert held.calls == [(1,), (2,), (3,)]
    held.release()
    held.release()
    for ref in refs:
        await bench.answer(ref)


@scenario
async def test_items_that_are_sent_together_go_out_on_one_connection_in_order():
    bench, held = held_bench()
    await bench.connect()
    many = bench.submit(SendMany("plc", ("a", "b", "c")))
    [one] = sends(bench, "d")
    await held.begun(2)
    assert held.calls == [("a",), ("d",)]
    for _ in range(4):
        held.release()
        await turns()
    await bench.answer(one)
    await bench.answer(many)
    assert bench.results(many) == [True] * 3
    assert bench.systems[0].begun("send") == [("a",), ("b",), ("c",)]


@scenario
async def test_questions_are_asked_beside_each_other_and_each_has_its_own_answer():
    bench = PooledBench(Asked, size=4)
    await bench.connect()
    refs = [bench.submit(QueryData("plc", f"{number}?")) for number in range(4)]
    await eventually(lambda: all(len(system.log) == 2 for system in bench.systems))
    assert len(bench.systems) == 4
    for system in reversed(bench.systems):
        system.came.put_nowait(f"answer to {system.log[-1]}")
    assert [await answer(bench, ref) for ref in refs] == [f"answer to {n}?" for n in range(4)]


@scenario
async def test_a_connection_whose_answer_did_not_come_is_made_anew_before_it_is_lent_again():
    bench = PooledBench(Asked, size=1)
    await bench.connect()
    late = bench.submit(QueryData("plc", "slow?", 0.1))
    assert failed(await bench.answer(late)) == (FailureCode.TIMEOUT, Outcome.UNKNOWN)
    bench.systems[0].by_itself = True
    assert await answer(bench, bench.submit(QueryData("plc", "next?"))) == "answer to next?"
    assert bench.systems[0].log == ["connect", "slow?", "disconnect", "connect", "next?"]
    assert bench.engine.is_connected
    assert bench.engine.pool_state.lost == 1
    assert all(report.is_connected for report in bench.reports[1:])


@scenario
async def test_what_waits_for_a_connection_that_is_just_made_anew_goes_out_on_it():
    bench = PooledBench(Slow, size=1)
    await bench.connect()
    late = bench.submit(QueryData("plc", "slow?", 0.1))
    waiting = sends(bench, 1, 2)
    assert failed(await bench.answer(late))[0] is FailureCode.TIMEOUT
    for ref in waiting:
        assert isinstance(await bench.answer(ref), DataSent)
    assert bench.systems[0].log == ["connect", "slow?", "disconnect", "connect", 1, 2]
    assert bench.engine.pool_state.lost == 1
    assert all(report.is_connected for report in bench.reports[1:])


@scenario
async def test_a_class_that_has_many_questions_under_way_shares_its_connections():
    bench = PooledBench(Multiplexed, size=2)
    bench.systems[0].is_connected = False
    await bench.connect()
    refs = [bench.submit(QueryData("plc", number)) for number in range(6)]
    await eventually(lambda: sum(len(system.asked) for system in bench.systems) == 6)
    assert len(bench.systems) == 2
    for system in bench.systems:
        while system.asked:
            question, future = system.asked.popleft()
            future.set_result(question * 10)
    assert [await answer(bench, ref) for ref in refs] == [0, 10, 20, 30, 40, 50]
    await turns()
    assert bench.state == (2, 2, 0, 0)


@scenario
async def test_a_command_is_given_to_a_connection_that_is_free():
    bench, held = held_bench(size=2)
    await bench.connect()
    [send] = sends(bench, 1)
    await held.begun()
    assert isinstance(await bench.ask(CallCommand("plc", "add", (1,))), CommandCalled)
    assert [len(system.begun("send")) for system in bench.systems] == [1, 0]
    held.release()
    await bench.answer(send)


@scenario
async def test_commands_and_checks_work_also_while_it_is_not_connected():
    bench = PooledBench()
    assert isinstance(await bench.ask(CallCommand("plc", "add", (1,))), CommandCalled)
    assert isinstance(await bench.ask(CheckHealth("plc")), HealthChecked)
    assert isinstance(await bench.ask(Fence("plc")), FencePassed)


@scenario
async def test_a_check_of_health_does_not_wait_for_a_free_connection():
    bench, held = held_bench(size=1)
    await bench.connect()
    [send] = sends(bench, 1)
    await held.begun()
    assert isinstance(await bench.ask(CheckHealth("plc")), HealthChecked)
    held.release()
    await bench.answer(send)


# ---- shedding -----------------------------------------------------------------------------------


@scenario
async def test_who_waits_too_long_is_refused_with_how_things_stand_and_a_hint():
    bench, held = held_bench(size=1, overflow_wait=0.5)
    await bench.connect()
    first, second, third = sends(bench, 1, 2, 3)
    refused = await bench.answer(second)
    assert failed(refused) == (FailureCode.OVERLOADED, Outcome.NOT_SENT)
    assert refused.text.startswith("plc: connected, but no connection came free within 0.5")
    assert "1 of its pool's 1 are in use" in refused.text
    assert refused.retry_after is not None
    assert refused.retry_after >= 0.4
    await bench.answer(third)
    held.release()
    assert isinstance(await bench.answer(first), DataSent)
    assert held.calls == [(1,)]
    assert bench.engine.pool_state.refused == 2


@scenario
async def test_what_nobody_waits_for_any_more_is_not_begun_and_what_runs_is_cut_off():
    bench, held = held_bench(size=1)
    await bench.connect()
    first, second, third = sends(bench, 1, 2, 3)
    await held.begun()
    bench.forget(first, second)
    assert isinstance(await _released(bench, held, third), DataSent)
    assert held.calls == [(1,), (3,)]
    assert bench.replies[first] == bench.replies[second] == []
    await turns()
    assert bench.state == (1, 1, 0, 0)


async def _released(bench, held, ref):
    await held.begun(2)
    held.release()
    return await bench.answer(ref)


# ---- connecting and disconnecting ---------------------------------------------------------------


@scenario
async def test_a_connect_that_fails_says_why():
    bench = PooledBench()

    async def refuse():
        raise ConnectionRefusedError("refused")

    bench.systems[0].on["connect"] = refuse
    reply = await bench.ask(ConnectSystem("plc"))
    assert failed(reply)[0] is FailureCode.CONNECTOR_ERROR
    assert "refused" in reply.text
    assert failed(await bench.ask(SendData("plc", 1)))[0] is FailureCode.NOT_CONNECTED
    del bench.systems[0].on["connect"]
    await bench.connect()
    assert isinstance(await bench.ask(SendData("plc", 1)), DataSent)


@scenario
async def test_what_is_asked_after_a_connect_waits_for_it():
    bench = PooledBench()
    connect = bench.submit(ConnectSystem("plc"))
    again = bench.submit(ConnectSystem("plc"))
    [send] = sends(bench, 1)
    assert isinstance(await bench.answer(send), DataSent)
    assert isinstance(await bench.answer(connect), SystemConnected)
    assert isinstance(await bench.answer(again), SystemConnected)
    assert len(bench.systems[0].begun("connect")) == 1


@scenario
async def test_a_connect_that_nobody_waits_for_is_given_up_and_what_is_behind_it_goes_on():
    bench = PooledBench()
    bench.systems[0].on["connect"] = held = Held()
    connect = bench.submit(ConnectSystem("plc"))
    [send] = sends(bench, 1)
    await held.begun()
    bench.forget(connect)
    assert failed(await bench.answer(send))[0] is FailureCode.NOT_CONNECTED
    del bench.systems[0].on["connect"]
    await bench.connect()


@scenario
async def test_a_disconnect_closes_all_connections_after_what_was_asked_before_it():
    bench, held = held_bench(size=2)
    await bench.connect()
    before = sends(bench, 1, 2, 3)
    await held.begun(2)
    disconnect = bench.submit(DisconnectSystem("plc"))
    [after] = sends(bench, 4)
    for _ in range(3):
        held.release()
        await turns()
    for ref in before:
        assert isinstance(await bench.answer(ref), DataSent)
    assert isinstance(await bench.answer(disconnect), SystemDisconnected)
    assert failed(await bench.answer(after))[0] is FailureCode.NOT_CONNECTED
    assert [system.is_connected for system in bench.systems] == [False, False]
    assert bench.state == (0, 0, 0, 0)
    assert [report.lost for report in bench.reports if report.lost] == []
    await bench.connect()


@scenario
async def test_what_does_not_end_within_a_second_gives_way_to_a_disconnect():
    bench, held = held_bench(size=2)
    await bench.connect()
    running = sends(bench, 1, 2)
    [waiting] = sends(bench, 3)
    await held.begun(2)
    assert isinstance(await bench.ask(DisconnectSystem("plc")), SystemDisconnected)
    for ref in running:
        assert failed(await bench.answer(ref)) == (FailureCode.NOT_CONNECTED, Outcome.UNKNOWN)
    assert failed(await bench.answer(waiting)) == (FailureCode.NOT_CONNECTED, Outcome.NOT_SENT)
    assert bench.state == (0, 0, 0, 0)


@scenario(cap=20)
async def test_a_connection_that_is_just_being_opened_is_closed_by_a_disconnect():
    bench, _ = held_bench(size=2)
    await bench.connect()
    opening = Held()
    make = bench._make

    def slow():
        system = make()
        system.on["connect"] = opening
        return system

    bench._make = slow
    one, other = sends(bench, 1, 2)
    await opening.begun()
    assert isinstance(await bench.ask(DisconnectSystem("plc")), SystemDisconnected)
    assert failed(await bench.answer(one)) == (FailureCode.NOT_CONNECTED, Outcome.UNKNOWN)
    assert failed(await bench.answer(other)) == (FailureCode.NOT_CONNECTED, Outcome.NOT_SENT)
    assert [system.is_connected for system in bench.systems] == [False, False]


@scenario
async def test_a_command_that_goes_on_does_not_keep_a_disconnect_from_its_end():
    bench = PooledBench(size=1)
    await bench.connect()
    bench.systems[0].on["call"] = held = Held()
    command = bench.submit(CallCommand("plc", "call"))
    await held.begun()
    assert isinstance(await bench.ask(DisconnectSystem("plc")), SystemDisconnected)
    connect = bench.submit(ConnectSystem("plc"))
    await turns()
    assert not bench.is_answered(connect)  # its only connection is still in use
    held.release("done")
    assert isinstance(await bench.answer(command), CommandCalled)
    assert isinstance(await bench.answer(connect), SystemConnected)


@scenario
async def test_a_disconnect_that_fails_says_so_and_which_connections_are_closed():
    bench = PooledBench(size=1)
    await bench.connect()

    async def fail():
        raise ConnectorError("it does not let go")

    bench.systems[0].on["disconnect"] = fail
    reply = await bench.ask(DisconnectSystem("plc"))
    assert failed(reply)[0] is FailureCode.CONNECTOR_ERROR
    assert "does not let go" in reply.text


# ---- its end ------------------------------------------------------------------------------------


@scenario(cap=20)
async def test_a_stop_disconnects_all_and_answers_all():
    bench, held = held_bench(size=2)
    await bench.connect()
    refs = sends(bench, 1, 2, 3)
    await held.begun(2)
    stop = asyncio.create_task(bench.engine.stop(2.0))
    await turns()
    late = sends(bench, 4)
    assert await stop is None
    bench.to_supervisor.flush()
    codes = {failed(await bench.answer(ref))[0] for ref in refs + late}
    assert codes == {FailureCode.UNAVAILABLE}
    assert [system.is_connected for system in bench.systems] == [False, False]
    assert await bench.engine.stop(1.0) is None


@scenario
async def test_a_bug_on_one_connection_is_a_crash_of_the_system():
    bench, held = held_bench(size=2)
    await bench.connect()
    sends(bench, 1, 2)
    await held.begun(2)
    held.release(ZeroDivisionError("a bug"))
    assert (await bench.crash()).kind == "ZeroDivisionError"
    await turns()
    assert len(bench.crashes) == 1


@scenario(cap=60)
async def test_a_connector_that_cannot_be_built_once_more_is_a_crash_unless_it_says_why():
    bench, held = held_bench(size=2, overflow_wait=0.5)
    await bench.connect()

    def refuse():
        raise ConnectionRefusedError("not now")

    bench._make = refuse
    first, second = sends(bench, 1, 2)
    assert failed(await bench.answer(second))[0] is FailureCode.OVERLOADED
    assert bench.crashes == []

    def fail():
        raise ZeroDivisionError("a bug")

    bench._make = fail
    await asyncio.sleep(10)
    sends(bench, 3)
    assert (await bench.crash()).kind == "ZeroDivisionError"
    held.release()
    await bench.answer(first)
