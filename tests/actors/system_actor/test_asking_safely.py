"""Where a question could be given what is no answer to it, and is not."""

from __future__ import annotations

import asyncio
import queue
from typing import Any

import pytest

from actors import ExternalSystemInterface, MockExternalSystem
from actors.messages import (
    FailureCode,
    ManyReceived,
    Outcome,
    QueryData,
    ReceiveMany,
    SendData,
)
from actors.messages.limits import DELIVERY_ITEMS
from tests.helpers.asked import FOREVER, Instrument, Multiplexed, answer, failed, silent
from tests.helpers.bench import Bench, scenario, turns


@scenario
async def test_a_question_among_many_is_begun_before_what_is_sent_after_it():
    class Logged(Multiplexed):
        async def query_data(self, data: Any, timeout: float) -> Any:
            self.log.append(data)
            return f"answer to {data}"

    bench = Bench(Logged())
    requests = [QueryData("plc", "A?"), SendData("plc", 1), QueryData("plc", "B?")]
    refs = [bench.submit(each) for each in (*requests, SendData("plc", 2))]
    for ref in refs:
        await bench.answer(ref)
    assert bench.system.log == ["A?", 1, "B?", 2]


@scenario
async def test_what_was_put_back_is_not_dropped_for_what_comes_unasked():
    bench = Bench(Instrument())
    count = DELIVERY_ITEMS + 10
    receive = bench.submit(ReceiveMany("plc", 2 * count, wait=FOREVER))
    for n in range(count):
        bench.system.came.put_nowait(n)
    await turns(20)
    bench.forget(receive)
    bench.system.came.put_nowait(count)
    assert await answer(bench, bench.submit(QueryData("plc", "A?"))) == "answer to A?"
    again = await bench.answer(bench.submit(ReceiveMany("plc", 2 * count, wait=0.5)))
    assert isinstance(again, ManyReceived)
    assert again.load() == list(range(count + 1))


@scenario
async def test_a_time_out_of_a_class_of_its_own_is_an_answer_that_may_come_late():
    class Impatient(Instrument):
        async def query_data(self, data: Any, timeout: float) -> Any:
            self.log.append(data)
            async with asyncio.timeout(timeout):
                await asyncio.Event().wait()

    bench = Bench(Impatient())
    reply = await bench.answer(bench.submit(QueryData("plc", "A?", wait=0.5)))
    assert failed(reply) == (FailureCode.TIMEOUT, Outcome.UNKNOWN)
    await turns(50)
    assert bench.system.log == ["A?", "disconnect", "connect"]


@scenario
async def test_a_question_that_waits_for_a_new_connection_was_not_sent():
    bench = silent()
    renewal = asyncio.Event()

    async def connect() -> bool:
        await renewal.wait()
        return True

    bench.system.connect = connect
    await bench.answer(bench.submit(QueryData("plc", "SLOW?", wait=0.5)))
    following = bench.submit(QueryData("plc", "B?"))
    await turns(50)
    await bench.engine.stop(0.5)
    assert failed(await bench.answer(following))[1] is Outcome.NOT_SENT


class Threaded(ExternalSystemInterface):
    """Reads in a thread, as a serial port's library does."""

    quiet_time = 60.0  # however busy the machine is: a call in vain says it, too

    def __init__(self) -> None:
        super().__init__("plc", {})
        self.is_connected = True
        self.came: queue.Queue[Any] = queue.Queue()

    async def connect(self) -> bool:
        return True

    async def disconnect(self) -> bool:
        return True

    async def send_data(self, data: Any) -> bool:
        self.came.put(f"answer to {data}")
        return True

    async def receive_data(self) -> Any:
        return await asyncio.to_thread(self._read)

    def _read(self) -> Any:
        try:
            return self.came.get(timeout=0.2)
        except queue.Empty:
            return None


def test_what_a_thread_has_yet_to_read_is_no_answer():
    async def play() -> None:
        async with asyncio.timeout(20):
            for _ in range(3):
                bench = Bench(Threaded())
                bench.system.came.put("old")
                assert await answer(bench, bench.submit(QueryData("plc", "A?"))) == "answer to A?"

    asyncio.run(play())


# ---- an object in no runtime ---------------------------------------------------------------------


@scenario
async def test_many_tasks_ask_an_object_in_no_runtime():
    system = Instrument()
    asked = [f"{n}?" for n in range(5)]
    answers = await asyncio.gather(*(system.query_data(each, 1.0) for each in asked))
    assert answers == [f"answer to {each}" for each in asked]


@scenario
async def test_a_question_given_up_in_no_runtime_leaves_its_answer_to_nobody():
    system = Instrument()
    system.by_itself = False
    task = asyncio.create_task(system.query_data("SLOW?", FOREVER))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    system.by_itself = True
    assert await system.query_data("A?", 1.0) == "answer to A?"
    assert system.log == ["SLOW?", "disconnect", "connect", "A?"]


# ---- the mock ------------------------------------------------------------------------------------


@scenario
async def test_a_function_answers_what_no_table_could_name():
    system = MockExternalSystem("plc", {}, answers=lambda question: sorted(question))
    await system.connect()
    assert await system.query_data([3, 1], 1.0) == [1, 3]
