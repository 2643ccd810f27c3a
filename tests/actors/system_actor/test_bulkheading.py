"""So many commands and concurrent questions at a time; the rest waits, or is refused."""

from __future__ import annotations

import asyncio

import attrs

from actors.messages import (
    CallCommand,
    CheckHealth,
    CommandCalled,
    DataSent,
    FailureCode,
    HealthChecked,
    Outcome,
    QueryAnswered,
    QueryData,
    SendData,
)
from actors.resilience.bulkhead import Bulkhead
from actors.resilience.policy import Policy
from actors.system_actor.bulkheading import BulkheadGuard
from actors.system_actor.calls import Call, Operation
from tests.helpers.bench import Bench, Held, Puppet, scenario, turns

TWO = Policy(bulkhead=Bulkhead(concurrent=2, queue=1))


class Asked(Puppet):
    """Many may ask it at the same time."""

    concurrent_queries = True

    async def query_data(self, question, timeout):
        return await self._do("query", question, otherwise=f"answer to {question}")


class OneByOne(Asked):
    concurrent_queries = False


def call(number=0):
    return CallCommand("plc", "call", (number,))


@scenario
async def test_calls_wait_for_a_place_in_order():
    system = Puppet()
    system.on["call"] = held = Held()
    bench = Bench(system, Policy(bulkhead=Bulkhead(concurrent=2)))
    refs = [bench.submit(call(number)) for number in range(4)]
    await turns()
    assert held.calls == [(0,), (1,)]
    held.release()
    await turns()
    assert held.calls == [(0,), (1,), (2,)]
    for _ in range(2):
        held.release()
    await turns()
    held.release()
    for ref in refs:
        assert isinstance(await bench.answer(ref), CommandCalled)


@scenario
async def test_one_too_many_is_told_of_the_line():
    system = Puppet()
    system.on["call"] = Held()
    bench = Bench(system, TWO)
    for _ in range(3):
        bench.submit(call())
    await asyncio.sleep(0.5)
    reply = await bench.ask(call())
    assert (reply.code, reply.outcome) == (FailureCode.OVERLOADED, Outcome.NOT_SENT)
    assert (
        "plc: connected, and busy with 2 calls at once, 1 in line, the first for 0.5" in reply.text
    )
    assert 0.2 < reply.retry_after < 0.3


@scenario
async def test_a_cancelled_one_gives_its_place_or_its_turn_to_the_next():
    system = Puppet()
    system.on["call"] = held = Held()
    bench = Bench(system, Policy(bulkhead=Bulkhead(concurrent=1)))
    first, second, third = [bench.submit(call(number)) for number in range(3)]
    await turns()
    bench.forget(second)
    bench.forget(first)
    await held.begun(2)
    assert held.calls == [(0,), (2,)]
    held.release()
    assert isinstance(await bench.answer(third), CommandCalled)


@scenario
async def test_questions_and_commands_count_together_where_questions_go_at_a_time():
    system = Asked()
    system.on["call"] = Held()
    bench = Bench(system, TWO)
    for _ in range(2):
        bench.submit(call())
    await turns()
    question = bench.submit(QueryData("plc", "A?"))
    await turns()
    assert system.begun("query") == []
    reply = await bench.ask(QueryData("plc", "B?"))
    assert reply.code is FailureCode.OVERLOADED
    assert not bench.is_answered(question)


@scenario
async def test_what_goes_one_after_the_other_and_its_health_need_no_place():
    system = OneByOne()
    system.on["call"] = Held()
    bench = Bench(system, TWO)
    for _ in range(3):
        bench.submit(call())
    await turns()
    assert isinstance(await bench.ask(SendData("plc", 1)), DataSent)
    assert isinstance(await bench.ask(CheckHealth("plc")), HealthChecked)
    assert isinstance(await bench.ask(QueryData("plc", "A?")), QueryAnswered)


@scenario
async def test_what_waits_when_the_system_is_stopped_was_not_sent():
    system = Puppet()
    system.on["call"] = Held()
    bench = Bench(system, Policy(bulkhead=Bulkhead(concurrent=1)))
    began, waits = bench.submit(call()), bench.submit(call())
    await turns()
    await bench.engine.stop(0.5)
    bench.to_supervisor.flush()
    outcomes = [bench.replies[ref][-1].outcome for ref in (began, waits)]
    assert outcomes == [Outcome.UNKNOWN, Outcome.NOT_SENT]


@scenario
async def test_of_a_pool_the_questions_of_each_connection_count():
    guard = BulkheadGuard(Bulkhead(concurrent=1, queue=0), lambda: False, several=True)
    first = Call(Operation.QUERY, QueryData("plc", "A?"))
    held = Held()
    task = asyncio.create_task(guard.around(first, held))
    await held.begun()
    reply = await guard.around(attrs.evolve(first, request=QueryData("plc", "B?")), Held())
    assert reply.code is FailureCode.OVERLOADED
    assert "plc: not connected, and busy with 1 calls at once, 0 in line" in reply.text
    held.release()
    await task
