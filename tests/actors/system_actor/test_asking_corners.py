"""Questions that are cut off, refused, or asked by several at once: still no other's answer."""

import asyncio

import pytest

from actors import ConnectorError, NoAnswerError, NotSentError, command
from actors.messages import (
    CallCommand,
    CommandCalled,
    DisconnectSystem,
    Failure,
    FailureCode,
    Outcome,
    QueryAnswered,
    QueryData,
    ReceiveData,
    SendData,
    SystemDisconnected,
)
from actors.system_actor.renewing import RENEWAL_TIMEOUT
from tests.helpers.asked import FOREVER, Instrument, Numbered, answer, failed, silent
from tests.helpers.bench import Bench, scenario, turns


class Commanded(Instrument):
    @command
    async def identify(self, timeout=1.0):
        return await self.query_data("*IDN?", timeout)

    @command
    async def ask_twice(self):
        with pytest.raises(NoAnswerError):
            await self.query_data("SLOW?", 0.1)
        with pytest.raises(NotSentError, match="may still come"):
            await self.query_data("B?", 0.1)


@scenario
async def test_a_command_that_asks_has_its_own_answer_while_others_ask():
    bench = silent(Commanded)
    query = bench.submit(QueryData("plc", "A?"))
    await turns(50)
    called = bench.submit(CallCommand("plc", "identify"))
    await turns(50)
    assert bench.system.log == ["A?"]
    bench.system.came.put_nowait("a")
    assert await answer(bench, query) == "a"
    await turns(50)
    assert bench.system.log == ["A?", "*IDN?"]
    bench.system.came.put_nowait("id")
    reply = await bench.answer(called)
    assert isinstance(reply, CommandCalled)
    assert reply.load() == "id"


@scenario
async def test_a_late_answer_to_a_command_is_nobody_elses():
    bench = silent(Commanded)
    called = bench.submit(CallCommand("plc", "identify"))
    assert isinstance(await bench.answer(called), Failure)
    query = bench.submit(QueryData("plc", "A?"))
    await turns(100)
    assert bench.system.log == ["*IDN?", "disconnect", "connect", "A?"]
    bench.system.came.put_nowait("a")
    assert await answer(bench, query) == "a"


@scenario
async def test_who_asks_again_by_himself_gets_no_late_answer():
    bench = silent(Commanded)
    called = bench.submit(CallCommand("plc", "ask_twice"))
    assert isinstance(await bench.answer(called), CommandCalled)
    await turns(50)
    assert bench.system.log[0] == "SLOW?"
    assert "B?" not in bench.system.log


@scenario
async def test_of_a_question_in_two_parts_it_is_not_said_that_nothing_went_out():
    class Twice(Instrument):
        async def query_data(self, data, timeout):
            await super().query_data("SELECT?", timeout)
            return await super().query_data(data, timeout)

    bench = Bench(Twice())
    bench.system.on_send = lambda data: None if data == "SELECT?" else False
    reply = await bench.answer(bench.submit(QueryData("plc", "A?")))
    assert failed(reply) == (FailureCode.CONNECTOR_ERROR, Outcome.UNKNOWN)


@scenario(cap=3 * RENEWAL_TIMEOUT)
async def test_a_disconnect_that_hangs_does_not_hold_up_the_lane_for_ever():
    bench = silent()

    async def hang():
        await asyncio.Event().wait()

    bench.system.disconnect = hang
    await bench.answer(bench.submit(QueryData("plc", "SLOW?", wait=0.1)))
    await bench.answer(bench.submit(SendData("plc", "x")))
    assert bench.system.log == ["SLOW?", "x"]


@scenario
async def test_a_connection_that_was_lost_is_not_made_anew_for_a_question():
    bench = silent()

    async def refuse():
        return False

    bench.system.disconnect = refuse
    await bench.answer(bench.submit(QueryData("plc", "SLOW?", wait=0.1)))
    await turns(50)
    bench.system.report_loss("reset")
    bench.system.came.put_nowait(None)
    reply = await bench.answer(bench.submit(QueryData("plc", "B?")))
    assert failed(reply) == (FailureCode.NOT_CONNECTED, Outcome.NOT_SENT)
    assert bench.system.log == ["SLOW?"], "its supervisor connects it"


@scenario
async def test_a_loss_that_the_connector_reports_ends_the_question_that_is_out():
    bench = silent()
    ref = bench.submit(QueryData("plc", "SLOW?", wait=FOREVER))
    await turns(50)
    assert bench.system.log == ["SLOW?"]
    bench.system.report_loss("plc:1 closed the connection")
    reply = await bench.answer(ref)
    assert failed(reply) == (FailureCode.CONNECTOR_ERROR, Outcome.UNKNOWN)
    assert reply.text.endswith("the connection was lost: plc:1 closed the connection")


@scenario
async def test_what_came_while_a_question_was_refused_is_data():
    class Refusing(Instrument):
        async def send_data(self, data):
            self.came.put_nowait("alarm")
            await turns(20)
            raise NotSentError("busy")

    bench = Bench(Refusing())
    reply = await bench.answer(bench.submit(QueryData("plc", "A?")))
    assert failed(reply) == (FailureCode.CONNECTOR_ERROR, Outcome.NOT_SENT)
    assert await answer(bench, bench.submit(ReceiveData("plc"))) == "alarm"


@scenario
async def test_a_send_that_swallows_its_cancellation_does_not_hold_up_a_disconnect():
    class Stubborn(Instrument):
        async def send_data(self, data):
            self.log.append(data)
            try:
                await asyncio.sleep(FOREVER)
            except asyncio.CancelledError:
                return True

    bench = Bench(Stubborn())
    query = bench.submit(QueryData("plc", "A?", wait=FOREVER))
    await turns(50)
    disconnect = bench.submit(DisconnectSystem("plc"))
    assert isinstance(await bench.answer(disconnect), SystemDisconnected)
    assert failed(await bench.answer(query)) == (FailureCode.NOT_CONNECTED, Outcome.UNKNOWN)
    assert len(bench.replies[query]) == 1


@scenario
async def test_receiving_that_failed_does_not_delay_an_answer():
    bench = Bench(Instrument())
    bench.engine.set_tap(True)
    await turns()
    bench.system.came.put_nowait(ConnectorError("bad frame"))
    await turns(50)
    began = asyncio.get_running_loop().time()
    assert await answer(bench, bench.submit(QueryData("plc", "A?"))) == "answer to A?"
    assert asyncio.get_running_loop().time() - began < 0.2


@scenario
async def test_giving_up_a_question_says_why_the_connection_is_made_anew():
    bench = silent()
    query = bench.submit(QueryData("plc", "A?", wait=FOREVER))
    await turns(50)
    bench.forget(query)
    await turns(50)
    [lost] = [report.lost for report in bench.reports if report.lost]
    assert lost.text.startswith("a question was given up; connecting anew")


@scenario
async def test_the_late_answer_that_is_told_apart_may_be_received():
    bench = silent(Numbered)
    query = bench.submit(QueryData("plc", "1:A?", wait=FOREVER))
    await turns(50)
    bench.forget(query)
    bench.system.came.put_nowait("1:a")
    following = bench.submit(QueryData("plc", "2:B?"))
    await turns(50)
    bench.system.came.put_nowait("2:b")
    reply = await bench.answer(following)
    assert isinstance(reply, QueryAnswered)
    assert reply.load() == "2:b"
    assert await answer(bench, bench.submit(ReceiveData("plc"))) == "1:a"
