"""A connection that is dead is found out, dropped, and its loss is told with the reason."""

from __future__ import annotations

import asyncio
from functools import partial
from random import Random
from typing import Any

import pytest

from actors import ConnectorError, ExternalSystemInterface, MockExternalSystem, TcpSystem
from actors.errors import ActorSetupError
from actors.messages import (
    CallCommand,
    CheckHealth,
    ConnectSystem,
    DataSent,
    DisconnectSystem,
    Failure,
    FailureCode,
    Outcome,
    QueryAnswered,
    QueryData,
    Reason,
    ReceiveData,
    SendData,
    SendMany,
)
from actors.messages.limits import DELIVERY_ITEMS
from actors.resilience.keep_alive import KeepAlive
from actors.resilience.policy import Policy
from actors.system_actor import liveness
from actors.system_actor.dropping import CLOSE_TIMEOUT
from actors.system_actor.lane import GIVE_WAY
from actors.system_actor.liveness import check_pings
from tests.helpers.asked import Instrument, Multiplexed
from tests.helpers.bench import Bench, Held, Puppet, Source, scenario, turns
from tests.helpers.pooled_bench import PooledBench

ASKED = Policy(keep_alive=KeepAlive(every=10, timeout=2, query="ping?"))
CHECKED = Policy(keep_alive=KeepAlive(every=10, timeout=2))
STALE = Policy(stale_after=30)
LONG = 1000.0


def bench_of(system: ExternalSystemInterface, policy: Policy) -> Bench:
    bench = Bench(system, policy)
    bench.to_supervisor.flush()
    bench.engine.look()
    return bench


def losses(bench: Bench) -> list[Reason]:
    return [report.lost for report in bench.reports if report.lost is not None]


async def loss(bench: Bench) -> Reason:
    """The reason of the first, once it is reported that there is no connection."""
    await bench.until(lambda: losses(bench))
    assert not bench.reports[-1].is_connected
    return losses(bench)[0]


def pings(system: Instrument) -> int:
    return system.log.count("ping?")


def now() -> float:
    return asyncio.get_running_loop().time()


# ---- pings ---------------------------------------------------------------------------------


@scenario(cap=LONG)
async def test_a_connection_that_answers_its_pings_stays():
    system = Instrument()
    bench = bench_of(system, ASKED)
    await asyncio.sleep(100)
    assert 10 <= pings(system) <= 15
    assert losses(bench) == []
    assert system.is_connected


@scenario(cap=LONG)
async def test_one_that_does_not_is_dropped_within_two_intervals_and_the_reason_is_told():
    system = Instrument()
    bench = bench_of(system, ASKED)
    await asyncio.sleep(42)
    system.by_itself = False
    began = now()
    lost = await loss(bench)
    assert now() - began <= 12
    assert (lost.kind, lost.text) == ("keep_alive", "a ping was not answered within 2 s")
    assert system.log[-1] == "disconnect"
    await asyncio.sleep(100)
    assert len(losses(bench)) == 1


@scenario(cap=LONG)
async def test_nothing_is_pinged_while_there_is_no_connection():
    system = Instrument()
    bench = bench_of(system, ASKED)
    await bench.ask(DisconnectSystem("plc"))
    before = pings(system)
    await asyncio.sleep(100)
    assert pings(system) == before
    await bench.ask(ConnectSystem("plc"))
    await asyncio.sleep(100)
    assert pings(system) - before >= 10
    assert losses(bench) == []


@scenario(cap=LONG)
async def test_what_comes_and_what_is_answered_has_the_next_ping_wait():
    system = Instrument()
    bench = bench_of(system, ASKED)
    await asyncio.sleep(15)
    before = pings(system)
    for number in range(20):
        if number % 2:
            assert isinstance(await bench.ask(QueryData("plc", "volt?")), QueryAnswered)
        else:
            system.came.put_nowait("unasked")
            await bench.ask(ReceiveData("plc"))
        await asyncio.sleep(5)
    assert pings(system) <= before + 1


@scenario(cap=LONG)
async def test_a_ping_is_before_all_that_waits_and_takes_no_answer_of_anothers():
    system = Instrument()
    system.by_itself = False
    bench = bench_of(system, ASKED)
    question = bench.submit(QueryData("plc", "first?", 25.0))
    await asyncio.sleep(1)
    behind = [bench.submit(SendData("plc", n)) for n in range(3)]
    await asyncio.sleep(19)
    assert system.is_connected, "a question under way has its own time"
    system.by_itself = True
    system.came.put_nowait("answer to first?")
    reply = await bench.answer(question)
    assert reply.load() == "answer to first?"
    assert all([isinstance(await bench.answer(ref), DataSent) for ref in behind])
    await asyncio.sleep(30)
    assert losses(bench) == []


