"""Questions through the whole runtime, both ways: each has its own answer, or none."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from actors import MockExternalSystem
from actors.messages import FailureCode, Outcome
from supervisor import (
    ExternalSystemError,
    ExternalSystemManager,
    NotConnectedError,
    RequestTimeoutError,
    SupervisorOptions,
    SynchronousManager,
    SystemCrashedError,
)
from supervisor.messages import EventKind, SystemState
from supervisor.specs.options import LogLevel
from tests.helpers.shared import with_shared_manager
from tests.helpers.support import QUIET, mock, pid_of, status_of, until_open, until_state

pytestmark = pytest.mark.usefixtures("shared_runtime")
BOTH_WAYS = pytest.mark.usefixtures("way")
MANY = {f"{n}?": f"answer to {n}?" for n in range(100)}
IMPATIENT = SupervisorOptions(request_timeout=0.5, log_level=LogLevel.CRITICAL)


@BOTH_WAYS
def test_many_tasks_at_once_have_each_its_own_answer() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        answers = await asyncio.gather(*(manager.query_system("dmm", each) for each in MANY))
        assert answers == list(MANY.values())
        assert await manager.call_command("dmm", "sent_items") == list(MANY)
        status = await status_of(manager, "dmm")
        assert (status.sent, status.received) == (100, 100)

    with_shared_manager(work, mock("dmm", answers=MANY))


@BOTH_WAYS
def test_questions_go_out_in_the_order_of_asking_among_sends() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        tasks: list[asyncio.Task[Any]] = []
        for n in range(20):
            tasks.append(asyncio.create_task(manager.send_data_to_system("dmm", f"set {n}")))
            tasks.append(asyncio.create_task(manager.query_system("dmm", f"{n}?")))
        await asyncio.gather(*tasks)
        sent = await manager.call_command("dmm", "sent_items")
        assert sent == [each for n in range(20) for each in (f"set {n}", f"{n}?")]

    with_shared_manager(work, mock("dmm", answers=MANY))


@BOTH_WAYS
def test_a_late_answer_is_never_another_questions() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        late = {"operation": "answer", "action": "delay", "seconds": 0.3}
        await manager.call_command("dmm", "inject_fault", **late)
        with pytest.raises(RequestTimeoutError, match=r"dmm: no answer within 0\.05 s") as caught:
            await manager.query_system("dmm", "0?", timeout=0.05)
        assert caught.value.failure.outcome is Outcome.UNKNOWN
        asked = [f"{n}?" for n in range(1, 6)]
        answers = await asyncio.gather(*(manager.query_system("dmm", each) for each in asked))
        assert answers == [MANY[each] for each in asked]
        sent = await manager.call_command("dmm", "sent_items")
        assert sent.count("0?") == 1, "no question is asked twice"

    with_shared_manager(work, mock("dmm", answers=MANY))


def test_the_connection_is_made_anew_and_the_event_says_why() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        events = manager.events()
        await manager.call_command("dmm", "inject_fault", "answer", "refuse")
        with pytest.raises(RequestTimeoutError):
            await manager.query_system("dmm", "0?", timeout=0.05)
        assert await manager.query_system("dmm", "1?") == "answer to 1?"
        async for event in events:
            if event.kind is EventKind.DISCONNECTED:
                assert event.reason is not None
                assert "no answer within 0.05 s; connecting anew" in event.reason.text
            if event.kind is EventKind.CONNECTED:
                return

    with_shared_manager(work, mock("dmm", answers=MANY))


@BOTH_WAYS
def test_what_comes_unasked_is_for_who_receives() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        await manager.call_command("dmm", "mock_incoming_data", "alarm")
        assert await manager.query_system("dmm", "7?") == "answer to 7?"
        assert await manager.receive_data_from_system("dmm") == "alarm"
        receive = asyncio.ensure_future(manager.receive_data_from_system("dmm", timeout=60.0))
        await until_open(manager, "dmm")
        assert await manager.query_system("dmm", "8?") == "answer to 8?"
        assert not receive.done()
        await manager.call_command("dmm", "mock_incoming_data", "alarm 2")
        assert await receive == "alarm 2"

    with_shared_manager(work, mock("dmm", answers=MANY))


def test_what_comes_unasked_may_be_dropped_and_is_counted() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        for n in range(3):
            await manager.call_command("dmm", "mock_incoming_data", f"alarm {n}")
        assert await manager.query_system("dmm", "7?") == "answer to 7?"
        assert await manager.receive_data_from_system("dmm", timeout=0.05) is None
        assert (await status_of(manager, "dmm")).dropped == 3

    with_shared_manager(work, mock("dmm", answers=MANY, unasked="drop"))


@BOTH_WAYS
def test_a_stream_of_data_shows_what_came_and_no_answers() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        stream = manager.data_from("dmm")
        first = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        assert await manager.query_system("dmm", "1?") == "answer to 1?"
        await manager.call_command("dmm", "mock_incoming_data", "data")
        assert await first == ("dmm", "data")
        assert (await status_of(manager, "dmm")).received == 2

    with_shared_manager(work, mock("dmm", answers=MANY))


@BOTH_WAYS
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_question_to_a_system_that_is_killed_is_answered_once(number: signal.Signals) -> None:
    async def work(manager: ExternalSystemManager) -> None:
        await manager.call_command("dmm", "inject_fault", "answer", "refuse")
        query = asyncio.ensure_future(manager.query_system("dmm", "0?", timeout=60.0))
        await until_open(manager, "dmm")
        os.kill(await pid_of(manager, "dmm"), number)
        with pytest.raises(SystemCrashedError) as caught:
            await query
        assert caught.value.failure.outcome is Outcome.UNKNOWN
        await until_state(manager, "dmm", SystemState.CONNECTED, incarnation=2)
        assert await manager.query_system("dmm", "1?") == "answer to 1?"

    with_shared_manager(work, mock("dmm", answers=MANY))


@BOTH_WAYS
def test_answers_stay_paired_while_the_system_is_killed_again_and_again() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        over = asyncio.Event()

        async def ask(task: int) -> int:
            answered = n = 0
            while not over.is_set():
                question = f"{(n := n + 1) % 10 * 10 + task}?"
                try:
                    assert await manager.query_system("dmm", question) == f"answer to {question}"
                    answered += 1
                except ExternalSystemError:
                    await asyncio.sleep(0.01)
            return answered

        tasks = [asyncio.ensure_future(ask(task)) for task in range(10)]
        for incarnation in (1, 2, 3):
            status = await until_state(
                manager, "dmm", SystemState.CONNECTED, incarnation=incarnation
            )
            assert status.pid is not None
            while (await status_of(manager, "dmm")).received < 20 * incarnation:
                await asyncio.sleep(0.01)
            os.kill(status.pid, signal.SIGKILL)
        await until_state(manager, "dmm", SystemState.CONNECTED, incarnation=4)
        over.set()
        assert sum(await asyncio.gather(*tasks)) >= 60

    with_shared_manager(work, mock("dmm", answers=MANY))


@BOTH_WAYS
def test_a_question_that_is_cancelled_leaves_its_answer_to_nobody() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        late = {"operation": "answer", "action": "delay", "seconds": 0.2}
        await manager.call_command("dmm", "inject_fault", **late)
        query = asyncio.ensure_future(manager.query_system("dmm", "0?"))
        await until_open(manager, "dmm")
        while await manager.call_command("dmm", "sent_count") == 0:
            await asyncio.sleep(0.005)
        query.cancel()
        asked = [f"{n}?" for n in range(1, 4)]
        assert [await manager.query_system("dmm", each) for each in asked] == [
            MANY[each] for each in asked
        ]
        assert await manager.receive_data_from_system("dmm", timeout=0.05) is None

    with_shared_manager(work, mock("dmm", answers=MANY))


def test_a_question_whose_turn_does_not_come_was_not_sent() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        await manager.call_command("dmm", "inject_fault", "answer", "refuse")
        first = asyncio.ensure_future(manager.query_system("dmm", "0?", timeout=60.0))
        await until_open(manager, "dmm")
        with pytest.raises(RequestTimeoutError):
            await manager.query_system("dmm", "1?")
        assert await manager.call_command("dmm", "sent_items") == ["0?"]
        first.cancel()

    with_shared_manager(work, mock("dmm", answers=MANY), options=IMPATIENT)


def test_a_disconnected_system_is_asked_nothing() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        with pytest.raises(NotConnectedError) as caught:
            await manager.query_system("dmm", "0?")
        assert caught.value.failure.code is FailureCode.NOT_CONNECTED
        assert caught.value.failure.outcome is Outcome.NOT_SENT

    with_shared_manager(work, mock("dmm", answers=MANY, connect=False))


def test_a_lenient_manager_has_none_for_no_answer() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        await manager.call_command("dmm", "inject_fault", "answer", "refuse")
        assert await manager.query_system("dmm", "0?", timeout=0.05) is None
        assert await manager.query_system("nobody", "0?") is None
        assert await manager.query_system("dmm", lambda: (each for each in ())) is None

    with_shared_manager(work, mock("dmm", answers=MANY), strict=False)


def test_a_registered_object_asks_its_actor_and_may_answer_by_a_function() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        system = MockExternalSystem("echo", {}, answers=lambda question: f"{question}!")
        manager.register_system(system)
        await manager.connect_system("echo")
        assert await system.query_data("hello", 1.0) == "hello!"

    with_shared_manager(work)


def test_a_program_without_asyncio_asks_as_well() -> None:
    with SynchronousManager(strict=True, options=QUIET) as manager:
        manager.register_system(mock("dmm", answers=MANY))
        manager.connect_all()
        assert manager.query_system("dmm", "3?") == "answer to 3?"
