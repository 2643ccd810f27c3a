"""A question is answered by its own answer, or by none."""

from __future__ import annotations

from typing import Any

import pytest

from actors import ConnectorError, ExternalSystemInterface, NoAnswerError, NotSentError
from actors.messages import (
    ConnectSystem,
    DataReceived,
    DataSent,
    DisconnectSystem,
    FailureCode,
    Outcome,
    QueryData,
    ReceiveData,
    SendData,
    SystemDisconnected,
)
from tests.helpers.asked import FOREVER, Instrument, Multiplexed, Numbered, answer, failed, silent
from tests.helpers.bench import Bench, scenario, turns


@scenario
async def test_a_question_has_its_own_answer():
    bench = Bench(Instrument())
    refs = [bench.submit(QueryData("plc", f"{n}?")) for n in range(5)]
    assert [await answer(bench, ref) for ref in refs] == [f"answer to {n}?" for n in range(5)]
    assert bench.system.log == [f"{n}?" for n in range(5)]


@scenario
async def test_questions_and_sends_go_out_in_the_order_of_asking():
    bench = Bench(Instrument())
    refs = [
        bench.submit(request)
        for request in (SendData("plc", 1), QueryData("plc", "2?"), SendData("plc", 3))
    ]
    assert isinstance(await bench.answer(refs[2]), DataSent)
    assert bench.system.log == [1, "2?", 3]
    assert await answer(bench, refs[1]) == "answer to 2?"


@scenario
async def test_nothing_is_sent_while_an_answer_is_awaited():
    bench = silent()
    query, send = bench.submit(QueryData("plc", "A?")), bench.submit(SendData("plc", "x"))
    await turns(100)
    assert bench.system.log == ["A?"]
    bench.system.came.put_nowait("a")
    assert await answer(bench, query) == "a"
    await bench.answer(send)


# ---- what comes unasked ------------------------------------------------------------------------


@scenario
async def test_what_came_before_the_question_goes_to_whom_receives():
    bench = Bench(Instrument())
    for item in ("old", "older"):
        bench.system.came.put_nowait(item)
    assert await answer(bench, bench.submit(QueryData("plc", "A?"))) == "answer to A?"
    received = [await answer(bench, bench.submit(ReceiveData("plc"))) for _ in range(2)]
    assert received == ["old", "older"]


@scenario
async def test_what_came_before_the_question_may_be_dropped_and_is_counted():
    bench = Bench(Instrument())
    bench.system.unasked = "drop"
    for item in ("old", "older"):
        bench.system.came.put_nowait(item)
    assert await answer(bench, bench.submit(QueryData("plc", "A?"))) == "answer to A?"
    await turns()
    assert sum(report.dropped for report in bench.reports) == 2
    receive = bench.submit(ReceiveData("plc", wait=0.5))
    assert not isinstance(await bench.answer(receive), DataReceived)


@scenario
async def test_who_waits_for_data_gets_no_answer_of_anybodys():
    bench = Bench(Instrument())
    receive = bench.submit(ReceiveData("plc", wait=FOREVER))
    await turns()
    assert await answer(bench, bench.submit(QueryData("plc", "A?"))) == "answer to A?"
    assert not bench.is_answered(receive)
    bench.system.came.put_nowait("data")
    assert await answer(bench, receive) == "data"


@scenario
async def test_what_is_seen_to_be_no_answer_is_data():
    bench = silent(Numbered)
    receive = bench.submit(ReceiveData("plc", wait=FOREVER))
    query = bench.submit(QueryData("plc", "7:A?"))
    await turns(50)
    bench.system.came.put_nowait("0:alarm")
    assert await answer(bench, receive) == "0:alarm"
    assert not bench.is_answered(query)
    bench.system.came.put_nowait("7:a")
    assert await answer(bench, query) == "7:a"


# ---- failures ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "code", "outcome", "is_made_anew"),
    [
        (False, FailureCode.CONNECTOR_ERROR, Outcome.NOT_SENT, False),
        (NotSentError("gone"), FailureCode.CONNECTOR_ERROR, Outcome.NOT_SENT, False),
        (ConnectorError("half of it"), FailureCode.CONNECTOR_ERROR, Outcome.UNKNOWN, True),
        (TimeoutError("stalled"), FailureCode.CONNECTOR_ERROR, Outcome.UNKNOWN, True),
    ],
)
def test_a_question_that_cannot_be_sent_says_whether_it_was(result, code, outcome, is_made_anew):
    @scenario
    async def play():
        bench = Bench(Instrument())
        bench.system.on_send = lambda _: result
        reply = await bench.answer(bench.submit(QueryData("plc", "A?")))
        assert failed(reply) == (code, outcome)
        await turns(50)
        assert ("connect" in bench.system.log) == is_made_anew
        assert bench.crashes == []

    play()


@scenario
async def test_a_disconnected_system_is_asked_nothing():
    bench = Bench(Instrument())
    bench.system.is_connected = False
    reply = await bench.answer(bench.submit(QueryData("plc", "A?")))
    assert failed(reply) == (FailureCode.NOT_CONNECTED, Outcome.NOT_SENT)
    assert bench.system.log == []