@scenario(cap=LONG)
async def test_a_question_that_never_ends_is_judged_after_its_own_time():
    class Endless(Instrument):
        async def query_data(self, data: Any, timeout: float) -> Any:
            return await asyncio.Event().wait()

    bench = bench_of(Endless(), ASKED)
    asked = bench.submit(QueryData("plc", "volt?", 40.0))
    lost = await loss(bench)
    assert 42 <= now() <= 53
    assert lost.text == "a ping could not be sent within 2 s"
    reply = await bench.answer(asked)
    assert isinstance(reply, Failure)
    assert (reply.code, reply.outcome) == (FailureCode.NOT_CONNECTED, Outcome.UNKNOWN)
    assert "the connection was dropped: a ping could not be sent" in reply.text


@scenario(cap=LONG)
async def test_a_send_that_the_system_does_not_take_is_as_bad_as_no_answer():
    system = Puppet()
    system.on["send"] = held = Held()
    bench = bench_of(system, ASKED)
    stuck = bench.submit(SendData("plc", "x"))
    await held.begun()
    behind = bench.submit(SendData("plc", "y"))
    began = now()
    lost = await loss(bench)
    assert now() - began <= 12
    assert lost.text == "a ping could not be sent within 2 s"
    reply = await bench.answer(stuck)
    assert isinstance(reply, Failure)
    assert (reply.code, reply.outcome) == (FailureCode.NOT_CONNECTED, Outcome.UNKNOWN)
    reply = await bench.answer(behind)
    assert isinstance(reply, Failure)
    assert (reply.code, reply.outcome) == (FailureCode.NOT_CONNECTED, Outcome.NOT_SENT)


@scenario(cap=LONG)
async def test_many_sends_that_go_on_hold_up_a_ping_for_as_long_as_they_need():
    class Slow(Instrument):
        async def send_data(self, data: Any) -> bool:
            if data != "ping?":
                await asyncio.sleep(1.5)
            return await super().send_data(data)

    system = Slow()
    bench = bench_of(system, ASKED)
    await bench.answer(bench.submit(SendMany("plc", tuple(range(40)))))
    await asyncio.sleep(1)
    assert pings(system) == 1
    assert losses(bench) == []


@scenario(cap=LONG)
async def test_a_ping_that_cannot_be_sent_is_none():
    system = Puppet()
    system.on["send"] = Held()
    lost = await loss(bench_of(system, ASKED))
    assert lost.text == "a ping was not answered within 2 s"


@scenario(cap=LONG)
async def test_an_error_of_a_ping_is_the_end_of_the_connection():
    system = Puppet()

    async def busy(_: Any) -> bool:
        raise ConnectorError("busy")

    system.on["send"] = busy
    lost = await loss(bench_of(system, ASKED))
    assert lost.text == "a ping failed: ConnectorError: busy"


@scenario(cap=LONG)
async def test_a_loss_that_a_ping_finds_has_the_connectors_own_reason():
    system = Puppet()

    async def reset(_: Any) -> bool:
        system.is_connected = False
        raise ConnectionResetError("reset by peer")

    system.on["send"] = reset
    bench = bench_of(system, ASKED)
    assert (await loss(bench)).kind == "ConnectionResetError"


@scenario(cap=LONG)
async def test_a_system_that_talks_so_much_that_nothing_can_be_asked_lives():
    system = Puppet()

    async def talk() -> str:
        await asyncio.sleep(0)
        return "unasked"

    system.on["receive"] = talk
    bench = bench_of(system, ASKED)
    await asyncio.sleep(30)
    assert losses(bench) == []
    assert system.begun("send") == []


@scenario(cap=LONG)
async def test_a_class_with_several_questions_under_way_is_pinged_beside_them():
    system = Multiplexed()
    bench = bench_of(system, ASKED)
    question = bench.submit(QueryData("plc", "long?", 600.0))
    for _ in range(5):
        while not system.asked or system.asked[-1][0] != "ping?":
            await asyncio.sleep(0.5)
        system.asked.pop()[1].set_result("pong")
    await turns()
    system.asked[0][1].set_result("at last")
    assert (await bench.answer(question)).load() == "at last"
    lost = await loss(bench)
    assert lost.text == "a ping was not answered within 2 s"


