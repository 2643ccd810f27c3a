"""What is asked of a supervisor about dead letters, with a real journal."""

import shutil

import attrs
import pytest

from actors.messages import Failure, FailureCode, ManySent, SendData, SendMany
from supervisor.durable.entry import DeadLetter, Entry, StoredData
from supervisor.messages.dead_letters import (
    DeadLettersDone,
    DeadLettersGiven,
    DiscardDeadLetters,
    ImportDeadLetters,
    ListDeadLetters,
    RetryDeadLetters,
)
from supervisor.specs.durable import DurablePolicy
from tests.helpers.stored_plants import StoredPlant
from tests.helpers.stores import NOW, dead, in_memory, waiting

SKIP = DurablePolicy(max_attempts=1)
BLOCK = DurablePolicy(max_attempts=1, on_dead="block")


@pytest.fixture
def place():
    path = in_memory()
    yield path
    shutil.rmtree(path)


@pytest.fixture
def plant(place):
    plant = StoredPlant(place)
    yield plant
    plant.close()


def begin(plant, durable=SKIP):
    actor = plant.register(connect=True, durable=durable)
    actor.connect()
    return actor


def asked(actor):
    return [each for each in actor.requests if isinstance(each, SendMany)]


def refuse(plant, actor):
    """Have the first of what it was asked to send last be what its device refuses, and the wait
    after that be over."""
    request = asked(actor)[-1]
    failure = Failure.to(request, "plc", FailureCode.CONNECTOR_ERROR, "it says no")
    actor.answer(request, ManySent, results=(failure,))
    plant.advance(2)


def with_dead_letters(plant, *data):
    """The system, with so many dead letters."""
    actor = begin(plant)
    for each in data:
        plant.tell(SendData("plc", each))
        refuse(plant, actor)
    assert dead(plant.store) == list(range(1, len(data) + 1))
    return actor


def ask(plant, request):
    plant.tell(request)
    return plant.reply(request)


def given(plant, **which):
    reply = ask(plant, ListDeadLetters(**which))
    assert isinstance(reply, DeadLettersGiven)
    return [each.entry.id for each in reply.letters]


def test_they_are_given_with_their_data_and_history(plant):
    with_dead_letters(plant, b"one", b"two")
    reply = ask(plant, ListDeadLetters())
    one, two = reply.letters
    assert (one.entry.data.wrapped(), two.entry.data.wrapped()) == (b"one", b"two")
    assert one.entry.history[0].why == "it says no"
    assert one.entry.delivery_id(reply.journal_id) == f"{plant.store.about.journal_id}-1"
    assert given(plant, ids=(2, 9)) == given(plant, after=1) == [2]
    assert given(plant, system_name="pump") == []


def test_what_is_retried_is_delivered_before_what_was_accepted_later(plant):
    actor = with_dead_letters(plant, b"one", b"two")
    plant.tell(SendData("plc", b"three"))
    plant.tell(SendData("plc", b"four"))
    assert asked(actor)[-1].items == (b"three",)
    assert ask(plant, RetryDeadLetters(ids=(2,))).ids == (2,)
    actor.answer(asked(actor)[-1], ManySent, results=(True,))
    assert asked(actor)[-1].items == (b"two", b"four")
    actor.answer(asked(actor)[-1], ManySent, results=(True, True))
    assert (waiting(plant.store), dead(plant.store)) == ([], [1])
    assert plant.core._outbox.waiting("plc") == 0


def test_all_of_a_system_are_retried(plant):
    actor = with_dead_letters(plant, b"one", b"two")
    assert ask(plant, RetryDeadLetters(system_name="pump")).ids == ()
    assert ask(plant, RetryDeadLetters(system_name="plc")).ids == (1, 2)
    assert asked(actor)[-1].items == (b"one", b"two")


def test_one_that_fails_again_is_a_dead_letter_again(plant):
    actor = with_dead_letters(plant, b"one")
    ask(plant, RetryDeadLetters(ids=(1,)))
    refuse(plant, actor)
    [letter] = ask(plant, ListDeadLetters()).letters
    assert (letter.entry.attempts, len(letter.entry.history)) == (1, 2)


def test_they_are_discarded(plant):
    with_dead_letters(plant, b"one", b"two")
    request = DiscardDeadLetters(ids=(1,))
    assert ask(plant, request) == DeadLettersDone(request_id=request.request_id, ids=(1,))
    assert ask(plant, DiscardDeadLetters()).ids == (2,)
    assert dead(plant.store) == []


