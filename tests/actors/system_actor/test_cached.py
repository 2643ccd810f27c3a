"""Answers given again, and questions asked once for all who ask them together."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from actors import ConnectorError, command
from actors.interface import cacheable_commands, command_names
from actors.messages import (
    CallCommand,
    CommandCalled,
    ConnectSystem,
    DisconnectSystem,
    Failure,
    FailureCode,
    InvalidateCache,
    Outcome,
    QueryAnswered,
    QueryData,
    SendData,
    SendMany,
)
from actors.resilience.cache import CachePolicy, CacheState
from actors.system_actor.cached import CachedEngine
from tests.helpers.asked import Instrument
from tests.helpers.bench import FOREVER, Bench, scenario, turns
from tests.helpers.pooled_bench import PooledBench

POLICY = CachePolicy(ttl=10)


class Asked(Instrument):
    """Its answers are numbered, to be told apart."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def query_data(self, data: Any, timeout: float) -> Any:
        self.count += 1
        count = self.count
        self.log.append(data)
        await self.gate.wait()
        if data == "wrong?":
            raise ConnectorError("it does not know that")
        if data == "bug?":
            raise ZeroDivisionError
        return f"answer {count}"

    @command(cacheable=True)
    async def read(self, *args: Any, **kwargs: Any) -> Any:
        self.count += 1
        self.log.append("read")
        await self.gate.wait()
        return self.count

    @command
    async def set(self, value: int) -> int:
        self.count += 1
        await self.gate.wait()
        return value

    @command
    async def change(self, command_: str | None = None) -> None:
        self.invalidate_cache(command_)


class CachedBench(Bench):
    system: Asked

    def __init__(self, policy: CachePolicy = POLICY) -> None:
        super().__init__(Asked())
        self.engine = CachedEngine(self.engine, self.system, policy, self.to_supervisor)
        self.system._extsys_on_invalidate = self.engine.told

    async def query(self, data: Any, wait: float | None = None) -> Any:
        reply = await self.ask(QueryData("plc", data, wait))
        return reply.load() if isinstance(reply, QueryAnswered) else reply

    async def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        reply = await self.ask(CallCommand("plc", name, args, kwargs))
        return reply.load() if isinstance(reply, CommandCalled) else reply

    @property
    def counts(self) -> tuple[int, int]:
        state = self.to_supervisor.cache_state()
        assert isinstance(state, CacheState)
        return state.hits, state.misses


def test_a_command_is_marked_as_before_and_may_be_called_a_question():
    assert command_names(Asked) == ("change", "read", "set")
    assert cacheable_commands(Asked) == {"read"}
    with pytest.raises(TypeError, match="make it 'async def"):
        command(cacheable=True)(lambda: None)


@scenario
async def test_an_equal_question_has_the_same_answer_for_a_while():
    bench = CachedBench()
    assert await bench.query("volt?") == "answer 1"
    assert await bench.query("volt?") == "answer 1"
    assert await bench.query("amp?") == "answer 2"
    assert bench.counts == (1, 2)


@scenario(cap=100)
async def test_not_for_longer_than_that():
    bench = CachedBench()
    await bench.query("volt?")
    await asyncio.sleep(10)
    assert await bench.query("volt?") == "answer 2"


@scenario
async def test_a_repeated_answer_says_so_and_is_for_who_asked_it():
    bench = CachedBench()
    first, second = QueryData("plc", "volt?"), QueryData("plc", "volt?")
    answers = [await bench.ask(first), await bench.ask(second)]
    assert [answer.given_again for answer in answers] == [False, True]
    assert [answer.request_id for answer in answers] == [first.request_id, second.request_id]


@pytest.mark.parametrize("data", [{"a": [1, {2}]}, b"x", 1, None, {1, 2}, 1.5])
@scenario
async def test_questions_are_equal_by_what_they_hold_whatever_that_is(data):
    bench = CachedBench()
    assert await bench.query(data) == await bench.query(data)


@scenario
async def test_what_is_equal_in_python_only_is_not():
    bench = CachedBench()
    answers = [await bench.query(data) for data in (1, True, 1.0, "1", b"1")]
    assert len(set(answers)) == 5