@scenario
async def test_a_connection_lost_over_a_question_says_so():
    bench = Bench(Instrument())

    def hang_up(_: Any) -> bool:
        bench.system.is_connected = False
        bench.system.came.put_nowait(ConnectionResetError("reset by peer"))
        return True

    bench.system.on_send = hang_up
    reply = await bench.answer(bench.submit(QueryData("plc", "A?")))
    assert failed(reply) == (FailureCode.CONNECTOR_ERROR, Outcome.UNKNOWN)
    assert "reset by peer" in reply.text
    await turns(50)
    assert bench.system.log == ["A?"], "its supervisor connects it again"


@scenario
async def test_a_disconnect_cuts_a_question_off_and_the_connection_is_not_made_anew():
    bench = silent()
    query = bench.submit(QueryData("plc", "A?", wait=FOREVER))
    await turns(50)
    disconnect = bench.submit(DisconnectSystem("plc"))
    assert failed(await bench.answer(query)) == (FailureCode.NOT_CONNECTED, Outcome.UNKNOWN)
    assert isinstance(await bench.answer(disconnect), SystemDisconnected)
    assert bench.system.log == ["A?", "disconnect"]
    bench.submit(ConnectSystem("plc"))
    following = bench.submit(QueryData("plc", "B?"))
    await turns(50)
    bench.system.came.put_nowait("b")
    assert await answer(bench, following) == "b"
    assert bench.system.log == ["A?", "disconnect", "connect", "B?"]


@scenario
async def test_a_stop_answers_who_has_asked():
    bench = silent()
    refs = [bench.submit(QueryData("plc", f"{n}?", wait=FOREVER)) for n in "AB"]
    await turns(50)
    await bench.engine.stop(0.5)
    codes = [failed(await bench.answer(ref)) for ref in refs]
    assert codes == [
        (FailureCode.UNAVAILABLE, Outcome.UNKNOWN),
        (FailureCode.UNAVAILABLE, Outcome.NOT_SENT),
    ]
    assert bench.system.log == ["A?", "disconnect"]


@scenario
async def test_a_bug_in_answers_is_a_crash():
    class Buggy(Instrument):
        def answers(self, question: Any, item: Any) -> bool:
            raise ZeroDivisionError

    bench = Bench(Buggy())
    bench.submit(QueryData("plc", "A?"))
    await turns(50)
    assert [reason.kind for reason in bench.crashes] == ["ZeroDivisionError"]


@scenario
async def test_an_answer_that_cannot_be_sent_on_is_a_failure():
    bench = silent()
    query = bench.submit(QueryData("plc", "A?"))
    await turns(50)
    bench.system.came.put_nowait(lambda: (_ for _ in ()))
    bench.system.came.put_nowait(each for each in ())
    await turns(50)
    assert bench.is_answered(query)
    second = bench.submit(QueryData("plc", "B?"))
    await turns(50)
    bench.system.came.put_nowait(each for each in ())
    reply = await bench.answer(second)
    assert failed(reply) == (FailureCode.CONNECTOR_ERROR, Outcome.UNKNOWN)
    assert "was answered, but" in reply.text


# ---- protocols that pair by themselves -----------------------------------------------------------


@scenario
async def test_a_protocol_with_numbers_of_its_own_has_many_under_way():
    bench = Bench(Multiplexed())
    refs = [bench.submit(QueryData("plc", n)) for n in range(3)]
    send = bench.submit(SendData("plc", "x"))
    assert isinstance(await bench.answer(send), DataSent)
    await turns()
    assert [data for data, _ in bench.system.asked] == [0, 1, 2]
    for data, future in reversed(bench.system.asked):
        future.set_result(data * 10)
    assert [await answer(bench, ref) for ref in refs] == [0, 10, 20]


@scenario
async def test_its_late_answers_cost_no_connection():
    bench = Bench(Multiplexed())
    reply = await bench.answer(bench.submit(QueryData("plc", 1, wait=1.0)))
    assert failed(reply) == (FailureCode.TIMEOUT, Outcome.UNKNOWN)
    await turns(50)
    assert bench.system.log == []


@scenario
async def test_it_must_not_use_what_asks_one_at_a_time():
    class Wrong(Multiplexed):
        async def query_data(self, data: Any, timeout: float) -> Any:
            return await ExternalSystemInterface.query_data(self, data, timeout)

    bench = Bench(Wrong())
    bench.submit(QueryData("plc", 1))
    await turns(50)
    [reason] = bench.crashes
    assert "concurrent_queries" in reason.text


@scenario
async def test_a_class_may_change_question_and_answer():
    class Stripped(Instrument):
        async def query_data(self, data: Any, timeout: float) -> Any:
            return (await super().query_data(f"{data}?", timeout)).upper()

    bench = Bench(Stripped())
    assert await answer(bench, bench.submit(QueryData("plc", "a"))) == "ANSWER TO A?"


# ---- outside a runtime ---------------------------------------------------------------------------


@scenario
async def test_an_object_in_no_runtime_pairs_as_well():
    system = Instrument()
    system.came.put_nowait("old")
    assert await system.query_data("A?", 1.0) == "answer to A?"
    system.by_itself = False
    with pytest.raises(NoAnswerError, match="within 1 s"):
        await system.query_data("SLOW?", 1.0)
    system.by_itself = True
    assert await system.query_data("B?", 1.0) == "answer to B?"
    assert system.log == ["A?", "SLOW?", "disconnect", "connect", "B?"]
    system.on_send = lambda _: False
    with pytest.raises(NotSentError):
        await system.query_data("C?", 1.0)