@pytest.mark.parametrize("order", [RetryDeadLetters, DiscardDeadLetters])
def test_of_what_is_none_nothing_is_done(plant, order):
    with_dead_letters(plant, b"one")
    plant.tell(SendData("plc", b"two"))
    reply = ask(plant, order(ids=(1, 2)))
    assert (reply.code, reply.text) == (
        FailureCode.NOT_FOUND,
        "there is no dead letter 2; nothing was done",
    )
    assert dead(plant.store) == [1]


@pytest.mark.parametrize("order", [RetryDeadLetters, DiscardDeadLetters])
def test_what_blocks_its_outbox_is_a_dead_letter_too(plant, order):
    actor = begin(plant, BLOCK)
    plant.tell(SendData("plc", b"one"))
    refuse(plant, actor)
    plant.tell(SendData("plc", b"two"))
    assert len(asked(actor)) == 1
    assert given(plant) == given(plant, ids=(1,)) == given(plant, system_name="plc") == [1]
    assert given(plant, after=1) == given(plant, system_name="pump") == []
    plant.advance(60)
    assert ask(plant, order(ids=(1,))).ids == (1,)
    retries = order is RetryDeadLetters
    assert asked(actor)[-1].items == ((b"one", b"two") if retries else (b"two",))
    assert plant.core._outbox.waiting("plc") == (2 if retries else 1)


def test_orders_are_carried_out_one_after_the_other(plant):
    actor = with_dead_letters(plant, b"one")
    plant.holds_journal = True
    first, second, third = (
        RetryDeadLetters(ids=(1,)),
        DiscardDeadLetters(),
        RetryDeadLetters(ids=(1,)),
    )
    for each in (first, second, third):
        plant.tell(each)
    plant.holds_journal = False
    plant.carry_out()
    assert plant.reply(first).ids == (1,)
    assert plant.reply(second).ids == ()
    assert plant.reply(third).code is FailureCode.NOT_FOUND
    assert asked(actor)[-1].items == (b"one",)


def test_dead_letters_of_another_journal_are_taken_in_once(plant):
    begin(plant)
    plant.tell(SendData("plc", b"first"))
    letter = DeadLetter(
        Entry(7, "plc", StoredData.of("late"), NOW, 3, origin="4f-7"), "it was late", NOW
    )
    assert ask(plant, ImportDeadLetters((letter, letter))).ids == (2,)
    assert ask(plant, ImportDeadLetters([letter])).ids == ()
    [taken] = ask(plant, ListDeadLetters()).letters
    assert taken == attrs.evolve(letter, entry=attrs.evolve(letter.entry, id=2))
    plant.tell(SendData("plc", b"next"))
    assert waiting(plant.store) == [1, 5]


def test_they_are_taken_in_where_there_was_no_journal(plant):
    letter = DeadLetter(Entry(7, "plc", StoredData.of("late"), NOW, origin="4f-7"), "", NOW)
    assert ask(plant, ImportDeadLetters((letter,))).ids == (1,)
    assert ask(plant, RetryDeadLetters()).ids == (1,)
    actor = begin(plant)
    assert asked(actor)[-1].items == ("late",)


def test_where_there_is_no_journal_there_are_none(plant):
    assert given(plant) == []
    assert ask(plant, DiscardDeadLetters()).ids == ()
    assert ask(plant, RetryDeadLetters(ids=(1,))).code is FailureCode.NOT_FOUND
    assert plant.journal is None


def test_without_a_state_directory_that_is_said(place):
    plant = StoredPlant(place, state_dir=None)
    reply = ask(plant, ListDeadLetters())
    assert (reply.code, "name one" in reply.text) == (FailureCode.INVALID_REQUEST, True)


def test_a_journal_that_ends_meanwhile_is_asked_again(plant):
    with_dead_letters(plant, b"one")
    plant.holds_journal = True
    request = DiscardDeadLetters(ids=(1,))
    plant.tell(request)
    plant.kill_journal()
    assert plant.replies(request) == []
    plant.holds_journal = False
    plant.advance(5)
    assert plant.reply(request).ids == (1,)


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (RetryDeadLetters(ids=(0,)), "ids are whole numbers greater than 0"),
        (DiscardDeadLetters(ids=("1",)), "ids are whole numbers greater than 0"),
        (ListDeadLetters(after=None), "after is the id of an entry"),
        (ListDeadLetters(system_name=7), "system_name: "),
        (ImportDeadLetters((7,)), "letters is a sequence of dead letters"),
        (
            ImportDeadLetters([DeadLetter(Entry(1, "plc", StoredData.of(1), NOW), "", NOW)]),
            "whose entries have an origin",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_makes_no_sense_is_refused(plant, request_, why):
    reply = ask(plant, request_)
    assert reply.code is FailureCode.INVALID_REQUEST
    assert why in reply.text
