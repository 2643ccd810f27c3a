"""Many questions, or many systems, in one call: a result for each, both ways."""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import signal
from collections.abc import Sequence
from typing import Any

import pytest

from actors import (
    Batch,
    ConnectorError,
    ItemRefusedError,
    MockExternalSystem,
    Policy,
    command,
)
from actors.messages import Failure, FailureCode, Outcome
from supervisor import (
    ConnectorFailedError,
    ExternalSystemManager,
    NotConnectedError,
    PartlyFailedError,
    SupervisorOptions,
    SynchronousManager,
    SystemCrashedError,
    UnknownSystemError,
)
from supervisor.host.bulk import QUESTIONS_OUT
from supervisor.messages import SystemState
from supervisor.specs.options import LogLevel
from tests.helpers.shared import with_shared_manager
from tests.helpers.support import QUIET, mock, pid_of, until_state

pytestmark = pytest.mark.usefixtures("shared_runtime")
BOTH_WAYS = pytest.mark.usefixtures("way")
MANY = {f"{n}?": f"answer to {n}?" for n in range(100)}
LOST = {"operation": "answer", "action": "refuse"}


def codes(results: Any) -> list[Any]:
    return [each.code if isinstance(each, Failure) else each for each in results]


class Bus(MockExternalSystem):
    """Answers so many questions together, and none before."""

    concurrent_queries = True

    def __init__(self, name: str, details: dict[str, Any]) -> None:
        super().__init__(name, details)
        self.out: list[tuple[int, asyncio.Future[int]]] = []

    async def query_data(self, data: Any, timeout: float) -> Any:
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.out.append((data, answer))
        if len(self.out) == QUESTIONS_OUT:
            for question, each in self.out:
                each.set_result(-question)
            self.out = []
        async with asyncio.timeout(timeout):
            return await answer


# ---- many questions to one --------------------------------------------------------------


@BOTH_WAYS
def test_each_question_of_many_has_its_own_answer_in_order() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        sending = asyncio.create_task(manager.send_data_to_system("dmm", "before"))
        await asyncio.sleep(0)
        assert await manager.query_many("dmm", list(MANY)) == list(MANY.values())
        assert await sending
        assert await manager.query_many("dmm", []) == []
        sent = await manager.call_command("dmm", "sent_items")
        assert sent == ["before", *MANY]

    with_shared_manager(work, mock("dmm", answers=MANY))


@BOTH_WAYS
def test_a_question_without_an_answer_is_one_failure_and_the_others_are_answered() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        with pytest.raises(PartlyFailedError, match=r"1 of 4 questions to 'dmm'") as raised:
            await manager.query_many("dmm", ["0?", "1?", "2?", "3?"], timeout=0.2)
        assert codes(raised.value.results) == [
            "answer to 0?",
            FailureCode.TIMEOUT,
            "answer to 2?",
            "answer to 3?",
        ]
        [error] = raised.value.exceptions
        assert error.failure is raised.value.results[1]
        assert error.failure.outcome is Outcome.UNKNOWN

    with_shared_manager(work, mock("dmm", answers=MANY, faults=[{**LOST, "after": 1}]))


def test_without_strict_what_is_not_answered_is_none_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work(manager: ExternalSystemManager) -> None:
        caplog.set_level(logging.WARNING)
        assert await manager.query_many("dmm", ["0?", "1?"], timeout=0.2) == [None, "answer to 1?"]
        assert await manager.query_many("nobody", ["a", "b"]) == [None, None]
        [one, other] = [record.getMessage() for record in caplog.records]
        assert one == "dmm: no answer within 0.2 s (1 of 2)"
        assert "no such system" in other
        assert other.endswith("(2 of 2)")

    with_shared_manager(work, mock("dmm", answers=MANY, faults=[LOST]), strict=False)


def test_questions_that_wait_for_others_of_the_same_call_do_not_run_out_of_time() -> None:
    """Three times as long as one request may take."""
    impatient = SupervisorOptions(request_timeout=0.5, log_level=LogLevel.CRITICAL)
    slow = {"operation": "answer", "action": "delay", "seconds": 0.1, "times": "always"}

    async def work(manager: ExternalSystemManager) -> None:
        manager._options = impatient
        asked = list(MANY)[:15]
        assert await manager.query_many("dmm", asked) == [MANY[each] for each in asked]

    with_shared_manager(work, mock("dmm", answers=MANY, faults=[slow]), options=impatient)


def test_a_system_that_answers_several_at_once_is_asked_so_many_at_once() -> None:
    system = Bus("bus", {})

    async def work(manager: ExternalSystemManager) -> None:
        await system.connect()
        questions = list(range(2 * QUESTIONS_OUT))
        assert await manager.query_many("bus", questions) == [-n for n in questions]

    with_shared_manager(work, system)


