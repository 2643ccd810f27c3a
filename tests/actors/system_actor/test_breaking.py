"""The circuit breaker around a connector's calls: what opens it, whom it refuses, what it tells."""

from __future__ import annotations

import asyncio

import pytest

from actors import ConnectorError, ItemRefusedError, NoAnswerError
from actors.messages import (
    CallCommand,
    CheckHealth,
    CommandCalled,
    ConnectSystem,
    DataSent,
    DisconnectSystem,
    FailureCode,
    HealthChecked,
    Outcome,
    QueryData,
    SendData,
    SendMany,
    SystemConnected,
    SystemDisconnected,
)
from actors.resilience.circuit_breaker import CircuitBreakerPolicy, CircuitState
from actors.resilience.policy import Policy
from actors.resilience.state import PolicyState
from actors.resilience.timeouts import Timeouts
from tests.helpers.bench import Bench, BulkPuppet, Held, Puppet, scenario, turns

CLOSED, OPEN, HALF_OPEN = CircuitState
POLICY = Policy(
    circuit_breaker=CircuitBreakerPolicy(
        window=4, min_calls=2, backoff_min=1.0, backoff_max=8.0, probe_timeout=3.0
    )
)


class Broken(Bench):
    """With a system that fails, as long as it is told to."""

    def __init__(self, system=None, policy=POLICY, past=None):
        system = system or Puppet()
        self.error: Exception | None = ConnectorError("no contact")
        system.on["send"] = self._send
        super().__init__(system, policy, past=past or PolicyState())

    async def _send(self, data):
        if self.error is not None:
            raise self.error
        return True

    async def open(self):
        """Until it is open; the first refusal."""
        while True:
            reply = await self.ask(SendData("plc", 1))
            if reply.code is FailureCode.CIRCUIT_OPEN:
                return reply

    async def half_open(self):
        await asyncio.sleep((await self.open()).retry_after)

    @property
    def news(self):
        return [each.policies for each in self.reports if each.policies is not None]

    @property
    def changes(self):
        return [circuit.state for news in self.news for circuit in news.circuits]

    @property
    def circuit(self):
        """What the next incarnation would be told."""
        return self.news[-1].state.circuit


@scenario(cap=100)
async def test_after_too_many_failures_a_call_is_refused_at_once_and_told_all_about_it():
    bench = Broken()
    for _ in range(2):
        assert (await bench.ask(SendData("plc", 1))).code is FailureCode.CONNECTOR_ERROR
    refused = await bench.ask(SendData("plc", 1))
    assert len(bench.system.begun("send")) == 2
    assert (refused.code, refused.outcome) == ("circuit_open", Outcome.NOT_SENT)
    assert 0.7 < refused.retry_after <= 1.0
    assert refused.text.startswith(
        "plc: the circuit breaker is open: 2 of the last 2 calls failed, the last: "
        "ConnectorError: no contact; it tries again in "
    )
    assert bench.changes == [OPEN]


@scenario(cap=100)
async def test_sends_questions_and_commands_are_refused_and_nothing_else():
    bench = Broken()
    await bench.open()
    for request in (
        SendData("plc", 1),
        QueryData("plc", "?"),
        CallCommand("plc", "call"),
    ):
        assert (await bench.ask(request)).code is FailureCode.CIRCUIT_OPEN
    many = bench.submit(SendMany("plc", (1, 2)))
    await bench.answer(many)
    assert [each.code for each in bench.results(many)] == [FailureCode.CIRCUIT_OPEN] * 2
    assert isinstance(await bench.ask(CheckHealth("plc")), HealthChecked)
    assert isinstance(await bench.ask(DisconnectSystem("plc")), SystemDisconnected)
    assert isinstance(await bench.ask(ConnectSystem("plc")), SystemConnected)


@scenario(cap=100)
async def test_its_probe_closes_it_when_it_works_again():
    bench = Broken()
    await bench.half_open()
    bench.error = None
    assert isinstance(await bench.ask(SendData("plc", 1)), DataSent)
    assert isinstance(await bench.ask(SendData("plc", 1)), DataSent)
    assert bench.changes == [OPEN, HALF_OPEN, CLOSED]


@scenario(cap=100)
async def test_it_becomes_half_open_by_itself_and_is_open_for_longer_when_its_probe_fails():
    bench = Broken()
    first = (await bench.open()).retry_after
    await asyncio.sleep(first)
    await bench.until(lambda: bench.changes == [OPEN, HALF_OPEN])
    assert (await bench.ask(SendData("plc", 1))).code is FailureCode.CONNECTOR_ERROR
    again = await bench.ask(SendData("plc", 1))
    assert again.code is FailureCode.CIRCUIT_OPEN
    assert again.retry_after > 1.4


