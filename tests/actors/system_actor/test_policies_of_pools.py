"""A circuit breaker and retries of a system that has several connections: what limits a system does
not limit each of them."""

from __future__ import annotations

from actors import ConnectorError, NotSentError
from actors.messages import DataSent, FailureCode, SendData
from actors.resilience.circuit_breaker import CircuitBreakerPolicy
from actors.resilience.policy import Policy
from actors.resilience.retry import RetryPolicy
from tests.helpers.bench import Puppet, scenario
from tests.helpers.pooled_bench import PooledBench

RETRY = Policy(retry=RetryPolicy(attempts=3, backoff_min=1.0))


def puppet(send):
    system = Puppet(connected=False)
    system.on["send"] = send
    return system


@scenario(cap=100)
async def test_the_failures_of_all_connections_open_one_circuit():
    async def fail(data):
        raise ConnectorError("no contact")

    breaker = CircuitBreakerPolicy(window=4, backoff_min=50.0)
    bench = PooledBench(lambda: puppet(fail), of_each=Policy(circuit_breaker=breaker))
    await bench.connect()
    refs = [bench.submit(SendData("plc", item)) for item in range(8)]
    codes = [(await bench.answer(ref)).code for ref in refs]
    assert codes.count(FailureCode.CONNECTOR_ERROR) == 4
    assert codes.count(FailureCode.CIRCUIT_OPEN) == 4


@scenario(cap=100)
async def test_a_send_is_tried_again_while_others_go_on_over_other_connections():
    calls = []

    async def send(data):
        calls.append(data)
        if data == "busy" and calls.count("busy") < 3:
            raise NotSentError("busy")
        return True

    bench = PooledBench(lambda: puppet(send), of_each=RETRY)
    await bench.connect()
    busy = bench.submit(SendData("plc", "busy"))
    assert isinstance(await bench.ask(SendData("plc", "quick")), DataSent)
    assert not bench.is_answered(busy)
    assert isinstance(await bench.answer(busy), DataSent)
    assert bench.state[2:] == (0, 0)


@scenario(cap=100)
async def test_a_send_whose_connection_is_gone_does_not_hold_the_pool_up():
    systems = []

    async def send(data):
        if data == "lose it":
            system = next(each for each in systems if ("begin", "send", data) in each.log)
            system.is_connected = False
            raise NotSentError("it closed the connection")
        return True

    def make():
        systems.append(puppet(send))
        return systems[-1]

    bench = PooledBench(make, of_each=RETRY)
    await bench.connect()
    lost = bench.submit(SendData("plc", "lose it"))
    assert isinstance(await bench.ask(SendData("plc", "other")), DataSent)
    failed = await bench.answer(lost)
    assert failed.outcome == "not_sent"
    assert isinstance(await bench.ask(SendData("plc", "later")), DataSent)
    assert bench.crashes == []
