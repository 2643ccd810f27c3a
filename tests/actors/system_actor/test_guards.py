"""What stands around the calls of a connector, and what becomes of a call that takes too long."""

from __future__ import annotations

import pytest

from actors.messages import (
    CallCommand,
    CheckHealth,
    ConnectSystem,
    DataSent,
    DisconnectSystem,
    Failure,
    FailureCode,
    ManySent,
    Outcome,
    QueryData,
    SendData,
    SendMany,
    SystemConnected,
)
from actors.resilience.policy import NO_POLICY, Policy
from actors.resilience.timeouts import Timeouts
from actors.system_actor.calls import Call, Operation
from actors.system_actor.guards import Guards
from tests.helpers.bench import Bench, BulkPuppet, Held, Puppet, scenario

LIMIT = 0.5
ALL = Policy(timeouts=Timeouts(**{each.value: LIMIT for each in Operation}))


class Outer:
    """A guard that notes when it is passed."""

    def __init__(self, name, log):
        self.name, self.log = name, log

    async def around(self, call, go_on):
        self.log.append((self.name, call.operation, call.weight))
        result = await go_on()
        self.log.append((self.name, result))
        return result


def test_a_system_without_a_policy_has_no_guards():
    assert Guards.of(NO_POLICY, Puppet()) is None


@scenario
async def test_the_first_guard_is_the_outermost():
    log = []
    guards = Guards([Outer("one", log), Outer("two", log)])

    async def work():
        log.append("work")
        return True

    call = Call(Operation.SEND, SendData("plc", 1), 3)
    assert await guards.run(call, work) is True
    assert log == [
        ("one", "send", 3),
        ("two", "send", 3),
        "work",
        ("two", True),
        ("one", True),
    ]


@pytest.mark.parametrize(
    ("what", "request_", "connected"),
    [
        ("connect", ConnectSystem("plc"), False),
        ("disconnect", DisconnectSystem("plc"), True),
        ("send", SendData("plc", 1), True),
        ("query", QueryData("plc", "A?", 100.0), True),
        ("call", CallCommand("plc", "call"), True),
        ("health", CheckHealth("plc"), True),
    ],
)
def test_each_kind_of_call_is_cut_off_at_its_time_limit(what, request_, connected):
    @scenario
    async def play():
        system = Puppet(connected)
        system.on["send" if what == "query" else what] = held = Held()
        system.quiet_time = 0
        bench = Bench(system, ALL)
        reply = await bench.ask(request_)
        assert isinstance(reply, Failure)
        assert (reply.code, reply.outcome) == (FailureCode.TIMEOUT, Outcome.UNKNOWN)
        assert "took longer than its time limit (0.5 s), and was cut off" in reply.text
        assert len(held.calls) == 1
        assert bench.crashes == []

    play()


@scenario
async def test_an_item_that_takes_too_long_does_not_cost_those_behind_it():
    system = Puppet()

    async def send(data):
        if data == "slow":
            await Held()()
        return True

    system.on["send"] = send
    bench = Bench(system, ALL)
    ref = bench.submit(SendMany("plc", ("one", "slow", "two")))
    await bench.answer(ref)
    one, slow, two = bench.results(ref)
    assert (one, two) == (True, True)
    assert slow.code is FailureCode.TIMEOUT


@scenario
async def test_of_items_that_go_out_together_each_is_told_of_the_time_limit():
    system = BulkPuppet()
    system.on["send_many"] = Held()
    reply = await Bench(system, ALL).ask(SendMany("plc", (1, 2)))
    assert isinstance(reply, ManySent)
    assert [each.code for each in reply.results] == [FailureCode.TIMEOUT] * 2


@scenario
async def test_a_connect_that_was_cut_off_leaves_no_connection_behind():
    system = Puppet(connected=False)

    async def connect():
        system.is_connected = True
        await Held()()

    system.on["connect"] = connect
    bench = Bench(system, ALL)
    assert isinstance(await bench.ask(ConnectSystem("plc")), Failure)
    assert not system.is_connected


@scenario
async def test_the_system_s_own_time_out_is_no_time_limit():
    system = Puppet()

    async def send(data):
        raise TimeoutError("the device did not take it")

    system.on["send"] = send
    reply = await Bench(system, ALL).ask(SendData("plc", 1))
    assert reply.code is FailureCode.CONNECTOR_ERROR


@scenario
async def test_what_is_quick_enough_is_as_it_was():
    bench = Bench(Puppet(connected=False), ALL)
    assert isinstance(await bench.ask(ConnectSystem("plc")), SystemConnected)
    assert isinstance(await bench.ask(SendData("plc", 1)), DataSent)