@scenario
async def test_commands_that_are_questions_are_answered_so_by_name_and_arguments():
    bench = CachedBench()
    assert await bench.call("read", 1, unit="V") == 1
    assert await bench.call("read", 1, unit="V") == 1
    assert await bench.call("read", 2, unit="V") == 2
    assert await bench.call("read", 1) == 3
    assert bench.counts == (1, 3)


@scenario
async def test_other_commands_are_not():
    bench = CachedBench()
    assert await bench.call("set", 5) == 5
    assert await bench.call("set", 5) == 5
    assert bench.system.count == 2


@scenario
async def test_queries_are_asked_each_time_if_that_is_said():
    bench = CachedBench(CachePolicy(ttl=10, queries=False))
    assert await bench.query("volt?") != await bench.query("volt?")
    assert await bench.call("read") == await bench.call("read")


@scenario
async def test_what_several_ask_at_once_is_asked_once():
    bench = CachedBench()
    bench.system.gate.clear()
    refs = [bench.submit(QueryData("plc", "volt?")) for _ in range(10)]
    await turns()
    bench.system.gate.set()
    answers = [await bench.answer(ref) for ref in refs]
    assert {answer.load() for answer in answers} == {"answer 1"}
    assert [answer.given_again for answer in answers] == [False] + [True] * 9
    assert bench.system.count == 1
    assert bench.counts == (9, 1)


@scenario
async def test_a_failure_is_that_of_all_and_is_not_kept():
    bench = CachedBench()
    bench.system.gate.clear()
    refs = [bench.submit(QueryData("plc", "wrong?")) for _ in range(3)]
    await turns()
    bench.system.gate.set()
    failures = [await bench.answer(ref) for ref in refs]
    assert all("does not know" in failure.text for failure in failures)
    assert bench.system.count == 1
    await bench.query("wrong?")
    assert bench.system.count == 2


@scenario
async def test_a_crash_is_a_crash():
    bench = CachedBench()
    for _ in range(3):
        bench.submit(QueryData("plc", "bug?"))
    assert (await bench.crash()).kind == "ZeroDivisionError"


@scenario
async def test_all_are_answered_when_the_system_is_stopped():
    bench = CachedBench()
    bench.system.gate.clear()
    refs = [bench.submit(QueryData("plc", "volt?")) for _ in range(3)]
    refs.append(bench.submit(CallCommand("plc", "set", (1,))))
    await turns()
    await bench.engine.stop(0.1)
    for ref in refs:
        reply = await bench.answer(ref)
        assert isinstance(reply, Failure)
        assert reply.code is FailureCode.UNAVAILABLE
    assert (await bench.ask(QueryData("plc", "volt?"))).code is FailureCode.UNAVAILABLE


@scenario
async def test_who_asked_first_may_leave_and_the_others_are_answered():
    bench = CachedBench()
    bench.system.gate.clear()
    first, second = (bench.submit(QueryData("plc", "volt?")) for _ in range(2))
    await turns()
    bench.forget(first)
    bench.system.gate.set()
    assert (await bench.answer(second)).load() == "answer 1"
    assert not bench.is_answered(first)


@scenario
async def test_a_question_that_nobody_waits_for_any_more_is_given_up():
    bench = CachedBench()
    bench.system.gate.clear()
    refs = [bench.submit(QueryData("plc", "volt?")) for _ in range(2)]
    waiting = bench.submit(QueryData("plc", "amp?"))
    await turns()
    bench.forget(*refs)
    await turns()
    bench.system.gate.set()
    await bench.answer(waiting)
    assert await bench.query("volt?") == "answer 3"


@scenario(cap=100)
async def test_each_waits_for_as_long_as_it_said():
    bench = CachedBench()
    bench.system.gate.clear()
    loop = asyncio.get_running_loop()
    patient = bench.submit(QueryData("plc", "volt?", 20.0))
    hasty = bench.submit(QueryData("plc", "volt?", 1.0))
    began = loop.time()
    reply = await bench.answer(hasty)
    assert loop.time() - began == pytest.approx(1.0, abs=0.01)
    assert isinstance(reply, Failure)
    assert (reply.code, reply.outcome) == (FailureCode.TIMEOUT, Outcome.UNKNOWN)
    bench.system.gate.set()
    assert (await bench.answer(patient)).load() == "answer 1"


