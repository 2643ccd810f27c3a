"""A question is answered by its own answer, or by none."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import pytest

from actors import ConnectorError, ExternalSystemInterface, NoAnswerError, NotSentError
from actors.messages import (
    ConnectSystem,
    DataReceived,
    DataSent,
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
from tests.helpers.bench import Bench, scenario, turns

FOREVER = 3600.0


class Instrument(ExternalSystemInterface):
    """Answers what it is asked, when a test says so; ``log`` has what was done to it."""

    quiet_time = 0.0

    def __init__(self) -> None:
        super().__init__("plc", {})
        self.is_connected = True
        self.log: list[Any] = []
        self.came: asyncio.Queue[Any] = asyncio.Queue()
        self.by_itself = True
        self.on_send: Any = None

    async def connect(self) -> bool:
        self.log.append("connect")
        self.is_connected = True
        return True

    async def disconnect(self) -> bool:
        self.log.append("disconnect")
        self.is_connected = False
        return True

    async def send_data(self, data: Any) -> bool:
        self.log.append(data)
        if self.on_send is not None:
            result = self.on_send(data)
            if isinstance(result, BaseException):
                raise result
            if result is not None:
                return bool(result)
        if self.by_itself and str(data).endswith("?"):
            self.came.put_nowait(f"answer to {data}")
        return True

    async def receive_data(self) -> Any:
        item = await self.came.get()
        if isinstance(item, BaseException):
            raise item
        return item


class Numbered(Instrument):
    """Sees from its number which question an item answers."""

    def answers(self, question: Any, item: Any) -> bool:
        return str(item).split(":")[0] == str(question).split(":")[0]


async def answer(bench: Bench, ref: int) -> Any:
    reply = await bench.answer(ref)
    return reply.load() if isinstance(reply, QueryAnswered | DataReceived) else reply


def failed(reply: Any) -> tuple[Any, Any]:
    assert isinstance(reply, Failure)
    return reply.code, reply.outcome


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
    bench = Bench(Instrument())
    bench.system.by_itself = False
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
    bench = Bench(Numbered())
    bench.system.by_itself = False
    receive = bench.submit(ReceiveData("plc", wait=FOREVER))
    query = bench.submit(QueryData("plc", "7:A?"))
    await turns(50)
    bench.system.came.put_nowait("0:alarm")
    assert await answer(bench, receive) == "0:alarm"
    assert not bench.is_answered(query)
    bench.system.came.put_nowait("7:a")
    assert await answer(bench, query) == "7:a"


# ---- late answers ------------------------------------------------------------------------------


@scenario
async def test_a_late_answer_is_nobody_elses():
    bench = Bench(Instrument())
    bench.system.by_itself = False
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
    bench = Bench(Instrument())
    bench.system.by_itself = False
    await bench.answer(bench.submit(QueryData("plc", "SLOW?", wait=1.0)))
    await turns(50)
    assert bench.system.log == ["SLOW?", "disconnect", "connect"]
    [lost] = [report.lost for report in bench.reports if report.lost]
    assert lost.text.startswith("no answer within 1 s; connecting anew")


@scenario
async def test_where_late_answers_are_told_apart_the_connection_stays():
    bench = Bench(Numbered())
    bench.system.by_itself = False
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
    bench = Bench(Instrument())
    bench.system.by_itself = False

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
    bench = Bench(Instrument())
    bench.system.by_itself = False

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
    bench = Bench(Instrument())
    bench.system.by_itself = False
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
    bench = Bench(Instrument())
    bench.system.by_itself = False
    first, second = (bench.submit(QueryData("plc", f"{n}?")) for n in "AB")
    await turns(50)
    bench.forget(second)
    bench.system.came.put_nowait("a")
    assert await answer(bench, first) == "a"
    await turns(50)
    assert bench.system.log == ["A?"]


@scenario
async def test_those_who_wait_for_data_wait_on_while_the_connection_is_made_anew():
    bench = Bench(Instrument())
    bench.system.by_itself = False
    receive = bench.submit(ReceiveData("plc", wait=FOREVER))
    await bench.answer(bench.submit(QueryData("plc", "SLOW?", wait=1.0)))
    await turns(50)
    assert not bench.is_answered(receive)
    bench.system.came.put_nowait("data")
    assert await answer(bench, receive) == "data"


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
    bench = Bench(Instrument())
    bench.system.by_itself = False
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
    bench = Bench(Instrument())
    bench.system.by_itself = False
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
    bench = Bench(Instrument())
    bench.system.by_itself = False
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


class Multiplexed(Instrument):
    """Has many questions under way, and answers them in any order."""

    concurrent_queries = True

    def __init__(self) -> None:
        super().__init__()
        self.asked: deque[tuple[Any, asyncio.Future[Any]]] = deque()

    async def query_data(self, data: Any, timeout: float) -> Any:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.asked.append((data, future))
        try:
            async with asyncio.timeout(timeout):
                return await future
        except TimeoutError:
            raise NoAnswerError(f"no answer to {data} within {timeout:g} s") from None


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
