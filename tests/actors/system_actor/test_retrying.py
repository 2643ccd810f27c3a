"""Calls that are tried again: which, when and in which order, and what is known of one that is cut
off meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from actors import ConnectorError, ItemRefusedError, NotSentError
from actors.messages import (
    CallCommand,
    ConnectSystem,
    DataSent,
    DisconnectSystem,
    FailureCode,
    Outcome,
    QueryAnswered,
    QueryData,
    SendData,
    SendMany,
    SystemConnected,
    SystemDisconnected,
)
from actors.resilience.circuit_breaker import CircuitBreakerPolicy
from actors.resilience.policy import Policy
from actors.resilience.retry import RetryPolicy
from actors.resilience.timeouts import Timeouts
from tests.helpers.bench import Bench, BulkPuppet, Held, Puppet, scenario, turns


def retry(attempts=3, idempotent=False, **others):
    settings = RetryPolicy(
        attempts=attempts, backoff_min=1.0, backoff_max=4.0, idempotent=idempotent
    )
    return Policy(retry=settings, **others)


class Script:
    """Sends as a test says: what each call raises or gives."""

    def __init__(self, bench, *steps):
        self.steps = list(steps)
        self.items = []
        self.times = []
        bench.system.on["send"] = self

    async def __call__(self, data):
        self.items.append(data)
        self.times.append(asyncio.get_running_loop().time())
        step = self.steps.pop(0) if self.steps else True
        if isinstance(step, BaseException):
            raise step
        return step


def retried(bench):
    return sum(each.policies.retried for each in bench.reports if each.policies is not None)


# ---- which --------------------------------------------------------------------------------------


@scenario(cap=100)
async def test_what_was_not_sent_is_tried_again_with_growing_waits():
    bench = Bench(Puppet(), retry())
    script = Script(bench, NotSentError("busy"), False)
    assert isinstance(await bench.ask(SendData("plc", "a")), DataSent)
    first, second, third = script.times
    assert 0.75 <= second - first <= 1.0
    assert 1.5 <= third - second <= 2.0
    assert retried(bench) == 2


@scenario(cap=100)
async def test_the_last_failure_tells_how_many_attempts_there_were():
    bench = Bench(Puppet(), retry())
    script = Script(bench, *[NotSentError("busy")] * 9)
    failed = await bench.ask(SendData("plc", "a"))
    assert len(script.items) == 3
    assert (failed.code, failed.outcome) == (FailureCode.CONNECTOR_ERROR, Outcome.NOT_SENT)
    assert failed.text == "plc: NotSentError: busy (attempt 3)"


@pytest.mark.parametrize(
    "error", [ConnectorError("lost on the way"), ItemRefusedError("too long"), OSError("reset")]
)
def test_what_may_have_been_sent_and_what_is_refused_is_not(error):
    @scenario(cap=100)
    async def play():
        bench = Bench(Puppet(), retry())
        script = Script(bench, error)
        failed = await bench.ask(SendData("plc", "a"))
        assert len(script.items) == 1
        assert "attempt" not in failed.text

    play()


@scenario(cap=100)
async def test_what_may_be_done_twice_is_tried_again_and_stays_unknown():
    bench = Bench(Puppet(), retry(idempotent=True))
    Script(bench, ConnectorError("lost on the way"))
    assert isinstance(await bench.ask(SendData("plc", "a")), DataSent)
    Script(bench, ConnectorError("lost"), NotSentError("busy"), NotSentError("busy"))
    failed = await bench.ask(SendData("plc", "a"))
    assert failed.outcome is Outcome.UNKNOWN  # of the first attempt


@scenario(cap=100)
async def test_a_refused_item_is_not_tried_again_even_where_that_were_safe():
    bench = Bench(Puppet(), retry(idempotent=True))
    script = Script(bench, ItemRefusedError("too long"))
    assert (await bench.ask(SendData("plc", "a"))).code is FailureCode.ITEM_REFUSED
    assert len(script.items) == 1


@scenario(cap=100)
async def test_a_command_is_never_tried_again():
    bench = Bench(Puppet(), retry(idempotent=True))

    async def fail(*args):
        raise ConnectorError("no")

    bench.system.on["call"] = fail
    await bench.ask(CallCommand("plc", "call"))
    assert len(bench.system.begun("call")) == 1


def silent_system():
    system = Puppet()
    system.query_timeout = 0.5
    system.quiet_time = 0
    return system


@scenario(cap=100)
async def test_a_question_is_never_asked_twice_unless_that_is_safe():
    bench = Bench(silent_system(), retry())
    script = Script(bench)
    failed = await bench.ask(QueryData("plc", "?"))
    assert (failed.code, failed.outcome) == (FailureCode.TIMEOUT, Outcome.UNKNOWN)
    assert script.items == ["?"]


@scenario(cap=100)
async def test_a_question_that_is_safe_is_asked_again_on_a_new_connection():
    system = silent_system()
    bench = Bench(system, retry(idempotent=True))
    answers: asyncio.Queue[str] = asyncio.Queue()

    async def send(data):
        if len(system.begun("connect")) == 1:
            answers.put_nowait("the answer")
        return True

    system.on["send"], system.on["receive"] = send, answers.get
    answered = await bench.ask(QueryData("plc", "?"))
    assert isinstance(answered, QueryAnswered)
    assert answered.load() == "the answer"
    assert len(system.begun("send")) == 2
    assert len(system.begun("connect")) == 1  # a late answer to the first can mislead nobody


@scenario(cap=100)
async def test_a_question_that_did_not_go_out_is_asked_again():
    system = silent_system()
    bench = Bench(system, retry())
    answers: asyncio.Queue[str] = asyncio.Queue()

    async def send(data):
        if len(system.begun("send")) < 3:
            raise NotSentError("busy")
        answers.put_nowait("the answer")
        return True

    system.on["send"], system.on["receive"] = send, answers.get
    assert (await bench.ask(QueryData("plc", "?"))).load() == "the answer"


@scenario(cap=100)
async def test_what_was_cut_off_at_its_time_limit_is_tried_again_only_where_that_is_safe():
    for idempotent, calls in ((False, 1), (True, 3)):
        policy = retry(idempotent=idempotent, timeouts=Timeouts(send=0.5))
        bench = Bench(Puppet(), policy)
        bench.system.on["send"] = Held()
        failed = await bench.ask(SendData("plc", "a"))
        assert (failed.code, failed.outcome) == (FailureCode.TIMEOUT, Outcome.UNKNOWN)
        assert len(bench.system.begun("send")) == calls


@scenario(cap=100)
async def test_an_open_circuit_is_not_tried_again():
    breaker = CircuitBreakerPolicy(window=2, min_calls=2, backoff_min=50)
    bench = Bench(Puppet(), retry(attempts=9, circuit_breaker=breaker))
    script = Script(bench, *[NotSentError("busy")] * 9)
    failed = await bench.ask(SendData("plc", "a"))
    assert failed.code is FailureCode.CIRCUIT_OPEN
    assert len(script.items) == 2


# ---- in which order, and for how long ----------------------------------------------------------


@scenario(cap=100)
async def test_those_behind_wait_and_the_order_stays():
    bench = Bench(Puppet(), retry())
    script = Script(bench, NotSentError("busy"), NotSentError("busy"))
    refs = [bench.submit(SendData("plc", item)) for item in "abc"]
    for ref in refs:
        assert isinstance(await bench.answer(ref), DataSent)
    assert script.items == ["a", "a", "a", "b", "c"]
    assert bench.answer_order == refs


@scenario(cap=100)
async def test_each_of_several_items_is_tried_again_in_its_place():
    bench = Bench(Puppet(), retry())
    script = Script(bench, True, NotSentError("busy"), True, ItemRefusedError("bad"))
    ref = bench.submit(SendMany("plc", ("a", "b", "c", "d")))
    await bench.answer(ref)
    assert script.items == ["a", "b", "b", "c", "d"]
    assert [each if each is True else each.code for each in bench.results(ref)] == [
        True,
        True,
        FailureCode.ITEM_REFUSED,
        True,
    ]


@scenario(cap=100)
async def test_items_that_go_out_together_are_tried_again_together_if_none_went_out():
    system = BulkPuppet()
    steps = [NotSentError("busy"), [NotSentError("one"), False], [True, False]]

    async def send_many(items):
        step = steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    system.on["send_many"] = send_many
    bench = Bench(system, retry())
    ref = bench.submit(SendMany("plc", (1, 2)))
    await bench.answer(ref)
    one, two = bench.results(ref)
    assert one is True
    assert two.outcome is Outcome.NOT_SENT
    assert len(system.begun("send_many")) == 3  # and not once more for the second alone


@scenario(cap=100)
async def test_what_has_no_time_left_is_answered_before_its_time_is_over():
    bench = Bench(Puppet(), retry(attempts=99))
    script = Script(bench, *[NotSentError("busy")] * 99)
    began = asyncio.get_running_loop().time()
    failed = await bench.ask(SendData("plc", "a", timeout=5.0))
    assert failed.outcome is Outcome.NOT_SENT
    assert asyncio.get_running_loop().time() - began < 4.75
    assert len(script.items) in (3, 4)


@scenario(cap=100)
async def test_the_time_in_line_counts():
    bench = Bench(Puppet(), retry(attempts=99))
    held = bench.system.on["send"] = Held()
    first = bench.submit(SendData("plc", "first"))
    second = bench.submit(SendData("plc", "second", timeout=2.0))
    await held.begun()
    await asyncio.sleep(1.5)
    script = Script(bench, *[NotSentError("busy")] * 9)
    held.release()
    assert isinstance(await bench.answer(first), DataSent)
    assert (await bench.answer(second)).outcome is Outcome.NOT_SENT
    assert script.items == ["second"]


# ---- the connection -----------------------------------------------------------------------------


def losing(bench, error):
    """The first send loses the connection."""

    async def send(data):
        if len(bench.system.begun("send")) == 1:
            bench.system.is_connected = False
            raise error
        return True

    bench.system.on["send"] = send


@scenario(cap=100)
async def test_a_connect_that_comes_meanwhile_passes_and_what_waits_is_tried_at_once():
    bench = Bench(Puppet(), retry())
    losing(bench, NotSentError("it closed the connection"))
    first = bench.submit(SendData("plc", "a"))
    behind = bench.submit(SendData("plc", "b"))
    await turns()
    began = asyncio.get_running_loop().time()
    connect = bench.submit(ConnectSystem("plc"))  # as its supervisor does
    assert isinstance(await bench.answer(connect), SystemConnected)
    assert isinstance(await bench.answer(first), DataSent)
    assert asyncio.get_running_loop().time() - began < 0.1
    assert isinstance(await bench.answer(behind), DataSent)
    assert bench.system.begun("send") == [("a",), ("a",), ("b",)]


@scenario(cap=100)
async def test_a_connect_that_takes_its_time_is_waited_for():
    bench = Bench(Puppet(), retry())
    losing(bench, NotSentError("it closed the connection"))
    bench.system.on["connect"] = held = Held()
    send = bench.submit(SendData("plc", "a"))
    await turns()
    bench.submit(ConnectSystem("plc"))
    await held.begun()
    await asyncio.sleep(60)
    held.release()
    assert isinstance(await bench.answer(send), DataSent)


@scenario(cap=100)
async def test_without_a_connection_the_first_waits_and_those_behind_it_do_not():
    bench = Bench(Puppet(connected=False), retry())
    began = asyncio.get_running_loop().time()
    first, *others = [bench.submit(SendData("plc", item)) for item in range(50)]
    failed = await bench.answer(first)
    assert failed.code is FailureCode.NOT_CONNECTED
    assert "(attempt 3)" in failed.text
    took = asyncio.get_running_loop().time() - began
    assert took <= 3.0
    for ref in others:
        assert (await bench.answer(ref)).code is FailureCode.NOT_CONNECTED
    assert asyncio.get_running_loop().time() - began < took + 0.1
    await bench.ask(ConnectSystem("plc"))
    assert isinstance(await bench.ask(SendData("plc", "a")), DataSent)
    bench.system.is_connected = False
    began = asyncio.get_running_loop().time()
    await bench.ask(SendData("plc", "a"))
    assert asyncio.get_running_loop().time() - began > 2.0


@scenario(cap=100)
async def test_a_disconnect_passes_nothing_and_cuts_off_what_rests_after_its_grace():
    bench = Bench(Puppet(), retry(attempts=99))
    Script(bench, *[NotSentError("busy")] * 99)
    send = bench.submit(SendData("plc", "a"))
    await turns()
    disconnect = bench.submit(DisconnectSystem("plc"))
    connect = bench.submit(ConnectSystem("plc"))
    cut = await bench.answer(send)
    assert (cut.code, cut.outcome) == (FailureCode.NOT_CONNECTED, Outcome.NOT_SENT)
    assert isinstance(await bench.answer(disconnect), SystemDisconnected)
    assert isinstance(await bench.answer(connect), SystemConnected)
    done = [entry[1] for entry in bench.system.log if entry[0] == "begin"]
    assert done.index("disconnect") < done.index("connect")


# ---- cut off ------------------------------------------------------------------------------------


async def resting(bench, *steps):
    """A send that waits for its next attempt."""
    Script(bench, *steps)
    ref = bench.submit(SendData("plc", "a"))
    await turns()
    return ref


@scenario(cap=100)
async def test_what_never_went_out_is_not_sent_when_the_system_is_stopped():
    bench = Bench(Puppet(), retry())
    ref = await resting(bench, NotSentError("busy"))
    await bench.engine.stop(1.0)
    stopped = await bench.answer(ref)
    assert (stopped.code, stopped.outcome) == (FailureCode.UNAVAILABLE, Outcome.NOT_SENT)
    assert len(bench.replies[ref]) == 1


@scenario(cap=100)
async def test_what_may_have_gone_out_is_unknown_when_the_system_is_stopped():
    bench = Bench(Puppet(), retry(idempotent=True))
    ref = await resting(bench, ConnectorError("lost on the way"))
    await bench.engine.stop(1.0)
    assert (await bench.answer(ref)).outcome is Outcome.UNKNOWN


@scenario(cap=100)
async def test_a_later_attempt_that_is_cut_off_is_unknown():
    bench = Bench(Puppet(), retry())
    script = Script(bench, NotSentError("busy"))
    ref = bench.submit(SendData("plc", "a"))
    await turns()
    bench.system.on["send"] = held = Held()
    await held.begun()
    await bench.engine.stop(1.0)
    assert (await bench.answer(ref)).outcome is Outcome.UNKNOWN
    assert len(script.items) == 1


@scenario(cap=100)
async def test_what_is_forgotten_while_it_rests_is_not_tried_again_and_the_next_one_goes():
    bench = Bench(Puppet(), retry())
    ref = await resting(bench, NotSentError("busy"))
    behind = bench.submit(SendData("plc", "b"))
    bench.forget(ref)
    assert isinstance(await bench.answer(behind), DataSent)
    assert bench.system.begun("send") == [("a",), ("b",)]


@scenario(cap=100)
async def test_what_is_forgotten_while_a_connect_runs_in_its_midst_leaves_the_connect_alone():
    bench = Bench(Puppet(), retry())
    losing(bench, NotSentError("it closed the connection"))
    bench.system.on["connect"] = held = Held()
    send = bench.submit(SendData("plc", "a"))
    behind = bench.submit(SendData("plc", "b"))
    await turns()
    connect = bench.submit(ConnectSystem("plc"))
    await held.begun()
    bench.forget(send)
    await turns()
    held.release()
    assert isinstance(await bench.answer(connect), SystemConnected)
    assert isinstance(await bench.answer(behind), DataSent)
    assert bench.system.begun("send") == [("a",), ("b",)]
    assert bench.crashes == []


@scenario(cap=100)
async def test_a_connect_that_is_forgotten_in_the_midst_of_a_send_leaves_the_send_alone():
    bench = Bench(Puppet(), retry())
    losing(bench, NotSentError("it closed the connection"))
    bench.system.on["connect"] = held = Held()
    send = bench.submit(SendData("plc", "a"))
    await turns()
    connect = bench.submit(ConnectSystem("plc"))
    await held.begun()
    bench.forget(connect)
    await turns()
    del bench.system.on["connect"]
    again = bench.submit(ConnectSystem("plc"))
    assert isinstance(await bench.answer(again), SystemConnected)
    assert isinstance(await bench.answer(send), DataSent)
    assert bench.crashes == []


@scenario(cap=100)
async def test_a_stop_ends_a_send_and_the_connect_in_its_midst():
    bench = Bench(Puppet(), retry())
    losing(bench, NotSentError("it closed the connection"))
    bench.system.on["connect"] = held = Held()
    send = bench.submit(SendData("plc", "a"))
    await turns()
    connect = bench.submit(ConnectSystem("plc"))
    await held.begun()
    await bench.engine.stop(1.0)
    assert (await bench.answer(connect)).code is FailureCode.UNAVAILABLE
    stopped = await bench.answer(send)
    assert (stopped.code, stopped.outcome) == (FailureCode.UNAVAILABLE, Outcome.NOT_SENT)
    assert [len(bench.replies[ref]) for ref in (connect, send)] == [1, 1]


@scenario(cap=100)
async def test_a_crash_in_the_connect_in_its_midst_is_a_crash():
    bench = Bench(Puppet(), retry())
    losing(bench, NotSentError("it closed the connection"))

    async def connect():
        raise RuntimeError("a bug")

    bench.system.on["connect"] = connect
    bench.submit(SendData("plc", "a"))
    await turns()
    bench.submit(ConnectSystem("plc"))
    assert (await bench.crash()).kind == "RuntimeError"


# ---- beside the lane ----------------------------------------------------------------------------


class Numbered(Puppet):
    """Pairs its answers by itself."""

    concurrent_queries = True

    async def query_data(self, data, timeout):
        return await self._do("query", data)


@scenario(cap=100)
async def test_questions_that_are_asked_at_once_are_tried_again_each_for_itself():
    bench = Bench(Numbered(), retry())

    async def query(data):
        if data == "busy" and len(bench.system.begun("query")) < 4:
            raise NotSentError("busy")
        return data

    bench.system.on["query"] = query
    busy = bench.submit(QueryData("plc", "busy"))
    assert (await bench.ask(QueryData("plc", "quick"))).load() == "quick"
    assert not bench.is_answered(busy)
    assert (await bench.answer(busy)).load() == "busy"
    assert retried(bench) == 2
