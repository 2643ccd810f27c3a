"""Whoever waits for data of a system with several connections gets what comes on any."""

from __future__ import annotations

import asyncio

from actors.messages import (
    CallCommand,
    ConnectSystem,
    DataReceived,
    DisconnectSystem,
    FailureCode,
    ManyReceived,
    NothingReceived,
    ReceiveData,
    ReceiveMany,
)
from actors.messages.limits import DELIVERY_ITEMS
from tests.helpers.asked import failed
from tests.helpers.bench import FOREVER, BulkPuppet, Held, Puppet, Source, scenario, turns
from tests.helpers.pooled_bench import PooledBench


async def sources(count, make=Puppet, **policy):
    """A bench with so many open connections, and what comes on each."""
    found = []

    def another():
        system = make(connected=False)
        found.append(Source())
        system.on["receive"] = found[-1]
        return system

    bench = PooledBench(another, size=count, **policy)
    await bench.connect()
    held = Held()
    refs = []
    for number in range(count):
        refs.append(bench.submit(CallCommand("plc", "call")))
        while len(bench.systems) <= number:
            await asyncio.sleep(0.01)
        bench.systems[number].on["call"] = held
    await held.begun(count)
    for _ in refs:
        held.release()
    for ref in refs:
        await bench.answer(ref)
    await turns()
    assert bench.state == (count, count, 0, 0)
    return bench, found


@scenario
async def test_a_receive_gets_what_comes_first_on_any_connection():
    bench, (_, _, third) = await sources(3)
    receive = bench.submit(ReceiveData("plc", FOREVER))
    await turns()
    third.put("news")
    assert (await bench.answer(receive)).load() == "news"


@scenario
async def test_what_comes_on_several_at_once_is_kept_for_the_next_callers():
    bench, (first, second, third) = await sources(3)
    receive = bench.submit(ReceiveData("plc", FOREVER))
    await turns()
    first.put(1)
    second.put(2)
    third.put(3)
    got = [(await bench.answer(receive)).load()]
    for _ in range(2):
        got.append((await bench.ask(ReceiveData("plc", 0.0))).load())
    assert sorted(got) == [1, 2, 3]
    assert isinstance(await bench.ask(ReceiveData("plc", 0.0)), NothingReceived)


@scenario
async def test_items_of_one_connection_keep_their_order():
    bench, (first, second) = await sources(2)
    first.put(*range(100))
    second.put(*range(1000, 1100))
    got = []
    while len(got) < 200:
        reply = await bench.ask(ReceiveMany("plc", 30, 0.1))
        assert isinstance(reply, ManyReceived)
        got += reply.load()
    assert [item for item in got if item < 1000] == list(range(100))
    assert [item for item in got if item >= 1000] == list(range(1000, 1100))


@scenario
async def test_nothing_is_dropped_that_several_bring_at_once_for_one_caller():
    count = DELIVERY_ITEMS
    bench, _ = await sources(3, BulkPuppet)
    helds = [Held() for _ in bench.systems]
    for system, held in zip(bench.systems, helds, strict=True):
        system.on["receive_many"] = held
    receive = bench.submit(ReceiveMany("plc", count, FOREVER))
    for number, held in enumerate(helds):
        await held.begun()
        held.release(list(range(number * count, (number + 1) * count)))
    got = (await bench.answer(receive)).load()
    while len(got) < 3 * count:
        got += (await bench.ask(ReceiveMany("plc", count, 0.0))).load()
    assert sorted(got) == list(range(3 * count))
    assert sum(report.dropped for report in bench.reports) == 0


@scenario
async def test_a_connection_that_is_lost_costs_no_receive_while_others_hold():
    bench, (first, second) = await sources(2)
    receive = bench.submit(ReceiveData("plc", FOREVER))
    await turns()
    bench.systems[0].is_connected = False
    first.put(ConnectionResetError("reset"))
    await turns()
    assert not bench.is_answered(receive)
    second.put("news")
    assert (await bench.answer(receive)).load() == "news"
    assert bench.engine.pool_state.lost == 1


@scenario
async def test_whoever_waits_is_told_when_the_last_is_lost_and_not_replaced():
    bench, (source,) = await sources(1)

    async def refuse():
        raise ConnectionRefusedError("refused")

    bench.systems[0].on["connect"] = refuse
    receive = bench.submit(ReceiveData("plc", FOREVER))
    await turns()
    bench.systems[0].is_connected = False
    source.put(ConnectionResetError("reset"))
    assert failed(await bench.answer(receive))[0] is FailureCode.NOT_CONNECTED
    assert failed(await bench.ask(ReceiveData("plc", FOREVER)))[0] is FailureCode.NOT_CONNECTED


@scenario
async def test_an_error_that_costs_no_connection_is_told_to_who_waits():
    bench, (first, _) = await sources(2)
    receive = bench.submit(ReceiveData("plc", FOREVER))
    await turns()
    first.put(OSError("garbled"))
    assert failed(await bench.answer(receive))[0] is FailureCode.CONNECTOR_ERROR


@scenario
async def test_a_receive_waits_for_a_connect_and_not_for_a_disconnect():
    bench, (first, _) = await sources(2)
    receive = bench.submit(ReceiveData("plc", FOREVER))
    await turns()
    await bench.ask(DisconnectSystem("plc"))
    assert failed(await bench.answer(receive))[0] is FailureCode.NOT_CONNECTED
    bench.submit(ConnectSystem("plc"))
    receive = bench.submit(ReceiveData("plc", FOREVER))
    first.put("news")
    assert isinstance(await bench.answer(receive), DataReceived)


@scenario
async def test_subscribers_are_shown_what_comes_on_all_also_on_those_opened_later():
    bench, (first, second) = await sources(2)
    bench.engine.set_tap(True)
    await turns()
    first.put(1)
    second.put(2)
    await bench.until(lambda: len(bench.tapped) == 2)
    assert bench.engine.is_tapped
    bench.engine.set_tap(False)
    assert not bench.engine.is_tapped


@scenario
async def test_what_nobody_got_comes_first():
    bench, (first, _) = await sources(2)
    first.put("later")
    bench.engine.take_back(("before",))
    got = [(await bench.ask(ReceiveData("plc", 0.5))).load() for _ in range(2)]
    assert [str(item) for item in got] == ["before", "later"]


@scenario(cap=60)
async def test_what_has_come_on_a_connection_that_is_closed_for_idleness_is_not_lost():
    bench, found = await sources(2, max_idle=1.0)
    await asyncio.sleep(0.9)
    for number, source in enumerate(found):
        source.put(f"news {number}")
    await asyncio.sleep(10)
    assert bench.state[0] == 1
    got = {(await bench.ask(ReceiveData("plc", 0.5))).load() for _ in range(2)}
    assert got == {"news 0", "news 1"}
