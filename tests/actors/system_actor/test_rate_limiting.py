"""Calls under a rate limit: they wait for their turn, each item for its own, or are refused."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time

import attrs
import pytest

from actors.messages import (
    CallCommand,
    CheckHealth,
    ConnectSystem,
    DataSent,
    DisconnectSystem,
    Failure,
    FailureCode,
    HealthChecked,
    Outcome,
    SendData,
    SendMany,
    SystemConnected,
)
from actors.resilience.policy import Policy
from actors.resilience.rate_limit import Overflow, RateLimit
from tests.helpers.bench import Bench, BulkPuppet, Held, Puppet, scenario, turns

LIMIT = RateLimit(rate=10, burst=2)
WAITS = Policy(rate_limit=LIMIT)
REFUSES = Policy(rate_limit=RateLimit(rate=10, burst=2, overflow=Overflow.REFUSE))


def now() -> float:
    return asyncio.get_running_loop().time()


class Timed(Puppet):
    """Notes when it was called for anything."""

    def __init__(self, connected=True):
        super().__init__(connected)
        self.began = now()
        self.times = []

    async def _do(self, operation, *args, otherwise=True):
        self.times.append(round(now() - self.began, 3))
        return await super()._do(operation, *args, otherwise=otherwise)


class TimedBulk(Timed, BulkPuppet):
    pass


@scenario
async def test_each_item_waits_for_its_own_turn():
    system = Timed()
    bench = Bench(system, WAITS)
    ref = bench.submit(SendMany("plc", (1, 2, 3, 4)))
    await bench.answer(ref)
    assert bench.results(ref) == [True] * 4
    assert system.times == [0.0, 0.0, 0.1, 0.2]


@scenario
async def test_sends_questions_and_commands_count_together():
    system = Timed()
    system.on["receive"] = Held()
    bench = Bench(system, WAITS)
    for request in (SendData("plc", 1), CallCommand("plc", "call"), CallCommand("plc", "call")):
        await bench.ask(request)
    assert system.times == [0.0, 0.0, 0.1]


@scenario
async def test_items_that_go_out_with_one_call_are_no_more_than_may_go_at_once():
    system = TimedBulk()
    bench = Bench(system, WAITS)
    ref = bench.submit(SendMany("plc", (1, 2, 3, 4, 5)))
    await bench.answer(ref)
    assert bench.results(ref) == [True] * 5
    assert system.begun("send_many") == [((1, 2),), ((3, 4),), ((5,),)]
    assert system.times == [0.0, 0.2, 0.3]


@scenario
async def test_its_connection_and_its_health_wait_for_nothing():
    system = Timed(connected=False)
    bench = Bench(system, WAITS)
    for _ in range(3):
        assert isinstance(await bench.ask(ConnectSystem("plc")), SystemConnected)
        assert isinstance(await bench.ask(CheckHealth("plc")), HealthChecked)
        await bench.ask(DisconnectSystem("plc"))
    assert set(system.times) == {0.0}


@scenario
async def test_what_is_refused_says_when_it_is_worth_to_try_again():
    bench = Bench(Puppet(), REFUSES)
    for _ in range(2):
        assert isinstance(await bench.ask(SendData("plc", 1)), DataSent)
    reply = await bench.ask(SendData("plc", 1))
    assert isinstance(reply, Failure)
    assert (reply.code, reply.outcome) == (FailureCode.RATE_LIMITED, Outcome.NOT_SENT)
    assert reply.retry_after == pytest.approx(0.1, rel=0.01)
    text = "plc: one too many for its rate limit (10 a second, 2 at once); try again in 0."
    assert reply.text.startswith(text)
    await asyncio.sleep(reply.retry_after)
    assert isinstance(await bench.ask(SendData("plc", 1)), DataSent)


@scenario
async def test_who_would_wait_longer_than_his_own_time_is_refused_at_once():
    bench = Bench(Puppet(), WAITS)
    for _ in range(2):
        await bench.ask(SendData("plc", 1))
    began = now()
    reply = await bench.ask(SendData("plc", 1, timeout=0.05))
    assert (reply.code, reply.outcome) == (FailureCode.RATE_LIMITED, Outcome.NOT_SENT)
    assert now() - began < 0.01
    assert isinstance(await bench.ask(SendData("plc", 1, timeout=0.5)), DataSent)


@scenario
async def test_what_is_cut_off_while_it_waits_was_not_sent_and_costs_nothing():
    system = Timed()
    bench = Bench(system, Policy(rate_limit=RateLimit(rate=0.1, burst=1)))
    await bench.ask(SendData("plc", 1))
    waiting = bench.submit(SendData("plc", 2))
    await turns()
    bench.submit(DisconnectSystem("plc"))
    reply = await bench.answer(waiting)
    assert (reply.code, reply.outcome) == (FailureCode.NOT_CONNECTED, Outcome.NOT_SENT)
    assert system.begun("send") == [(1,)]


@scenario(cap=30)
async def test_a_turn_of_who_was_cut_off_is_the_next_one_s():
    system = Timed()
    bench = Bench(system, Policy(rate_limit=RateLimit(rate=0.1, burst=1)))
    await bench.ask(SendData("plc", 1))
    waiting = bench.submit(CallCommand("plc", "call"))
    await asyncio.sleep(5)
    bench.forget(waiting)
    await turns()
    await bench.ask(SendData("plc", 2))
    assert system.times == [0.0, 10.0]


@scenario
async def test_of_items_that_are_cut_off_those_not_begun_were_not_sent():
    bench = Bench(Puppet(), Policy(rate_limit=RateLimit(rate=0.1, burst=1)))
    ref = bench.submit(SendMany("plc", (1, 2, 3)))
    await turns()
    await bench.engine.stop(0.5)
    assert bench.results(ref) == [True]
    assert bench.replies[ref][-1].outcome is Outcome.NOT_SENT


@scenario
async def test_what_was_begun_when_it_is_cut_off_is_unknown():
    system = Puppet()
    system.on["send"] = held = Held()
    bench = Bench(system, WAITS)
    ref = bench.submit(SendData("plc", 1))
    await held.begun()
    await bench.engine.stop(0.5)
    assert bench.replies[ref][-1].outcome is Outcome.UNKNOWN


# ---- several processes, played by several benches -------------------------------------------


def path_in(tmp_path):
    return str(tmp_path / "level")


def shared(tmp_path, policy=WAITS, count=2):
    together = attrs.evolve(policy.rate_limit, shared="gateway")
    policy = Policy(rate_limit=together)
    systems = [Timed() for _ in range(count)]
    return systems, [Bench(each, policy, path_in(tmp_path)) for each in systems]


def test_those_who_share_a_limit_have_it_together(tmp_path):
    @scenario
    async def play():
        systems, benches = shared(tmp_path)
        refs = [bench.submit(SendMany("plc", (1, 2, 3))) for bench in benches]
        for bench, ref in zip(benches, refs, strict=True):
            await bench.answer(ref)
        times = sorted(time for each in systems for time in each.times)
        assert times == [0.0, 0.0, 0.1, 0.2, 0.3, 0.4]

    play()


def test_who_asks_for_much_gets_no_more_than_who_asks_for_little(tmp_path):
    @scenario
    async def play():
        (greedy, modest), (busy, calm) = shared(tmp_path)
        greedy.on["call"] = modest.on["call"] = Held()
        for _ in range(20):
            busy.submit(CallCommand("plc", "call"))
        await turns()
        began = now()
        for number in range(3):
            calm.submit(CallCommand("plc", "call", (number,)))
        await asyncio.sleep(0.65)
        assert modest.begun("call")
        assert abs(len(greedy.begun("call")) - 2 - len(modest.begun("call"))) <= 1
        assert now() > began

    play()


def test_a_limit_is_held_by_the_next_incarnation(tmp_path):
    @scenario
    async def play():
        (first, second), (one, other) = shared(tmp_path)
        await one.ask(SendMany("plc", (1, 2)))
        await other.ask(SendData("plc", 3))  # one was killed
        assert (first.times, second.times) == ([0.0, 0.0], [0.1])

    play()


def test_who_is_stopped_in_the_middle_of_a_step_holds_no_event_loop_up(tmp_path):
    @scenario
    async def play():
        _, (one, other) = shared(tmp_path)
        await one.ask(SendData("plc", 1))
        fd = os.open(path_in(tmp_path), os.O_RDWR)
        fcntl.flock(fd, fcntl.LOCK_EX)
        refs = [bench.submit(SendData("plc", 2)) for bench in (one, other)]
        await asyncio.sleep(0.5)  # of this loop's own clock: it runs
        assert not one.is_answered(refs[0])
        assert not other.is_answered(refs[1])
        os.close(fd)  # it was killed
        assert isinstance(await one.answer(refs[0]), DataSent)
        assert isinstance(await other.answer(refs[1]), DataSent)

    play()


def test_a_file_that_was_removed_is_made_again_as_it_was(tmp_path):
    @scenario
    async def play():
        slow = RateLimit(rate=0.01, burst=2, overflow="refuse")
        _, (one, other) = shared(tmp_path, Policy(rate_limit=slow))
        for bench in (one, other):
            assert isinstance(await bench.ask(SendData("plc", 1)), DataSent)
        os.unlink(path_in(tmp_path))
        await asyncio.sleep(0.5)
        for bench in (other, one):
            assert (await bench.ask(SendData("plc", 1))).code is FailureCode.RATE_LIMITED

    play()


def test_without_a_file_a_limit_is_the_process_s_own_and_that_is_said_once(tmp_path, caplog):
    @scenario
    async def play():
        system = Puppet()
        bench = Bench(system, REFUSES, str(tmp_path / "none" / "level"))
        replies = [await bench.ask(SendData("plc", 1)) for _ in range(3)]
        assert [isinstance(each, DataSent) for each in replies] == [True, True, False]

    play()
    [record] = caplog.records
    assert (
        "plc: its rate limit is this process's alone, as its file cannot be used"
        in record.getMessage()
    )


def test_the_clock_of_an_event_loop_is_that_of_all_processes():
    async def both():
        return now(), time.monotonic()

    ours, all_ = asyncio.run(both())
    assert abs(ours - all_) < 1.0


@scenario
async def test_what_comes_when_there_is_room_again_does_not_overtake_what_waits():
    system = Timed()
    bench = Bench(system, Policy(rate_limit=RateLimit(rate=10, burst=1)))
    refs = [bench.submit(CallCommand("plc", "call", (number,))) for number in range(4)]
    for number in range(4, 8):
        await asyncio.sleep(0.1)
        refs.append(bench.submit(CallCommand("plc", "call", (number,))))
    for ref in refs:
        await bench.answer(ref)
    assert [number for (number,) in system.begun("call")] == list(range(8))
