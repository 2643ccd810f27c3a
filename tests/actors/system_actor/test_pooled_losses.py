"""What one of several connections that is lost costs, what is said of it, and what takes its
place."""

from __future__ import annotations

import asyncio
import itertools
import logging

import pytest

from actors.messages import (
    CallCommand,
    ConnectSystem,
    DataSent,
    FailureCode,
    Outcome,
    SendData,
    SystemConnected,
)
from actors.resilience.keep_alive import KeepAlive
from actors.resilience.policy import NO_POLICY, Policy
from actors.resilience.rate_limit import RateLimit
from tests.helpers.asked import failed
from tests.helpers.bench import Held, scenario, turns
from tests.helpers.net import eventually
from tests.helpers.pooled_bench import PooledBench


async def grown(size, of_each=NO_POLICY):
    """A bench with so many open connections, all idle."""
    bench = PooledBench(size=size, of_each=of_each)
    await bench.connect()
    held = Held()
    make = bench._make

    def holding():
        system = make()
        system.on["call"] = held
        return system

    bench._make = holding
    bench.systems[0].on["call"] = held
    calls = [bench.submit(CallCommand("plc", "call")) for _ in range(size)]
    await held.begun(size)
    for _ in calls:
        held.release()
    for ref in calls:
        await bench.answer(ref)
    await turns()
    assert bench.state == (size, size, 0, 0)
    return bench


def lose(system, why="the line is cut"):
    system.report_loss(ConnectionResetError(why))