@scenario(cap=100)
async def test_while_a_probe_is_under_way_the_others_are_refused():
    bench = Broken()
    await bench.half_open()
    bench.system.on["call"] = held = Held()
    probe = bench.submit(CallCommand("plc", "call"))
    await held.begun()
    refused = await bench.ask(SendData("plc", 1))
    assert refused.code is FailureCode.CIRCUIT_OPEN
    assert "half-open" in refused.text
    held.release()
    assert isinstance(await bench.answer(probe), CommandCalled)
    assert bench.changes[-1] is CLOSED


@scenario(cap=100)
async def test_a_probe_that_takes_too_long_is_cut_off_and_has_failed():
    bench = Broken()
    await bench.half_open()
    bench.system.on["send"] = Held()
    cut = await bench.ask(SendData("plc", 1))
    assert (cut.code, cut.outcome) == (FailureCode.TIMEOUT, Outcome.UNKNOWN)
    assert "send took longer than 3 s (the probe_timeout of its circuit breaker)" in cut.text
    assert bench.changes == [OPEN, HALF_OPEN, OPEN]
    assert bench.crashes == []


@scenario(cap=100)
async def test_a_probe_whose_connector_does_not_give_way_does_not_stick_either():
    bench = Broken()
    await bench.half_open()
    ever = asyncio.Event()

    async def stubborn():
        while True:
            try:
                return await ever.wait()
            except asyncio.CancelledError:
                continue

    bench.system.on["call"] = stubborn
    bench.submit(CallCommand("plc", "call"))
    await bench.until(lambda: bench.changes == [OPEN, HALF_OPEN, OPEN, HALF_OPEN])
    bench.error = None
    assert isinstance(await bench.ask(SendData("plc", 1)), DataSent)
    assert bench.changes[-1] is CLOSED
    ever.set()


@scenario(cap=100)
async def test_a_probe_whose_caller_leaves_lets_the_next_call_be_one():
    bench = Broken()
    await bench.half_open()
    held = bench.system.on["send"] = Held()
    probe = bench.submit(SendData("plc", 1))
    await held.begun()
    bench.forget(probe)
    await turns()
    bench.system.on["send"] = bench._send
    bench.error = None
    assert isinstance(await bench.ask(SendData("plc", 1)), DataSent)
    assert bench.changes == [OPEN, HALF_OPEN, CLOSED]


@scenario(cap=100)
async def test_a_probe_that_a_disconnect_cuts_off_lets_the_next_call_be_one():
    bench = Broken()
    await bench.half_open()
    held = bench.system.on["send"] = Held()
    probe = bench.submit(SendData("plc", 1))
    await held.begun()
    assert isinstance(await bench.ask(DisconnectSystem("plc")), SystemDisconnected)
    assert (await bench.answer(probe)).code is FailureCode.NOT_CONNECTED
    bench.system.on["send"] = bench._send
    bench.error = None
    await bench.ask(ConnectSystem("plc"))
    assert isinstance(await bench.ask(SendData("plc", 1)), DataSent)
    assert bench.changes[-1] is CLOSED


@scenario(cap=100)
async def test_a_probe_that_crashes_the_system_is_told_as_under_way():
    bench = Broken()
    await bench.half_open()
    bench.error = RuntimeError("a bug")
    bench.submit(SendData("plc", 1))
    await bench.crash()
    assert bench.circuit.state is HALF_OPEN
    assert bench.circuit.probing == 1


@pytest.mark.parametrize(
    "said",
    [
        NoAnswerError("no answer within 5 s"),
        OSError("broken pipe"),
        TimeoutError("the device did not take it"),
        False,
        None,
    ],
)
def test_what_a_system_raises_or_does_not_take_is_a_failure(said):
    @scenario(cap=100)
    async def play():
        system = Puppet()

        async def send(data):
            if isinstance(said, Exception):
                raise said
            return said

        bench = Bench(system, POLICY)
        system.on["send"] = send
        codes = [(await bench.ask(SendData("plc", 1))).code for _ in range(3)]
        assert codes[2] is FailureCode.CIRCUIT_OPEN
        assert FailureCode.CIRCUIT_OPEN not in codes[:2]

    play()


