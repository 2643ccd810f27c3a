"""Connectors that do not do as they are told: swallowed cancellations, calls that never wait."""

import asyncio

from actors.messages import (
    CheckHealth,
    ConnectSystem,
    DataSent,
    DisconnectSystem,
    ReceiveData,
    SendData,
    SendMany,
    SystemDisconnected,
)
from actors.system_actor.lane import GIVE_WAY
from tests.helpers.bench import Bench, Held, Puppet, scenario, turns

FOREVER = 3600.0


def swallowing(held, result=True):
    """A behaviour that takes its cancellation for an ordinary end."""

    async def behave(*args):
        try:
            return await held(*args)
        except asyncio.CancelledError:
            return result

    return behave


@scenario
async def test_the_rest_of_many_is_not_sent_when_the_cut_was_swallowed():
    system = Puppet()
    held = Held()
    system.on["send"] = swallowing(held)
    bench = Bench(system)
    ref = bench.submit(SendMany("plc", [1, 2, 3]))
    await held.begun()
    bench.forget(ref)
    await turns()
    assert held.calls == [(1,)]
    assert bench.results(ref) == [True]


@scenario
async def test_a_swallowed_cut_leaves_no_trace_on_the_next_send():
    system = Puppet()
    held = Held()
    swallow = swallowing(held)

    async def send(item):
        if item == 1:
            return await swallow(item)
        raise asyncio.CancelledError("own")

    system.on["send"] = send
    bench = Bench(system)
    first = bench.submit(SendData("plc", 1))
    bench.submit(SendData("plc", 2))
    await held.begun()
    bench.forget(first)
    assert (await bench.crash()).text == "CancelledError: own"


@scenario
async def test_a_swallowed_end_of_receiving_begins_no_other_call():
    system = Puppet()
    held = Held()
    system.on["receive"] = swallowing(held, None)
    bench = Bench(system)
    bench.engine.set_tap(True)
    await held.begun()
    assert isinstance(await bench.ask(DisconnectSystem("plc")), SystemDisconnected)
    assert len(held.calls) == 1
    await bench.ask(ConnectSystem("plc"))
    await held.begun(2)
    bench.engine.set_tap(False)
    held.release(None)
    await turns()


@scenario
async def test_an_item_that_comes_with_a_swallowed_end_is_not_lost():
    system = Puppet()
    held = Held()
    system.on["receive"] = swallowing(held, "last")
    bench = Bench(system)
    bench.submit(ReceiveData("plc", wait=FOREVER))
    await held.begun()
    await bench.ask(DisconnectSystem("plc"))
    assert (await bench.ask(ReceiveData("plc"))).load() == "last"


@scenario(cap=2 * GIVE_WAY)
async def test_a_call_that_never_gives_way_is_a_crash():
    system = Puppet(connected=False)

    async def connect():
        while not bench.crashes:
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                pass

    system.on["connect"] = connect
    bench = Bench(system)
    ref = bench.submit(ConnectSystem("plc"))
    await turns()
    bench.forget(ref)
    bench.submit(ConnectSystem("plc"))
    reason = await bench.crash()
    assert reason.text == (
        "RuntimeError: ConnectSystem: its connector goes on 30 s after it was cancelled; "
        "a coroutine must end at its CancelledError"
    )


@scenario
async def test_an_item_always_at_hand_does_not_starve_the_others():
    system = Puppet()

    async def at_once():
        return "item"

    system.on["receive"] = at_once
    bench = Bench(system)
    bench.engine.set_tap(True)
    await bench.until(lambda: bench.tapped)
    assert isinstance(await bench.ask(SendData("plc", 1)), DataSent)
    assert (await bench.ask(CheckHealth("plc"))).healthy
    assert isinstance(await bench.ask(DisconnectSystem("plc")), SystemDisconnected)