def test_a_handle_and_an_object_in_no_runtime_are_asked_many_questions_alike() -> None:
    system = MockExternalSystem("dmm", {"answers": MANY, "faults": [{**LOST, "after": 3}]})

    async def alone() -> None:
        await system.connect()
        answers = await system.query_many(["0?", "1?"])
        assert answers == ["answer to 0?", "answer to 1?"]
        last, none = await system.query_many(["2?", "3?"], timeout=0.05)
        assert last == "answer to 2?"
        assert isinstance(none, ConnectorError)
        await system.disconnect()

    async def work(manager: ExternalSystemManager) -> None:
        await system.connect()
        assert await system.query_many(["0?", "1?"]) == ["answer to 0?", "answer to 1?"]

    asyncio.run(alone())
    with_shared_manager(work, system)


def test_a_call_that_is_cancelled_asks_no_more() -> None:
    slow = {"operation": "answer", "action": "delay", "seconds": 30, "times": "always"}

    async def work(manager: ExternalSystemManager) -> None:
        asking = asyncio.create_task(manager.query_many("dmm", list(MANY)))
        while await manager.call_command("dmm", "sent_count") == 0:
            pass
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await manager.call_command("dmm", "sent_count") < 1 + QUESTIONS_OUT

    with_shared_manager(work, mock("dmm", answers=MANY, faults=[slow]))


# ---- one item to many systems -----------------------------------------------------------


PLANT = [mock(name, echo=True) for name in ("pump", "plc-2", "plc-1")]


@BOTH_WAYS
def test_an_item_goes_to_all_that_a_pattern_a_name_or_a_list_means() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        done = await manager.broadcast("plc-*", {"speed": 3})
        assert list(done.items()) == [("plc-2", True), ("plc-1", True)]
        done = await manager.broadcast(["pump", "plc-?", "plc-1"], "go")
        assert list(done.items()) == [("pump", True), ("plc-2", True), ("plc-1", True)]
        assert await manager.broadcast("pump", b"alone") == {"pump": True}
        assert await manager.broadcast([], "nobody") == {}
        got = await manager.receive_many_from_system("plc-1", 9)
        assert got == [{"speed": 3}, "go"]
        assert await manager.receive_many_from_system("pump", 9) == ["go", b"alone"]

    with_shared_manager(work, *PLANT)


@BOTH_WAYS
def test_who_does_not_take_it_or_is_not_there_has_its_own_result() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        with pytest.raises(PartlyFailedError, match=r"3 of 5 systems were not sent to") as raised:
            await manager.broadcast(["plc-*", "off", "vavle", "tank-*"], "go")
        results = raised.value.results
        assert list(results) == ["plc-2", "plc-1", "off", "vavle", "tank-*"]
        assert codes(results.values()) == [
            True,
            True,
            FailureCode.NOT_CONNECTED,
            FailureCode.UNKNOWN_SYSTEM,
            FailureCode.UNKNOWN_SYSTEM,
        ]
        assert results["tank-*"].text == "tank-*: no system's name matches this pattern"
        assert "no such system; did you mean 'valve'?" in results["vavle"].text
        assert {type(each) for each in raised.value.exceptions} == {
            NotConnectedError,
            UnknownSystemError,
        }
        assert await manager.receive_data_from_system("plc-1") == "go"

    systems = [*PLANT[1:], mock("off", connect=False), mock("valve", connect=False)]
    with_shared_manager(work, *systems)


def test_without_strict_what_failed_is_false_and_each_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work(manager: ExternalSystemManager) -> None:
        caplog.set_level(logging.WARNING)
        done = await manager.broadcast(["pump", "off", "tank-*"], "go")
        assert done == {"pump": True, "off": False, "tank-*": False}
        said = [record.getMessage() for record in caplog.records]
        assert [each.partition(":")[0] for each in said] == ["off", "tank-*"]
        assert await manager.broadcast(["pump", "off"], lambda: asyncio) == {
            "pump": True,
            "off": False,
        }
        with pytest.raises(TypeError, match="meant by its name or a pattern, not 5"):
            await manager.broadcast(5, "go")

    with_shared_manager(work, PLANT[0], mock("off", connect=False), strict=False)


def test_a_group_is_no_system_that_a_pattern_means() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        from supervisor import GroupSpec

        await manager.start_child(GroupSpec("plc-line", children=(PLANT[2],)))
        assert await manager.broadcast("plc-*", "go") == {"plc-1": True}

    with_shared_manager(work)


def test_a_slow_system_holds_up_no_other() -> None:
    slow = {"operation": "send", "action": "delay", "seconds": 60}

    async def work(manager: ExternalSystemManager) -> None:
        sending = asyncio.create_task(manager.broadcast("*", "go"))
        assert await manager.receive_data_from_system("pump", timeout=10) == "go"
        assert not sending.done()
        sending.cancel()

    with_shared_manager(work, mock("slow", faults=[slow]), PLANT[0])


