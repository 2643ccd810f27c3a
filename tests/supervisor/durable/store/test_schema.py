"""Journals of other versions, and of other programs."""

import sqlite3
from contextlib import closing

import pytest

from supervisor.durable.store.errors import JournalError
from supervisor.durable.store.schema import APPLICATION_ID, STEPS, VERSION, migrate
from supervisor.durable.store.store import Store
from supervisor.messages.journal import Revive
from tests.helpers.stores import NOW, accept, dead, keep, opened, waiting


def connected(path):
    return closing(sqlite3.connect(path, isolation_level=None))


def dumped(path):
    with connected(path) as db:
        return sorted(db.iterdump())


CONTENT = f"""
    UPDATE about SET journal_id = '4f', next_id = 4, last_write = 9;
    INSERT INTO systems VALUES (1, 'plc');
    INSERT INTO entries VALUES (1, 1, 'text', CAST('warm' AS BLOB), 4, {NOW}, NULL);
    INSERT INTO entries VALUES (2, 1, 'bytes', x'00ff', 2, {NOW}, '2a-7');
    INSERT INTO attempts VALUES (2, 3, 1, 0, '[[1.5, "no", true]]');
    INSERT INTO dead_letters VALUES
        (3, 1, 'json', CAST('[1]' AS BLOB), 3, {NOW}, NULL, 10, 0, '[]', 'ten times', {NOW});
"""


def first_version(path):
    """A journal as the first version of its tables had it, with something in it."""
    with connected(path) as db:
        migrate(db, str(path), STEPS[:1])
        db.executescript(CONTENT)


def version_of(path):
    with connected(path) as db:
        [version] = db.execute("PRAGMA user_version").fetchone()
        [application] = db.execute("PRAGMA application_id").fetchone()
    return version, application


def test_a_journal_of_an_older_version_is_brought_to_this_one(tmp_path):
    path = tmp_path / "journal.db"
    first_version(path)
    assert version_of(path) == (1, APPLICATION_ID)
    with opened(tmp_path) as store:
        about = store.about
        assert (about.journal_id, about.next_id, about.last_write) == ("4f", 4, 9)
        assert about.next_received_id == 1
        one, two = store.load("plc")[0]
        assert (one.data.wrapped(), two.data.wrapped()) == ("warm", b"\x00\xff")
        assert (two.attempts, two.crashes, two.history[0].why, two.origin) == (3, 1, "no", "2a-7")
        assert dead(store) == [3]
        store.write(10, [*accept(4), *keep(1), Revive((3,))])
        assert waiting(store) == [1, 2, 3, 4]
    assert version_of(path) == (VERSION, APPLICATION_ID)


def test_a_migration_that_fails_leaves_the_journal_as_it_was(tmp_path):
    path = tmp_path / "journal.db"
    first_version(path)
    before = dumped(path)
    steps = (*STEPS, "CREATE TABLE more (id INTEGER); INSERT INTO nowhere VALUES (1)")
    with pytest.raises(JournalError, match="no such table: nowhere"):
        Store(str(path), steps=steps)
    assert version_of(path) == (1, APPLICATION_ID)
    assert dumped(path) == before


def test_each_step_leads_to_what_a_new_journal_is(tmp_path):
    tables = "SELECT name, sql FROM sqlite_master ORDER BY name"
    with connected(":memory:") as new, connected(":memory:") as old:
        migrate(new, "new")
        for count in range(1, VERSION + 1):
            migrate(old, "old", STEPS[:count])
        assert new.execute(tables).fetchall() == old.execute(tables).fetchall()


def test_a_journal_of_a_newer_version_is_left_alone(tmp_path):
    path = tmp_path / "journal.db"
    with opened(tmp_path):
        pass
    with connected(path) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(JournalError, match=rf"is of version {VERSION + 1}.*run a newer extsys"):
        Store(str(path))
    assert path.read_bytes() == before


def test_another_programs_database_is_left_alone(tmp_path):
    path = tmp_path / "journal.db"
    with connected(path) as db:
        db.execute("CREATE TABLE diary (day TEXT)")
    before = path.read_bytes()
    with pytest.raises(JournalError, match="another program's database"):
        Store(str(path))
    assert path.read_bytes() == before
