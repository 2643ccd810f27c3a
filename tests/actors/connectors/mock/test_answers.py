"""What a mock system answers, when, and whether at all."""

import asyncio
import pickle

import pytest

from actors import MockExternalSystem, NoAnswerError
from actors.errors import ActorSetupError
from tests.helpers.bench import scenario

IDENTITY = "ACME,MOCK,1,1.0"


def asked(work):
    """A test of a connected system with a script of answers."""

    @scenario
    async def play():
        system = MockExternalSystem("plc", {"answers": {"*IDN?": IDENTITY}})
        await system.connect()
        await work(system)

    play()


def test_a_question_of_its_script_is_answered_and_another_is_not():
    async def work(system):
        assert await system.query_data("*IDN?", 1.0) == IDENTITY
        assert await system.send_data("VOLT 5") is True
        with pytest.raises(NoAnswerError):
            await system.query_data("VOLT?", 1.0)
        assert await system.sent_items() == ["*IDN?", "VOLT 5", "VOLT?"]

    asked(work)


def test_a_function_answers_what_it_likes():
    @scenario
    async def play():
        system = MockExternalSystem("plc", {}, answers=lambda item: item * 2 if item else None)
        await system.connect()
        assert await system.query_data(21, 1.0) == 42
        with pytest.raises(NoAnswerError):
            await system.query_data(0, 1.0)

    play()


def test_an_answer_can_be_late():
    async def work(system):
        await system.inject_fault("answer", "delay", seconds=2.0)
        with pytest.raises(NoAnswerError):
            await system.query_data("*IDN?", 0.5)
        assert await system.query_data("*IDN?", 0.5) == IDENTITY
        await system.inject_fault("answer", "delay", seconds=0.2)
        assert await system.query_data("*IDN?", 0.5) == IDENTITY

    asked(work)


def test_what_it_has_still_to_say_ends_with_the_connection():
    async def work(system):
        await system.inject_fault("answer", "delay", seconds=1.0)
        await system.send_data("*IDN?")
        await system.disconnect()
        await system.connect()
        await asyncio.sleep(1.5)
        assert await system.receive_data() is None

    asked(work)


def test_an_answer_can_be_lost_with_the_connection():
    async def work(system):
        reasons = []
        system._extsys_on_loss = reasons.append
        await system.inject_fault("answer", "lose_connection")
        await system.send_data("*IDN?")
        await asyncio.sleep(0.1)
        assert not system.is_connected
        assert [type(each) for each in reasons] == [ConnectionResetError]

    asked(work)


def test_a_table_as_question_is_none_and_harms_nobody():
    async def work(system):
        assert await system.send_data({"a": []}) is True

    asked(work)


def test_an_object_pickles_with_its_answers():
    async def work(system):
        copy = pickle.loads(pickle.dumps(system))
        await copy.connect()
        assert await copy.query_data("*IDN?", 1.0) == IDENTITY

    asked(work)


def test_an_answer_cannot_fail():
    fault = {"operation": "answer", "action": "fail"}
    with pytest.raises(ActorSetupError, match="must not be fail, as nobody calls for an answer"):
        MockExternalSystem("plc", {"faults": [fault]})


def test_answers_are_a_table():
    with pytest.raises(ActorSetupError, match="answers: must be a table of questions with their"):
        MockExternalSystem("plc", {"answers": ["a"]})