@scenario(cap=LONG)
async def test_a_ping_waits_for_a_question_of_a_command():
    system = Puppet()
    source = system.on["receive"] = Source()

    async def ask() -> Any:
        return await system.query_data("long?", 20.0)

    system.on["call"] = ask
    bench = bench_of(system, ASKED)
    called = bench.submit(CallCommand("plc", "call"))
    await asyncio.sleep(18)
    assert losses(bench) == []
    assert system.begun("send") == [("long?",)]
    source.put("answer")
    assert (await bench.answer(called)).load() == "answer"


# ---- the connector's own check ---------------------------------------------------------------


@scenario(cap=LONG)
async def test_without_a_question_the_connectors_own_check_is_asked():
    system = Puppet()
    bench = bench_of(system, CHECKED)
    await asyncio.sleep(100)
    assert 10 <= len(system.begun("health")) <= 15
    assert losses(bench) == []

    async def sick() -> bool:
        return False

    system.on["health"] = sick
    lost = await loss(bench)
    assert lost.text == "a ping failed: check_health says that nothing works"


@scenario(cap=LONG)
async def test_a_check_that_hangs_is_one_that_failed():
    system = Puppet()
    system.on["health"] = Held()
    lost = await loss(bench_of(system, CHECKED))
    assert lost.text == "a ping was not answered within 2 s"


@scenario(cap=LONG)
async def test_a_check_that_raises_what_is_expected_failed_as_well():
    system = Puppet()

    async def fail() -> bool:
        raise TimeoutError("no answer")

    system.on["health"] = fail
    lost = await loss(bench_of(system, CHECKED))
    assert lost.text == "a ping failed: check_health: TimeoutError: no answer"


@scenario(cap=LONG)
async def test_a_bug_in_it_is_a_crash():
    system = Puppet()

    async def fail() -> bool:
        raise ZeroDivisionError

    system.on["health"] = fail
    assert (await bench_of(system, CHECKED).crash()).kind == "ZeroDivisionError"


@pytest.mark.parametrize("kind", [TcpSystem, Instrument])
def test_a_check_that_asks_nobody_is_refused_for_pings(kind):
    system = kind("plc", {"host": "x", "port": 1}) if kind is TcpSystem else kind()
    with pytest.raises(ActorSetupError, match="'plc': keep_alive needs a query: check_health of"):
        check_pings(system, CHECKED)
    check_pings(system, ASKED)
    check_pings(system, STALE)
    check_pings(MockExternalSystem("plc", {}), CHECKED)


@scenario(cap=LONG)
async def test_a_connection_is_reported_once_it_is_proved_and_not_before():
    system = Instrument()
    system.is_connected = system.by_itself = False
    bench = Bench(system, ASKED)
    connecting = bench.submit(ConnectSystem("plc"))
    for _ in range(15):
        bench.to_supervisor.look()
        await asyncio.sleep(0.1)
    assert isinstance(await bench.answer(connecting), Failure)
    assert not any(report.is_connected for report in bench.reports)
    system.by_itself = True
    await bench.ask(ConnectSystem("plc"))
    assert bench.reports[-1].is_connected


# ---- dropping ----------------------------------------------------------------------------------


@scenario(cap=LONG)
async def test_a_disconnect_that_hangs_does_not_hold_it_up():
    system = Puppet()
    system.on["health"] = Held()
    system.on["disconnect"] = Held()
    bench = bench_of(system, CHECKED)
    lost = await loss(bench)
    assert lost.text == "a ping was not answered within 2 s"
    assert now() <= 12 + CLOSE_TIMEOUT + 1
    assert not system.is_connected
    del system.on["health"]
    await bench.ask(ConnectSystem("plc"))
    assert system.is_connected


@scenario(cap=LONG)
async def test_a_disconnect_that_does_not_work_does_not_either():
    system = Puppet()

    async def fail() -> bool:
        raise OSError("it is gone")

    async def sick() -> bool:
        return False

    system.on["health"] = sick
    system.on["disconnect"] = fail
    bench = bench_of(system, CHECKED)
    lost = await loss(bench)
    assert lost.kind == "keep_alive"
    assert not system.is_connected


@scenario(cap=LONG)
async def test_the_reason_is_told_also_when_a_report_goes_out_in_the_middle_of_the_disconnect():
    system = Puppet()

    async def slowly() -> bool:
        system.is_connected = False
        bench.to_supervisor.schedule()
        await asyncio.sleep(0.5)
        system.report_loss("the socket is closed")
        return True

    system.on["health"] = Held()
    system.on["disconnect"] = slowly
    bench = bench_of(system, CHECKED)
    await loss(bench)
    await asyncio.sleep(5)
    assert [lost.text for lost in losses(bench)] == ["a ping was not answered within 2 s"]


