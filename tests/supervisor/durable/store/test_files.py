"""Where a journal is, who has it, and how it is read while nobody has."""

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from supervisor.durable.store.errors import HeldJournalError, JournalError, NoJournalError
from supervisor.durable.store.files import (
    HeldJournal,
    connection_to_read,
    default_state_directory,
    journal_to_read,
)
from supervisor.durable.store.schema import STEPS, VERSION, migrate
from supervisor.messages.journal import Delivered
from tests.helpers.programs import ROOT
from tests.helpers.stores import NOW, accept, waiting


@pytest.fixture
def place(tmp_path):
    return tmp_path / "state" / "extsys"


def held(place, **given):
    return HeldJournal(str(place), patience=0.0, **given)


def crashed(place, ids=(1, 2)):
    """A journal whose process was killed: its log holds what the file does not."""
    program = (
        "import os, signal, sys\n"
        "from supervisor.durable.store.files import HeldJournal\n"
        "from tests.helpers.stores import accept\n"
        "journal = HeldJournal(sys.argv[1])\n"
        "journal.store.write(1, accept(*map(int, sys.argv[2:])))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    run = [sys.executable, "-c", program, str(place), *map(str, ids)]
    assert subprocess.run(run, cwd=ROOT, check=False, timeout=60).returncode == -9


def contents(place):
    return {each.name: each.read_bytes() for each in place.iterdir()}


def test_it_is_made_for_this_user_alone(place):
    journal = held(place)
    journal.store.write(1, accept(1))
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in place.iterdir()}
    assert modes == dict.fromkeys(("journal.db", "journal.db-wal", "journal.db-shm"), 0o600)
    journal.close()
    assert [each.name for each in place.iterdir()] == ["journal.db"]


def test_one_process_at_a_time_has_it(place):
    journal = held(place)
    with pytest.raises(HeldJournalError, match=rf"process {os.getpid()} has the journal in .*stop"):
        held(place)
    journal.close()
    held(place).close()


def test_a_journal_that_cannot_be_opened_is_let_go(place):
    held(place).close()
    (place / "journal.db").write_bytes(b"not a database")
    for _ in range(2):
        with pytest.raises(JournalError, match="no journal"):
            held(place)


def test_whoever_lets_go_soon_is_waited_for(place):
    journal = held(place)
    # SQLite's connections are of one thread each; only the directory is let go in the other.
    timer = threading.Timer(0.1, journal._held.close)
    timer.start()
    second = HeldJournal(str(place), patience=30.0)
    timer.join()
    second.close()
    journal.store.close()


@pytest.mark.parametrize("make", [True, False])
def test_a_directory_that_others_may_enter_is_refused(place, make):
    held(place).close()
    place.chmod(0o755)
    with pytest.raises(JournalError, match=r"others may enter .* run 'chmod 700"):
        held(place, make=make)
    with pytest.raises(JournalError, match="others may enter"), journal_to_read(str(place)):
        pass


def test_without_making_one_there_is_none(place):
    with pytest.raises(NoJournalError, match="there is no journal in"):
        held(place, make=False)
    with pytest.raises(NoJournalError), journal_to_read(str(place)):
        pass
    assert not place.parent.exists()
    place.mkdir(0o700, parents=True)
    with pytest.raises(NoJournalError), journal_to_read(str(place)):
        pass
    (place / "journal.db").touch()
    with pytest.raises(NoJournalError), journal_to_read(str(place)):
        pass
    assert contents(place) == {"journal.db": b""}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_another_users_journal_is_refused(place):
    held(place).close()
    os.chown(place / "journal.db", 12345, -1)
    with pytest.raises(JournalError, match="belongs to user id 12345; run as that user"):
        held(place)
    os.chown(place, 12345, -1)
    with pytest.raises(JournalError, match="belongs to user id 12345"):
        held(place)
    with pytest.raises(JournalError, match="belongs to user id 12345"), journal_to_read(str(place)):
        pass


def test_a_link_is_not_followed(place):
    held(place).close()
    elsewhere = place.parent / "elsewhere"
    (place / "journal.db").rename(elsewhere)
    (place / "journal.db").symlink_to(elsewhere)
    with pytest.raises(JournalError, match="cannot be opened"):
        held(place)


# ---- reading -------------------------------------------------------------------------------


def test_it_is_read_while_nobody_has_it_and_nothing_is_made(place):
    journal = held(place)
    journal.store.write(1, accept(1, 2))
    journal.close()
    before = contents(place)
    with journal_to_read(str(place)) as reader:
        assert waiting(reader) == [1, 2]
        assert contents(place) == before
    assert contents(place) == before