@BOTH_WAYS
def test_a_question_to_many_has_the_answer_of_each() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        answers = await manager.broadcast_query("dmm-*", "who?")
        assert answers == {"dmm-1": "one", "dmm-2": "two"}
        with pytest.raises(PartlyFailedError, match="2 of 4 systems did not answer") as raised:
            await manager.broadcast_query(["dmm-*", "pump", "tank-*"], "else?", timeout=0.1)
        assert codes(raised.value.results.values())[-2:] == [
            FailureCode.TIMEOUT,
            FailureCode.UNKNOWN_SYSTEM,
        ]

    with_shared_manager(
        work,
        mock("dmm-1", answers={"who?": "one", "else?": "1"}),
        mock("dmm-2", answers={"who?": "two", "else?": "2"}),
        mock("pump"),
    )


def test_a_synchronous_manager_has_all_of_it() -> None:
    with SynchronousManager(options=QUIET) as manager:
        manager.register_system(mock("dmm", answers=MANY))
        assert manager.query_many("dmm", ["0?", "1?"]) == ["answer to 0?", "answer to 1?"]
        assert manager.broadcast("d*", "go") == {"dmm": True}
        assert manager.broadcast_query(["dmm", "x"], "2?") == {"dmm": "answer to 2?", "x": None}


# ---- single sends that go out together --------------------------------------------------


class Historian(MockExternalSystem):
    """Has a bulk operation, and remembers how many items each call of it had."""

    def __init__(self, name: str, details: dict[str, Any]) -> None:
        super().__init__(name, details)
        self.counts: list[int] = []

    async def send_many(self, items: Sequence[Any]) -> list[bool | ConnectorError]:
        self.counts.append(len(items))
        if "hang" in items:
            await asyncio.Event().wait()
        return [ItemRefusedError("it is bad") if each == "bad" else True for each in items]

    @command
    async def calls(self) -> list[int]:
        return self.counts


@BOTH_WAYS
def test_sends_of_many_tasks_go_out_with_few_calls_and_each_has_its_own_result() -> None:
    historian = Historian("h", {})

    async def work(manager: ExternalSystemManager) -> None:
        batch = Policy(batch=Batch(max_items=10, linger=0.2))
        assert manager.register_system(historian, policy=batch)
        await historian.connect()
        items = [*range(18), "bad", 19]
        sent = await asyncio.gather(
            *(historian.send_data(item) for item in items), return_exceptions=True
        )
        assert [each is True for each in sent] == [item != "bad" for item in items]
        assert isinstance(sent[18], ConnectorFailedError)
        assert sent[18].failure.outcome is Outcome.NOT_SENT
        assert await historian.calls() == [10, 10]
        assert await historian.send_many(range(25)) == [True] * 25
        assert await historian.calls() == [10, 10, 10, 10, 5]

    with_shared_manager(work)


@BOTH_WAYS
def test_a_process_that_is_killed_over_a_call_fails_all_that_were_in_it_as_unknown() -> None:
    historian = Historian("h", {})

    async def work(manager: ExternalSystemManager) -> None:
        batch = Policy(batch=Batch(linger=0.1))
        assert manager.register_system(historian, policy=batch)
        await historian.connect()
        items = ["a", "hang", "b"]
        sending = [asyncio.create_task(historian.send_data(item)) for item in items]
        while sum(await historian.calls()) < 3:
            await asyncio.sleep(0.01)
        os.kill(await pid_of(manager, "h"), signal.SIGKILL)
        for each in await asyncio.gather(*sending, return_exceptions=True):
            assert isinstance(each, SystemCrashedError)
            assert each.failure.outcome is Outcome.UNKNOWN
        await until_state(manager, "h", SystemState.CONNECTED, incarnation=2)
        assert await historian.send_data("again") is True

    with_shared_manager(work)


# ---- what is raised ---------------------------------------------------------------------


def test_the_error_of_several_stays_whole_when_it_is_split_or_pickled() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        with pytest.raises(PartlyFailedError) as raised:
            await manager.broadcast(["a", "b"], "secret")
        error = raised.value
        assert "secret" not in repr(error)
        part, _ = error.split(lambda each: "a:" in str(each))
        assert isinstance(part, PartlyFailedError)
        assert len(part.exceptions) == 1
        assert part.results == error.results
        again = pickle.loads(pickle.dumps(error))
        assert (str(again), again.results) == (str(error), error.results)

    with_shared_manager(work)


def test_items_that_are_not_sent_are_told_from_those_that_are() -> None:
    refusing = {"operation": "send", "action": "refuse", "after": 1}

    async def work(manager: ExternalSystemManager) -> None:
        with pytest.raises(PartlyFailedError, match="1 of 3 items were not sent") as raised:
            await manager.send_many_to_system("pump", [1, 2, 3])
        assert codes(raised.value.results) == [True, FailureCode.CONNECTOR_ERROR, True]

    with_shared_manager(work, mock("pump", faults=[refusing]))