@scenario(cap=100)
async def test_what_is_cut_off_at_its_time_limit_is_a_failure():
    policy = Policy(circuit_breaker=POLICY.circuit_breaker, timeouts=Timeouts(send=0.5))
    system = Puppet()
    bench = Bench(system, policy)
    system.on["send"] = Held()
    codes = [(await bench.ask(SendData("plc", 1))).code for _ in range(3)]
    assert codes == [FailureCode.TIMEOUT, FailureCode.TIMEOUT, FailureCode.CIRCUIT_OPEN]


@scenario(cap=100)
async def test_an_answer_that_does_not_come_is_a_failure():
    system = Puppet()
    system.query_timeout = 0.5
    system.quiet_time = 0
    bench = Bench(system, POLICY)
    codes = [(await bench.ask(QueryData("plc", "?"))).code for _ in range(3)]
    assert codes == [FailureCode.TIMEOUT, FailureCode.TIMEOUT, FailureCode.CIRCUIT_OPEN]


async def refuse(data):
    raise ItemRefusedError("too long")


async def leave(data):
    await asyncio.Event().wait()


@scenario(cap=100)
async def test_an_item_that_is_refused_and_a_wrong_request_say_nothing_of_the_system():
    system = Puppet()
    bench = Bench(system, POLICY)
    system.on["send"] = refuse
    for _ in range(10):
        reply = await bench.ask(SendData("plc", 1))
        assert reply.code is FailureCode.ITEM_REFUSED
        assert (await bench.ask(CallCommand("plc", "nothing"))).code is (
            FailureCode.UNKNOWN_COMMAND
        )
        assert (await bench.ask(CallCommand("plc", "add"))).code is FailureCode.INVALID_REQUEST


@scenario(cap=100)
async def test_a_call_that_is_given_up_says_nothing():
    system = Puppet()
    bench = Bench(system, POLICY)
    system.on["send"] = leave
    for _ in range(10):
        ref = bench.submit(SendData("plc", 1))
        await turns()
        bench.forget(ref)
        await turns()
    del system.on["send"]
    assert isinstance(await bench.ask(SendData("plc", 1)), DataSent)


@scenario(cap=100)
async def test_a_system_that_is_not_connected_is_not_called_and_so_says_nothing():
    bench = Bench(Puppet(connected=False), POLICY)
    for _ in range(10):
        reply = await bench.ask(SendData("plc", 1))
        assert reply.code is FailureCode.NOT_CONNECTED


@scenario(cap=100)
async def test_items_that_go_out_together_are_one_call_that_fails_if_none_is_taken():
    system = BulkPuppet()
    results = [[ConnectorError("one"), True]] * 9
    results += [[ConnectorError("none"), False]] * 6

    async def send_many(items):
        return results.pop(0)

    system.on["send_many"] = send_many
    bench = Bench(system, POLICY)
    while results:
        ref = bench.submit(SendMany("plc", (1, 2)))
        await bench.answer(ref)
        if bench.results(ref)[0].code is FailureCode.CIRCUIT_OPEN:
            break
    assert len(results) == 4


# ---- what the supervisor is told ----------------------------------------------------------------


@scenario(cap=100)
async def test_a_system_that_works_tells_nothing():
    bench = Broken()
    bench.error = None
    for _ in range(100):
        await bench.ask(SendData("plc", 1))
    await asyncio.sleep(10)
    assert bench.news == []


@scenario(cap=1000)
async def test_failures_that_do_not_open_it_are_told_once_a_second_at_most():
    bench = Broken(policy=Policy(circuit_breaker=CircuitBreakerPolicy(window=1000, min_calls=900)))
    for _ in range(500):
        await bench.ask(SendData("plc", 1))
        await asyncio.sleep(0.01)
    await asyncio.sleep(2)
    assert 5 <= len(bench.news) <= 8
    assert len(bench.circuit.failed) == 500


@scenario(cap=100)
async def test_the_next_incarnation_begins_with_it_open():
    before = Broken()
    await before.open()
    after = Broken(past=before.news[-1].state)
    reply = await after.ask(SendData("plc", 1))
    assert reply.code is FailureCode.CIRCUIT_OPEN
    assert "2 of the last 2 calls failed" in reply.text
    assert after.changes == []
    await after.until(lambda: after.changes == [HALF_OPEN])


@scenario(cap=100)
async def test_the_next_incarnation_tells_that_a_probe_was_the_end_of_the_one_before():
    before = Broken()
    await before.half_open()
    before.error = RuntimeError("a bug")
    before.submit(SendData("plc", 1))
    await before.crash()
    after = Broken(past=before.news[-1].state)
    await after.until(lambda: after.changes == [OPEN])
    assert after.circuit.why == "the process ended while a probe was under way"
