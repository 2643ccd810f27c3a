"""A system that is connected before it counts as started."""

from __future__ import annotations

from actors.errors import ConnectorError, FatalError
from actors.messages import FailureCode
from actors.system_actor.first_connect import connect_first
from tests.helpers.bench import FOREVER, Bench, Held, Puppet, scenario, turns


def raising(error):
    async def fail(*_):
        raise error

    return fail


@scenario
async def test_what_can_be_connected_is():
    bench = Bench(Puppet(connected=False))
    assert await connect_first(bench.engine, "plc", FOREVER) is None
    assert bench.system.is_connected


@scenario
async def test_what_cannot_be_connected_says_why():
    bench = Bench(Puppet(connected=False))
    for error, code in (
        (ConnectorError("no route"), FailureCode.CONNECTOR_ERROR),
        (FatalError("wrong password"), FailureCode.FAILED),
    ):
        bench.system.on["connect"] = raising(error)
        failure = await connect_first(bench.engine, "plc", FOREVER)
        assert failure is not None
        assert failure.code is code
        assert str(error) in failure.text


@scenario
async def test_a_connect_that_takes_too_long_is_not_waited_for():
    bench = Bench(Puppet(connected=False))
    held = bench.system.on["connect"] = Held()
    failure = await connect_first(bench.engine, "plc", 1.5)
    assert failure is not None
    assert failure.code is FailureCode.TIMEOUT
    assert failure.text == "plc: not connected within 1.5 s"
    held.release()


@scenario
async def test_what_connects_too_late_is_nobodys_answer():
    bench = Bench(Puppet(connected=False))
    held = bench.system.on["connect"] = Held()
    assert await connect_first(bench.engine, "plc", 0.5) is not None
    held.release()
    await turns()
    assert bench.system.is_connected
    assert bench.crashes == []
