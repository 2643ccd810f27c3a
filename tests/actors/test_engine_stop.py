"""Stopping disconnects once, answers everyone, and takes no longer than it may."""

import asyncio

import pytest

from actors import ConnectorError
from actors.messages import (
    DataSent,
    FailureCode,
    ReceiveData,
    SendData,
)
from tests.actors.bench import Bench, Held, Puppet, scenario

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
    assert (await bench.answer(ref)).code is FailureCode.NOT_CONNECTED


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