@scenario
async def test_who_would_wait_longer_than_the_question_under_way_asks_for_itself():
    bench = CachedBench()
    bench.system.gate.clear()
    hasty = bench.submit(QueryData("plc", "volt?", 1.0))
    patient = bench.submit(QueryData("plc", "volt?", 20.0))
    await turns()
    bench.system.gate.set()
    assert (await bench.answer(hasty)).load() == "answer 1"
    assert (await bench.answer(patient)).load() == "answer 2"
    assert bench.counts == (0, 2)


# ---- what is not true any more -----------------------------------------------------------------


@pytest.mark.parametrize("change", [SendData("plc", 1), SendMany("plc", (1, 2)), "set"])
@scenario
async def test_what_is_sent_and_other_commands_may_have_changed_the_answer(change):
    bench = CachedBench()
    await bench.query("volt?")
    await bench.ask(CallCommand("plc", "set", (1,)) if change == "set" else change)
    assert await bench.query("volt?") != "answer 1"


@scenario
async def test_unless_it_is_said_that_they_do_not():
    bench = CachedBench(CachePolicy(ttl=10, across_sends=True))
    await bench.query("volt?")
    await bench.ask(SendData("plc", 1))
    await bench.call("set", 5)
    assert await bench.query("volt?") == "answer 1"


@scenario
async def test_an_answer_from_while_a_command_runs_is_not_kept():
    bench = CachedBench()
    bench.system.gate.clear()
    setting = bench.submit(CallCommand("plc", "set", (1,)))
    asking = bench.submit(CallCommand("plc", "read"))
    await turns()
    bench.system.gate.set()
    await bench.answer(setting)
    before = (await bench.answer(asking)).load()
    assert await bench.call("read") != before


@scenario
async def test_what_somebody_says_is_not_true_any_more_is_asked_again():
    bench = CachedBench()
    await bench.query("volt?")
    await bench.call("read")
    invalidated = await bench.ask(InvalidateCache("plc", "read"))
    assert invalidated.answers == 1
    assert await bench.query("volt?") == "answer 1"
    assert await bench.call("read") == 3
    assert (await bench.ask(InvalidateCache("plc"))).answers == 2
    assert await bench.query("volt?") == "answer 4"


@scenario
async def test_a_connector_may_say_so_itself():
    bench = CachedBench(CachePolicy(ttl=10, across_sends=True))
    await bench.query("volt?")
    await bench.call("read")
    await bench.call("change", "read")
    assert await bench.query("volt?") == "answer 1"
    assert await bench.call("read") == 3
    thread = threading.Thread(target=bench.system.invalidate_cache)
    thread.start()
    thread.join()
    await turns()
    assert await bench.query("volt?") == "answer 4"


@scenario
async def test_an_answer_is_of_the_connection_that_it_came_on():
    bench = CachedBench()
    await bench.query("volt?")
    bench.system.report_loss("unplugged")
    bench.system.is_connected = True
    await turns()
    assert await bench.query("volt?") == "answer 2"
    await bench.ask(DisconnectSystem("plc"))
    failure = await bench.query("volt?")
    assert failure.code is FailureCode.NOT_CONNECTED
    await bench.ask(ConnectSystem("plc"))
    assert await bench.query("volt?") == "answer 3"


@scenario
async def test_without_a_cache_there_is_nothing_to_forget():
    assert (await Bench(Asked()).ask(InvalidateCache("plc"))).answers == 0
    assert (await PooledBench().ask(InvalidateCache("plc"))).answers == 0


@scenario
async def test_what_it_has_is_reported_now_and_then():
    bench = CachedBench()
    await bench.query("volt?")
    await bench.query("volt?")
    bench.to_supervisor.look()
    await turns()
    state = bench.reports[-1].cache
    assert (state.hits, state.misses, state.answers) == (1, 1, 1)
    assert state.size > 0
    seen = len(bench.reports)
    bench.to_supervisor.look()
    await turns()
    assert len(bench.reports) == seen


@scenario(cap=FOREVER)
async def test_as_many_answers_are_kept_as_are_allowed():
    bench = CachedBench(CachePolicy(ttl=100, max_entries=2, max_bytes=2000))
    for question in ("a", "b", "c"):
        await bench.query(question)
    assert await bench.query("c") == "answer 3"
    assert await bench.query("a") == "answer 4"
