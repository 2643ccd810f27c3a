"""One timer for many calls: each is cut off at its own time, and by nobody else's."""

from __future__ import annotations

import asyncio

import pytest

from actors.messages import CallCommand, Failure, FailureCode, SendData
from actors.resilience.policy import Policy
from actors.resilience.timeouts import Timeouts
from actors.system_actor.calls import Call, Operation
from actors.system_actor.time_limit import TimeLimit
from tests.helpers.bench import Bench, Held, Puppet, scenario, turns

SEND = Call(Operation.SEND, SendData("plc", 1))


async def forever():
    await asyncio.Event().wait()


@scenario(cap=10)
async def test_calls_side_by_side_are_each_cut_off_when_their_time_is_up():
    loop = asyncio.get_running_loop()
    bench = Bench(Puppet(), Policy(timeouts=Timeouts(command=1.0)))
    bench.system.on["call"] = lambda *_: forever()
    ended = {}

    async def call(after):
        await asyncio.sleep(after)
        began = loop.time()
        reply = await bench.ask(CallCommand("plc", "call"))
        assert reply.code is FailureCode.TIMEOUT
        ended[after] = loop.time() - began

    await asyncio.gather(*map(call, (0.0, 0.4, 0.8, 2.5)))
    assert ended == {after: pytest.approx(1.0, abs=0.1) for after in ended}


@scenario
async def test_who_cuts_a_call_off_himself_is_told_of_no_limit():
    guard = TimeLimit(Timeouts(send=1.0))
    task = asyncio.create_task(guard.around(SEND, forever))
    await turns()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@scenario
async def test_who_cuts_a_call_off_in_the_same_moment_has_his_way():
    guard = TimeLimit(Timeouts(send=1.0))
    task = asyncio.create_task(guard.around(SEND, forever))
    asyncio.get_running_loop().call_later(1.0, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task


@scenario(cap=10)
async def test_a_limit_that_was_swallowed_leaves_the_task_as_it_was():
    guard = TimeLimit(Timeouts(send=1.0))

    async def swallow():
        try:
            await Held()()
        except asyncio.CancelledError:
            return "late"

    assert await guard.around(SEND, swallow) == "late"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    assert isinstance(await guard.around(SEND, forever), Failure), "and the next is cut off again"