@scenario(cap=LONG)
async def test_what_does_not_end_when_it_is_cancelled_is_a_crash():
    for operation in ("send", "disconnect"):
        system = Puppet()
        begun = asyncio.Event()

        async def stubborn(*_: Any, begun: asyncio.Event = begun) -> bool:
            while not begun.is_set():
                try:
                    await begun.wait()
                except asyncio.CancelledError:
                    pass
            return True

        system.on[operation] = stubborn
        system.on["health"] = Held()
        bench = bench_of(system, CHECKED)
        bench.submit(SendData("plc", "x"))
        crash = await bench.crash()
        assert crash.kind == "RuntimeError"
        assert "after it was cancelled; a coroutine must end at its CancelledError" in crash.text
        begun.set()
        await asyncio.sleep(GIVE_WAY)


@scenario(cap=LONG)
async def test_a_disconnect_that_somebody_asked_for_is_no_loss(monkeypatch):
    monkeypatch.setattr(liveness, "Random", partial(Random, 1))
    system = Puppet()
    system.on["send"] = Held()
    bench = bench_of(system, CHECKED)
    due = 10 * (1 - Random(1).random())
    bench.submit(SendData("plc", "x"))
    await asyncio.sleep(due + 1.5)
    await bench.ask(DisconnectSystem("plc"))
    await asyncio.sleep(50)
    assert losses(bench) == []


@scenario(cap=LONG)
async def test_a_system_that_is_stopped_is_pinged_no_more():
    system = Instrument()
    bench = bench_of(system, ASKED)
    await bench.engine.stop(1.0)
    before = pings(system)
    await asyncio.sleep(100)
    assert pings(system) == before


@scenario(cap=LONG)
async def test_each_connection_of_a_pool_is_pinged_and_one_that_is_dead_is_dropped():
    bench = PooledBench(size=2, of_each=CHECKED)
    await bench.connect()
    [first] = bench.systems
    await asyncio.sleep(50)
    assert len(first.begun("health")) >= 5
    first.on["call"] = held = Held()
    busy = bench.submit(CallCommand("plc", "call"))
    await held.begun()
    await bench.ask(CallCommand("plc", "add", (1, 2)))
    first.on["health"] = Held()
    await asyncio.sleep(20)
    assert [each.is_connected for each in bench.systems] == [False, True]
    assert bench.engine.is_connected
    assert losses(bench) == []
    held.release("done")
    assert (await bench.answer(busy)).load() == "done"


# ---- stale data ----------------------------------------------------------------------------------


@scenario(cap=LONG)
async def test_a_system_that_should_talk_and_does_not_is_dropped():
    system = Puppet()
    source = system.on["receive"] = Source()
    bench = bench_of(system, STALE)
    for _ in range(10):
        await asyncio.sleep(20)
        source.put("reading")
    began = now()
    lost = await loss(bench)
    assert now() - began == pytest.approx(30, abs=1)
    assert (lost.kind, lost.text) == ("stale", "nothing was received for 30 s")


@scenario(cap=LONG)
async def test_what_came_while_nobody_received_is_kept_for_who_does():
    system = Puppet()
    source = system.on["receive"] = Source()
    bench = bench_of(system, STALE)
    source.put("a", "b")
    await asyncio.sleep(10)
    assert (await bench.ask(ReceiveData("plc"))).load() == "a"
    assert (await bench.ask(ReceiveData("plc"))).load() == "b"


@scenario(cap=LONG)
async def test_no_more_is_taken_ahead_than_is_kept_and_its_silence_is_not_judged():
    system = Puppet()
    source = system.on["receive"] = Source()
    bench = bench_of(system, STALE)
    source.put(*range(DELIVERY_ITEMS + 5))
    await asyncio.sleep(100)
    assert source.queue.qsize() == 5
    assert losses(bench) == []
    got = [(await bench.ask(ReceiveData("plc"))).load() for _ in range(DELIVERY_ITEMS + 5)]
    assert got == list(range(DELIVERY_ITEMS + 5))
    assert (await loss(bench)).kind == "stale"


@scenario(cap=LONG)
async def test_answers_to_pings_are_no_data_and_answers_to_questions_are():
    system = Instrument()
    both = Policy(keep_alive=ASKED.keep_alive, stale_after=30)
    bench = bench_of(system, both)
    for _ in range(5):
        await bench.ask(QueryData("plc", "volt?"))
        await asyncio.sleep(25)
    assert losses(bench) == []
    assert (await loss(bench)).kind == "stale"
    assert pings(system) > 2


@scenario(cap=LONG)
async def test_a_check_of_health_that_somebody_asks_for_goes_on_as_before():
    bench = bench_of(Puppet(), CHECKED)
    assert not isinstance(await bench.ask(CheckHealth("plc")), Failure)
