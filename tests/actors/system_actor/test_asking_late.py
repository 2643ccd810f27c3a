"""A late answer is taken for no other question's, and costs no more than a connection."""

from __future__ import annotations

import asyncio

from actors.messages import (
    FailureCode,
    Outcome,
    QueryData,
    ReceiveData,
)
from tests.helpers.asked import FOREVER, Numbered, answer, failed, silent
from tests.helpers.bench import scenario, turns


@scenario
async def test_a_late_answer_is_nobody_elses():
    bench = silent()
    late = bench.submit(QueryData("plc", "SLOW?", wait=1.0))
    following = bench.submit(QueryData("plc", "B?"))
    reply = await bench.answer(late)
    assert failed(reply) == (FailureCode.TIMEOUT, Outcome.UNKNOWN)
    assert reply.text == "plc: no answer within 1 s"
    bench.system.came = asyncio.Queue()  # the old connection's is of the past
    await turns(50)
    bench.system.came.put_nowait("b")
    assert await answer(bench, following) == "b"
    assert bench.system.log == ["SLOW?", "disconnect", "connect", "B?"]


@scenario
async def test_the_connection_is_made_anew_at_once_and_its_loss_is_told():
    bench = silent()
    await bench.answer(bench.submit(QueryData("plc", "SLOW?", wait=1.0)))
    await turns(50)
    assert bench.system.log == ["SLOW?", "disconnect", "connect"]
    [lost] = [report.lost for report in bench.reports if report.lost]
    assert lost.text.startswith("no answer within 1 s; connecting anew")


@scenario
async def test_where_late_answers_are_told_apart_the_connection_stays():
    bench = silent(Numbered)
    late = bench.submit(QueryData("plc", "1:SLOW?", wait=1.0))
    assert failed(await bench.answer(late)) == (FailureCode.TIMEOUT, Outcome.UNKNOWN)
    following = bench.submit(QueryData("plc", "2:B?"))
    await turns(50)
    for item in ("1:slow", "2:b"):
        bench.system.came.put_nowait(item)
    assert await answer(bench, following) == "2:b"
    assert bench.system.log == ["1:SLOW?", "2:B?"]
    assert await answer(bench, bench.submit(ReceiveData("plc"))) == "1:slow"


@scenario
async def test_no_question_is_asked_on_a_connection_that_cannot_be_closed():
    bench = silent()

    async def refuse() -> bool:
        return False

    bench.system.disconnect = refuse
    await bench.answer(bench.submit(QueryData("plc", "SLOW?", wait=1.0)))
    reply = await bench.answer(bench.submit(QueryData("plc", "B?")))
    assert failed(reply) == (FailureCode.NOT_CONNECTED, Outcome.NOT_SENT)
    assert "cannot be closed" in reply.text
    assert bench.system.log == ["SLOW?"]


@scenario
async def test_a_connection_that_cannot_be_made_anew_is_lost():
    bench = silent()

    async def fail() -> bool:
        raise ConnectionRefusedError("refused")

    bench.system.connect = fail
    await bench.answer(bench.submit(QueryData("plc", "SLOW?", wait=1.0)))
    reply = await bench.answer(bench.submit(QueryData("plc", "B?")))
    assert failed(reply) == (FailureCode.NOT_CONNECTED, Outcome.NOT_SENT)
    assert bench.reports[-1].is_connected is False
    assert bench.crashes == []


@scenario
async def test_an_answer_that_nobody_waits_for_any_more_is_nobody_elses():
    bench = silent()
    query = bench.submit(QueryData("plc", "A?", wait=FOREVER))
    await turns(50)
    bench.forget(query)
    following = bench.submit(QueryData("plc", "B?"))
    await turns(50)
    bench.system.came.put_nowait("b")
    assert await answer(bench, following) == "b"
    assert bench.system.log == ["A?", "disconnect", "connect", "B?"]
    [lost] = [report.lost for report in bench.reports if report.lost]
    assert lost.text.startswith("a question was given up; connecting anew")


@scenario
async def test_what_was_not_asked_yet_leaves_the_connection_alone():
    bench = silent()
    first, second = (bench.submit(QueryData("plc", f"{n}?")) for n in "AB")
    await turns(50)
    bench.forget(second)
    bench.system.came.put_nowait("a")
    assert await answer(bench, first) == "a"
    await turns(50)
    assert bench.system.log == ["A?"]


@scenario
async def test_those_who_wait_for_data_wait_on_while_the_connection_is_made_anew():
    bench = silent()
    receive = bench.submit(ReceiveData("plc", wait=FOREVER))
    await bench.answer(bench.submit(QueryData("plc", "SLOW?", wait=1.0)))
    await turns(50)
    assert not bench.is_answered(receive)
    bench.system.came.put_nowait("data")
    assert await answer(bench, receive) == "data"