def test_it_is_read_after_its_process_was_killed_and_nothing_is_made(place):
    crashed(place)
    (place / "journal.db-shm").unlink()
    before = contents(place)
    assert before["journal.db-wal"]
    with journal_to_read(str(place)) as reader:
        assert waiting(reader) == [1, 2]
    assert contents(place) == before
    journal = held(place)
    assert waiting(journal.store) == [1, 2]
    journal.close()


def test_it_is_read_while_somebody_writes_it(place):
    journal = held(place)
    journal.store.write(1, accept(1, 2))
    with journal_to_read(str(place)) as reader:
        assert waiting(reader) == [1, 2]
        journal.store.write(2, [Delivered((1,), NOW), *accept(3)])
        assert waiting(reader) == [2, 3]
    journal.store.write(3, accept(4))
    journal.close()


def test_who_reads_it_keeps_others_from_taking_it_meanwhile(place):
    held(place).close()
    with journal_to_read(str(place)), pytest.raises(HeldJournalError):
        held(place)
    held(place).close()


def test_two_can_read_it(place):
    crashed(place)
    with journal_to_read(str(place)) as one, journal_to_read(str(place)) as other:
        assert waiting(one) == waiting(other) == [1, 2]


def test_one_of_an_older_version_is_read_and_left_as_it_is(place):
    place.mkdir(0o700, parents=True)
    path = place / "journal.db"
    path.touch(0o600)
    db = sqlite3.connect(path, isolation_level=None)
    migrate(db, str(path), STEPS[:1])
    db.execute("INSERT INTO systems VALUES (1, 'plc')")
    db.execute("INSERT INTO entries VALUES (1, 1, 'bytes', x'00', 1, 5.0, NULL)")
    db.close()
    before = contents(place)
    with journal_to_read(str(place)) as reader:
        assert waiting(reader) == [1]
        assert reader.load_received("plc") == ((), False)
    assert contents(place) == before


def test_one_of_a_newer_version_is_not_read(place):
    held(place).close()
    db = sqlite3.connect(place / "journal.db", isolation_level=None)
    db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()
    with pytest.raises(JournalError, match="newer extsys"), journal_to_read(str(place)):
        pass


def test_what_is_damaged_is_not_read(place):
    held(place).close()
    (place / "journal.db").write_bytes(b"SQLite format 3\0" + b"\xaa" * 8000)
    with pytest.raises(JournalError, match="damaged"), journal_to_read(str(place)):
        pass


def test_nothing_is_written_through_a_connection_that_reads(place):
    crashed(place)
    with connection_to_read(str(place)) as (_, db), pytest.raises(sqlite3.OperationalError):
        db.execute("DELETE FROM entries")


@pytest.mark.parametrize("name", ["a b", "a%20b", "a?b#c", "ä", "a'b"])
def test_a_path_may_have_any_characters(tmp_path, name):
    place = tmp_path / name
    journal = held(place)
    journal.store.write(1, accept(1))
    journal.close()
    with journal_to_read(str(place)) as reader:
        assert waiting(reader) == [1]
    assert [each.name for each in tmp_path.iterdir()] == [name]


# ---- a disk that fails ---------------------------------------------------------------------

FAILS = """
import resource, sys
from supervisor.durable.store.errors import WriteRefusedError
from supervisor.durable.store.files import HeldJournal
from tests.helpers.stores import accept, waiting

journal = HeldJournal(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
number = 1
try:
    while True:
        journal.store.write(number, accept(number, data=b"x" * 3000))
        number += 1
except WriteRefusedError as error:
    print(error)
assert waiting(journal.store) == list(range(1, number)), waiting(journal.store)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.store.write(number, accept(number))
print(number)
"""


def test_a_disk_that_fails_to_write_refuses_and_the_next_write_goes_on(place):
    run = subprocess.run(
        [sys.executable, "-c", FAILS, str(place)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    why, number = run.stdout.splitlines()
    assert "its disk fails to read or write" in why
    assert 3 < int(number) < 40
    journal = held(place)
    assert waiting(journal.store) == list(range(1, int(number) + 1))
    journal.close()


# ---- where it is ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"STATE_DIRECTORY": "/var/lib/extsys"}, "/var/lib/extsys"),
        ({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}, "/var/lib/a"),
        ({"XDG_STATE_HOME": "/state"}, "/state/extsys"),
        ({"XDG_STATE_HOME": "relative"}, "/home/me/.local/state/extsys"),
        ({}, "/home/me/.local/state/extsys"),
    ],
    ids=str,
)
def test_the_usual_directory(monkeypatch, environment, expected):
    for name in ("STATE_DIRECTORY", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/me")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert default_state_directory() == Path(expected)
