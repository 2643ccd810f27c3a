"""The journal in a process of its own, with its parent in another."""

import os
import signal
import stat

import psutil
import pytest

from actors.messages import Failure
from supervisor.messages.journal import (
    BeginAttempt,
    Bury,
    DeadLettersLoaded,
    Delivered,
    JournalFailed,
    JournalMeasured,
    JournalOpened,
    Load,
    LoadDeadLetters,
    Loaded,
    LoadFailed,
    LoadReceived,
    MeasureJournal,
    OpenJournal,
    ReceivedLoaded,
    Write,
    WriteRefused,
    Written,
)
from supervisor.runtime.journal_actor import JournalActor
from tests.helpers.leaks import no_leaks
from tests.helpers.parent import actor_system, family
from tests.helpers.stores import NOW, accept, keep


@pytest.fixture(scope="module")
def host():
    with no_leaks(), actor_system() as host:
        yield host


@pytest.fixture
def place(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def journal(host):
    with family(host, JournalActor) as one:
        yield one


@pytest.fixture
def next_one(host):
    with family(host, JournalActor) as one:
        yield one


def open_it(journal, place):
    journal.tell(OpenJournal(str(place)))
    return journal.hear(JournalOpened)


def write(journal, number, *operations):
    journal.tell(Write(number, operations))
    assert journal.hear(Written).number == number


def load(journal, number=1):
    journal.tell(Load(number, "plc"))
    loaded = journal.hear(Loaded)
    assert loaded.number == number
    return loaded.entries


def test_it_opens_writes_and_gives_what_it_holds(journal, place):
    opened = open_it(journal, place)
    assert (opened.next_id, opened.last_write, opened.depths) == (1, 0, ())
    assert opened.pid != os.getpid()
    assert psutil.Process(opened.pid).ppid() == journal.parent_pid
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    write(journal, 1, *accept(1, 2, 3), *keep(1))
    write(journal, 2, BeginAttempt((1,)), Delivered((1,), NOW), Bury(3, "no", NOW))
    assert [entry.id for entry in load(journal, 7)] == [2]
    journal.tell(LoadDeadLetters(8))
    letters = journal.hear(DeadLettersLoaded)
    assert [(letter.entry.id, letter.why) for letter in letters.letters] == [(3, "no")]
    journal.tell(LoadReceived(9, "plc"))
    assert [item.id for item in journal.hear(ReceivedLoaded).items] == [1]
    journal.tell(MeasureJournal(10))
    [depth] = journal.hear(JournalMeasured).depths
    assert (depth.waiting, depth.dead, depth.received) == (1, 1, 1)


def test_what_was_written_is_there_after_a_kill(journal, next_one, place):
    opened = open_it(journal, place)
    write(journal, 1, *accept(1, 2))
    os.kill(opened.pid, signal.SIGKILL)
    journal.wait_for_exit()
    again = open_it(next_one, place)
    assert (again.journal_id, again.next_id, again.last_write) == (opened.journal_id, 3, 1)
    assert again.depths[0].waiting == 2
    write(next_one, 1, *accept(1, 2))  # whose answer was lost
    assert [entry.id for entry in load(next_one)] == [1, 2]


def test_it_waits_for_one_that_is_about_to_end(journal, next_one, place):
    opened = open_it(journal, place)
    next_one.tell(OpenJournal(str(place)))
    os.kill(opened.pid, signal.SIGKILL)
    assert next_one.hear(JournalOpened).journal_id == opened.journal_id


def test_its_end_in_order_leaves_one_file(host, place):
    with family(host, JournalActor) as journal:
        opened = open_it(journal, place)
        write(journal, 1, *accept(1))
        os.kill(opened.pid, signal.SIGTERM)
        journal.wait_for_exit()
    assert [each.name for each in place.iterdir()] == ["journal.db"]


def test_what_cannot_be_written_is_refused_and_the_next_is_written(journal, place):
    open_it(journal, place)
    journal.tell(Write(1, accept(2, 1)))
    refused = journal.hear(WriteRefused)
    assert (refused.number, "the next id is 3" in refused.text) == (1, True)
    write(journal, 2, *accept(1))
    assert [entry.id for entry in load(journal)] == [1]


def test_one_that_cannot_be_opened_says_why_and_can_be_told_again(journal, place):
    place.mkdir(0o755)
    place.chmod(0o755)
    journal.tell(OpenJournal(str(place)))
    assert "chmod 700" in journal.hear(JournalFailed).text
    journal.tell(Write(1, ()))
    assert "not open" in journal.hear(WriteRefused).text
    journal.tell(Load(1, "plc"))
    assert "not open" in journal.hear(LoadFailed).text
    place.chmod(0o700)
    open_it(journal, place)


def test_one_whose_file_was_removed_says_so_and_ends(journal, next_one, place):
    open_it(journal, place)
    write(journal, 1, *accept(1))
    (place / "journal.db").unlink()
    journal.tell(Write(2, accept(2)))
    assert "was removed" in journal.hear(JournalFailed).text
    journal.wait_for_exit()
    assert open_it(next_one, place).next_id == 1


def test_a_bug_is_answered(journal, place):
    open_it(journal, place)
    journal.tell(Write(1, (*accept(1), Delivered(None, NOW))))
    refused = journal.hear(WriteRefused)
    assert "a bug of extsys: TypeError" in refused.text
    assert load(journal) == ()
    journal.tell(Load(3, b"plc", after="x"))
    assert journal.hear((Loaded, LoadFailed)).number == 3
    write(journal, 2, *accept(1))


def test_what_it_does_not_understand_is_refused(journal, place):
    journal.tell("what?")
    assert journal.hear(Failure).text == "a journal does not hear str from everybody"
    open_it(journal, place)