def warnings(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


def losses(bench):
    return [report.lost.text for report in bench.reports if report.lost is not None]


@scenario
async def test_one_of_several_is_lost_and_the_log_says_so_once(caplog):
    bench = await grown(3)
    lose(bench.systems[1])
    await turns()
    bench.engine.look()
    bench.engine.look()
    assert bench.state == (2, 2, 0, 0)
    assert bench.engine.pool_state.lost == 1
    assert warnings(caplog) == [
        "plc: connection 2 of 3 is lost: ConnectionResetError: the line is cut; 2 left"
    ]
    assert losses(bench) == []
    assert bench.reports[-1].is_connected


@scenario
async def test_one_that_is_gone_without_a_word_is_found_when_somebody_looks(caplog):
    bench = await grown(2)
    bench.systems[0].is_connected = False
    bench.engine.look()
    assert bench.state == (1, 1, 0, 0)
    assert "its connector did not say why" in warnings(caplog)[0]


@scenario
async def test_one_that_is_lost_is_not_lent_and_is_opened_again_when_it_is_needed():
    bench = await grown(2)
    for system in bench.systems:
        system.log.clear()
    lose(bench.systems[1])
    await turns()
    bench.systems[0].on["send"] = held = Held()
    bench.systems[1].on["send"] = held
    first, second = (bench.submit(SendData("plc", n)) for n in (1, 2))
    await held.begun(2)
    assert bench.systems[1].log[0] == ("begin", "connect")
    held.release()
    held.release()
    assert isinstance(await bench.answer(first), DataSent)
    assert isinstance(await bench.answer(second), DataSent)


@scenario
async def test_what_is_under_way_on_a_connection_that_is_lost_fails_and_the_rest_goes_on(caplog):
    bench = await grown(2)
    helds = [Held(), Held()]
    for system, held in zip(bench.systems, helds, strict=True):
        system.on["send"] = held
    refs = {bench.submit(SendData("plc", n)): n for n in (1, 2)}
    await helds[0].begun()
    await helds[1].begun()
    bench.systems[0].is_connected = False
    helds[0].release(ConnectionResetError("reset"))
    helds[1].release()
    replies = [await bench.answer(ref) for ref in refs]
    assert {type(reply) is DataSent for reply in replies} == {True, False}
    [lost] = [reply for reply in replies if not isinstance(reply, DataSent)]
    assert failed(lost) == (FailureCode.CONNECTOR_ERROR, Outcome.UNKNOWN)
    await turns()
    assert bench.engine.pool_state.lost == 1
    assert len(warnings(caplog)) == 1


@scenario
async def test_the_last_one_is_replaced_at_once_and_nobody_but_the_log_is_told(caplog):
    bench = await grown(1)
    del bench.reports[:]
    lose(bench.systems[0])
    await turns()
    assert isinstance(await bench.ask(SendData("plc", 1)), DataSent)
    assert losses(bench) == []
    assert all(report.is_connected for report in bench.reports)
    assert warnings(caplog) == [
        "plc: connection 1 of 1 was lost: ConnectionResetError: the line is cut; it is replaced"
    ]


@scenario
async def test_a_server_that_is_gone_is_told_once_with_the_reason_of_the_loss(caplog):
    bench = await grown(2)

    async def refuse():
        raise ConnectionRefusedError("refused")

    for system in bench.systems:
        system.on["connect"] = refuse
    del caplog.records[:]
    for system in bench.systems:
        lose(system)
    await bench.until(lambda: not bench.reports[-1].is_connected)
    assert losses(bench) == ["ConnectionResetError: the line is cut"]
    assert [line for line in warnings(caplog) if "2 of 2" in line] == []
    assert bench.engine.pool_state.lost == 2
    assert failed(await bench.ask(SendData("plc", 1)))[0] is FailureCode.NOT_CONNECTED
    reply = await bench.ask(ConnectSystem("plc"))
    assert "refused" in reply.text
    for system in bench.systems:
        del system.on["connect"]
    assert isinstance(await bench.ask(ConnectSystem("plc")), SystemConnected)


@scenario
async def test_the_loss_of_the_last_is_found_by_who_asks_next():
    bench = await grown(1)

    async def refuse():
        raise ConnectionRefusedError("refused")

    bench.systems[0].on["connect"] = refuse
    bench.systems[0].is_connected = False
    send = bench.submit(SendData("plc", 1))
    assert failed(await bench.answer(send)) == (FailureCode.NOT_CONNECTED, Outcome.NOT_SENT)
    await bench.until(lambda: losses(bench))


@scenario
async def test_who_waits_for_a_connection_gets_the_one_that_takes_the_place_of_the_last():
    bench = await grown(1)
    bench.systems[0].on["connect"] = connecting = Held()
    lose(bench.systems[0])
    send = bench.submit(SendData("plc", 1))
    await connecting.begun()
    assert bench.engine.is_connected
    connecting.release()
    assert isinstance(await bench.answer(send), DataSent)


@scenario(cap=10)
async def test_who_waits_for_a_connection_is_told_when_none_takes_its_place_in_time():
    bench = await grown(1)
    bench.systems[0].on["connect"] = connecting = Held()
    lose(bench.systems[0])
    send = bench.submit(SendData("plc", 1))
    assert failed(await bench.answer(send)) == (FailureCode.NOT_CONNECTED, Outcome.NOT_SENT)
    assert not bench.engine.is_connected
    connect = bench.submit(ConnectSystem("plc"))  # its supervisor's, which joins in
    await turns()
    connecting.release()
    assert isinstance(await bench.answer(connect), SystemConnected)
    assert len(connecting.calls) == 1


@scenario(cap=60)
async def test_one_that_was_idle_is_checked_before_it_is_lent_and_replaced_if_it_is_dead(caplog):
    bench = await grown(2)
    checks = []
    for number, system in enumerate(bench.systems):
        system.on["health"] = _check(checks, number, good=number == 0)
    await asyncio.sleep(5)
    assert isinstance(await bench.ask(SendData("plc", 1)), DataSent)
    assert checks == [1, 0]
    assert bench.systems[0].begun("send") == [(1,)]
    await eventually(lambda: not bench.systems[1].is_connected)
    assert warnings(caplog) == [
        "plc: connection 2 of 2 is lost: check_health says that it does not work; 1 left"
    ]
    assert isinstance(await bench.ask(SendData("plc", 2)), DataSent)
    assert checks == [1, 0], "what has just been used works"


def _check(checks, number, *, good):
    async def check():
        checks.append(number)
        return good

    return check


@scenario(cap=60)
async def test_a_check_that_does_not_end_is_no_sign_of_life(caplog):
    bench = await grown(1)
    bench.systems[0].on["health"] = held = Held()
    await asyncio.sleep(5)
    send = bench.submit(SendData("plc", 1))
    await held.begun()
    del bench.systems[0].on["health"]
    reply = await bench.answer(send)
    assert failed(reply)[0] is FailureCode.OVERLOADED
    await eventually(lambda: warnings(caplog))
    assert warnings(caplog) == [
        "plc: connection 1 of 1 was lost: it did not answer its check in time; it is replaced"
    ]


@scenario(cap=60)
async def test_one_that_is_not_answered_on_is_dropped_and_the_others_go_on(caplog):
    bench = await grown(3, Policy(keep_alive=KeepAlive(every=1.0, timeout=0.5)))
    bench.systems[1].on["health"] = Held()
    await eventually(lambda: bench.engine.pool_state.lost)
    assert bench.state == (2, 2, 0, 0)
    assert warnings(caplog) == [
        "plc: connection 2 of 3 is lost: a ping was not answered within 0.5 s; 2 left"
    ]
    assert losses(bench) == []
    assert isinstance(await bench.ask(SendData("plc", 1)), DataSent)


@scenario(cap=60)
async def test_calls_on_all_connections_share_one_limit_of_their_rate():
    bench = await grown(4, Policy(rate_limit=RateLimit(rate=10, burst=4)))
    await asyncio.sleep(1)
    began = asyncio.get_running_loop().time()
    refs = [bench.submit(SendData("plc", number)) for number in range(14)]
    for ref in refs:
        assert isinstance(await bench.answer(ref), DataSent)
    assert asyncio.get_running_loop().time() - began >= 0.99


@scenario
async def test_it_says_where_its_connections_lead_to():
    bench = await grown(3)
    assert bench.engine.connected_to is None
    for system, place in zip(bench.systems, ("b:1", "a:1", "b:1"), strict=True):
        system.connected_to = place
    assert bench.engine.connected_to == "a:1, b:1"
    lose(bench.systems[1])
    await turns()
    assert bench.engine.connected_to == "b:1"


@scenario
async def test_an_error_in_the_background_is_taken_for_that_of_a_connection_that_was_lost():
    bench = await grown(2)
    assert not bench.engine.may_have_lost
    lose(bench.systems[0])
    await turns()
    assert bench.engine.may_have_lost
    bench.systems[1].is_connected = False
    bench.engine.background_failed(ConnectionResetError("found by a reader"))
    await turns()
    assert bench.engine.pool_state.lost == 2


@scenario(cap=600)
async def test_connections_that_do_not_hold_are_made_less_and_less_often(caplog):
    bench = PooledBench(size=2, overflow_wait=0.01)
    await bench.connect()
    bench.systems[0].on["call"] = Held()  # it stays
    bench.submit(CallCommand("plc", "call"))
    times = []
    make = bench._make

    def short_lived():
        system = make()

        async def connect():
            times.append(asyncio.get_running_loop().time())
            asyncio.get_running_loop().call_soon(lose, system)
            return True

        system.on["connect"] = connect
        return system

    bench._make = short_lived
    while asyncio.get_running_loop().time() < 300:
        bench.submit(SendData("plc", 1))
        await asyncio.sleep(0.05)
    waits = [after - before for before, after in itertools.pairwise(times)]
    assert len(times) < 25
    assert max(waits) > 15


@pytest.mark.parametrize("reason", ["max_idle", "max_lifetime"])
def test_closing_one_that_is_not_needed_is_no_loss(reason, caplog):
    @scenario(cap=60)
    async def work():
        bench = PooledBench(size=2, **{reason: 2.0})
        await bench.connect()
        bench.systems[0].on["send"] = held = Held()
        one, other = (bench.submit(SendData("plc", n)) for n in (1, 2))
        await bench.answer(other)
        held.release()
        await bench.answer(one)
        await asyncio.sleep(30)
        assert bench.engine.is_connected
        assert bench.engine.pool_state.lost == 0
        assert bench.engine.pool_state.open in (1, 2)
        assert warnings(caplog) == []
        closed = sum(len(system.begun("disconnect")) for system in bench.systems)
        assert closed == 1 if reason == "max_idle" else closed > 5

    work()
