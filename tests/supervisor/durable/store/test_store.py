"""A journal: what is written is there, all of a write or nothing."""

import os
import sqlite3

import attrs
import pytest

from actors.payload import unwrap
from supervisor.durable.entry import (
    HISTORY_KEPT,
    WHY_KEPT,
    DeadLetter,
    Entry,
    FailedAttempt,
    Form,
    OutboxDepth,
    StoredData,
)
from supervisor.durable.store.errors import BrokenJournalError, JournalError, WriteRefusedError
from supervisor.messages.journal import (
    Accept,
    Acknowledged,
    AttemptFailed,
    BeginAttempt,
    Bury,
    Delivered,
    Discard,
    JournalLimits,
    Revive,
    TakeBackAttempt,
    TakeIn,
    Taken,
)
from tests.helpers.stores import (
    NOW,
    Clock,
    accept,
    an_entry,
    dead,
    keep,
    open_store,
    opened,
    waiting,
)


@pytest.fixture
def store(tmp_path):
    with opened(tmp_path) as store:
        yield store


# ---- what is kept --------------------------------------------------------------------------


def test_a_new_journal_is_empty_and_has_an_id_of_its_own(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with opened(tmp_path / "a") as one, opened(tmp_path / "b") as other:
        assert one.about.journal_id != other.about.journal_id
        assert (one.about.next_id, one.about.next_received_id, one.about.last_write) == (1, 1, 0)
        assert one.depths() == ()
        assert waiting(one) == []


def test_what_was_written_is_there_when_it_is_opened_again(tmp_path):
    with opened(tmp_path) as store:
        journal_id = store.about.journal_id
        store.write(7, [*accept(1, data="warm"), *accept(5, name="pump"), *keep(3)])
    with opened(tmp_path) as store:
        about = store.about
        assert about.journal_id == journal_id
        assert (about.next_id, about.next_received_id, about.last_write) == (6, 4, 7)
        assert store.load("plc") == ((an_entry(1, data="warm"),), False)
        assert waiting(store, "pump") == [5]


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (b"\x00\xff", Form.BYTES),
        ("wärm\x00", Form.TEXT),
        (None, Form.JSON),
        ({"a": [1, 2.5, None]}, Form.JSON),
        ({"a": (1, 2)}, Form.PICKLE),
        ("\ud800", Form.JSON),
        (b"", Form.BYTES),
    ],
    ids=repr,
)
def test_data_is_stored_as_what_it_is(store, data, form):
    store.write(1, accept(1, data=data))
    [entry], _ = store.load("plc")
    assert entry.data.form == form
    assert unwrap(entry.data.wrapped()) == data


def test_entries_come_in_order_a_page_at_a_time(store):
    store.write(1, [*accept(1, 2, 3), *accept(4, name="pump"), *accept(5)])
    entries, more = store.load("plc", limit=2)
    assert ([each.id for each in entries], more) == ([1, 2], True)
    entries, more = store.load("plc", after=2, limit=2)
    assert ([each.id for each in entries], more) == ([3, 5], False)
    assert store.load("nobody") == ((), False)


def test_a_page_has_an_end_in_bytes_but_one_entry_in_any_case(store):
    store.write(1, accept(1, 2, 3, data=b"x" * 100))
    assert len(store.load("plc", max_bytes=250)[0]) == 2
    assert len(store.load("plc", max_bytes=1)[0]) == 1


def test_an_entry_that_was_exported_elsewhere_brings_its_past_along(store):
    history = (FailedAttempt(NOW, "no", True),)
    entry = Entry(4, "plc", StoredData.of("a"), NOW, 3, 1, history, origin="4f-9")
    store.write(1, [Accept(entry)])
    assert store.load("plc")[0] == (entry,)


def test_a_commit_is_on_the_disk_when_it_returns(store):
    """SQLite's own promise, for these settings."""
    assert store._db.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
    assert store._db.execute("PRAGMA synchronous").fetchall() == [(2,)]
    assert store._db.execute("PRAGMA fullfsync").fetchall() == [(1,)]


# ---- attempts ------------------------------------------------------------------------------


def test_attempts_are_counted_before_they_are_made(store):
    store.write(1, accept(1, 2))
    store.write(2, [BeginAttempt((1, 2))])
    store.write(3, [AttemptFailed(1, "no", NOW + 1), TakeBackAttempt((2,))])
    store.write(4, [BeginAttempt((1,))])
    one, two = store.load("plc")[0]
    assert (one.attempts, one.under_way) == (2, True)
    assert one.history == (FailedAttempt(NOW + 1, "no"),)
    assert (two.attempts, two.under_way, two.history) == (0, False, ())


def test_an_attempt_is_taken_back_only_if_it_is_under_way(store):
    store.write(1, [*accept(1), BeginAttempt((1,)), AttemptFailed(1, "no", NOW)])
    store.write(2, [TakeBackAttempt((1, 99))])
    assert store.load("plc")[0][0].attempts == 1


def test_crashes_are_counted_and_the_last_causes_kept(store):
    store.write(1, accept(1))
    for number in range(2, HISTORY_KEPT + 6):
        why = f"{number} " + "x" * WHY_KEPT
        store.write(
            number, [BeginAttempt((1,)), AttemptFailed(1, why, NOW + number, number % 2 == 0)]
        )
    [entry] = store.load("plc")[0]
    assert (entry.attempts, entry.crashes) == (HISTORY_KEPT + 4, HISTORY_KEPT // 2 + 2)
    assert [each.at - NOW for each in entry.history] == list(range(6, HISTORY_KEPT + 6))
    assert max(len(each.why) for each in entry.history) == WHY_KEPT


def test_a_cause_may_have_any_characters(store):
    store.write(1, [*accept(1), AttemptFailed(1, "\ud800 \x00", NOW), Bury(1, "\ud800", NOW)])
    assert dead(store) == [1]


def test_what_is_delivered_is_gone(store):
    store.write(1, [*accept(1, 2, 3), BeginAttempt((1, 2))])
    store.write(2, [Delivered((1, 2), NOW)])
    assert waiting(store) == [3]
    store.write(3, [*accept(4), Delivered((3,), NOW)])
    assert waiting(store) == [4]


def test_orders_about_what_is_not_there_do_nothing(store):
    store.write(
        1,
        [
            BeginAttempt((9,)),
            TakeBackAttempt((9,)),
            AttemptFailed(9, "no", NOW),
            Delivered((9,), NOW),
            Bury(9, "no", NOW),
            Revive((9,)),
            Discard((9,)),
            Taken((9,)),
            Acknowledged((9,)),
        ],
    )
    assert store.depths() == ()


# ---- dead letters --------------------------------------------------------------------------


def test_a_dead_letter_keeps_its_history_and_waits_no_more(store):
    store.write(1, accept(1, 2))
    store.write(2, [BeginAttempt((1,)), AttemptFailed(1, "no", NOW, True), Bury(1, "ten", NOW + 5)])
    assert waiting(store) == [2]
    [letter] = store.load_dead_letters()[0]
    assert (letter.why, letter.buried_at) == ("ten", NOW + 5)
    assert (letter.entry.id, letter.entry.attempts, letter.entry.crashes) == (1, 1, 1)
    assert letter.entry.history == (FailedAttempt(NOW, "no", True),)


def test_a_revived_one_is_at_its_old_place_with_nothing_counted(store):
    store.write(1, [*accept(1, 2), BeginAttempt((1,)), AttemptFailed(1, "no", NOW, True)])
    store.write(2, [Bury(1, "ten", NOW)])
    store.write(3, [Revive((1,))])
    one, _two = store.load("plc")[0]
    assert (one.id, one.attempts, one.crashes, len(one.history)) == (1, 0, 0, 1)
    assert dead(store) == []


def test_of_what_waits_attempts_are_counted_anew_when_it_is_revived(store):
    store.write(
        1, [*accept(1), BeginAttempt((1,)), AttemptFailed(1, "no", NOW, True), Revive((1,))]
    )
    [entry] = store.load("plc")[0]
    assert (entry.attempts, entry.crashes, len(entry.history)) == (0, 0, 1)


def test_dead_letters_of_other_journals_are_taken_in_once(store):
    store.write(1, [*accept(1), Bury(1, "no", NOW)])
    own, other = f"{store.about.journal_id}-1", "4f-1"
    letters = [
        DeadLetter(attrs.evolve(an_entry(id_), origin=origin), "late", NOW)
        for id_, origin in ((2, own), (3, other), (4, other), (5, "4f-2"))
    ]
    store.write(2, [TakeIn(letter) for letter in letters])
    assert (waiting(store), dead(store)) == ([], [1, 3, 5])
    store.write(3, [TakeIn(DeadLetter(attrs.evolve(an_entry(6), origin=other), "late", NOW))])
    assert store.about.next_id == 7
    assert store.find_dead_letters() == ((1, "plc", 2), (3, "plc", 2), (5, "plc", 2))
    assert store.find_dead_letters("pump") == store.find_dead_letters(ids=[4]) == ()


def test_what_waits_and_dead_letters_can_be_discarded(store):
    store.write(1, [*accept(1, 2, 3), Bury(2, "no", NOW)])
    store.write(2, [Discard((1, 2))])
    assert (waiting(store), dead(store)) == ([3], [])


def test_dead_letters_are_listed_by_system_and_by_id(store):
    store.write(
        1, [*accept(1, 2, 3), *accept(4, name="pump"), *(Bury(n, "", NOW) for n in (1, 3, 4))]
    )

    def listed(**given):
        return [letter.entry.id for letter in store.load_dead_letters(**given)[0]]

    assert listed() == [1, 3, 4]
    assert listed(system_name="plc") == [1, 3]
    assert listed(ids=(1, 2, 4)) == [1, 4]
    assert listed(ids=()) == []
    assert listed(after=1, limit=1) == [3]


def test_too_many_dead_letters_are_forgotten_the_oldest_first(tmp_path):
    with opened(tmp_path, JournalLimits(max_dead_letters=2)) as store:
        store.write(1, accept(1, 2, 3, 4))
        at = {1: 4, 2: 1, 3: 3, 4: 2}
        assert store.write(2, [Bury(id_, "", NOW + at[id_]) for id_ in (1, 2, 3, 4)]) == 2
        assert dead(store) == [1, 3]


def test_dead_letters_are_forgotten_when_they_are_old(tmp_path):
    clock = Clock()
    with opened(tmp_path, JournalLimits(dead_letters_for=100.0), clock) as store:
        store.write(1, [*accept(1, 2), Bury(1, "", NOW)])
        clock.now += 99
        assert store.write(2, [Bury(2, "", clock.now)]) == 0
        clock.now += 61
        assert store.write(3, []) == 1
        assert dead(store) == [2]


def test_without_a_limit_of_time_dead_letters_stay(tmp_path):
    clock = Clock()
    with opened(tmp_path, JournalLimits(dead_letters_for=None), clock) as store:
        store.write(1, [*accept(1), Bury(1, "", NOW)])
        clock.now *= 2
        assert store.write(2, []) == 0
        assert dead(store) == [1]


# ---- what was received ---------------------------------------------------------------------


def test_received_items_stay_until_they_are_acknowledged(store):
    store.write(1, [*keep(1, 2), *keep(3, name="pump")])
    store.write(2, [Taken((1,)), Taken((1, 2))])
    items, more = store.load_received("plc")
    assert ([(each.id, each.taken) for each in items], more) == ([(1, 2), (2, 1)], False)
    store.write(3, [Acknowledged((1, 3))])
    assert [each.id for each in store.load_received("plc")[0]] == [2]
    assert store.load_received("pump")[0] == ()


# ---- how much there is ---------------------------------------------------------------------


def test_depths_tell_what_there_is_for_each_system(tmp_path):
    clock = Clock()
    with opened(tmp_path, clock=clock) as store:
        store.write(1, accept(1, 2, 3, data=b"1234", at=NOW - 30))
        store.write(2, [*accept(4, name="pump"), *keep(1, name="pump", data=b"12345")])
        store.write(3, [Delivered((1,), NOW), Bury(3, "", NOW)])
        assert store.depths() == (
            OutboxDepth(
                system_name="plc",
                waiting=1,
                waiting_bytes=4,
                oldest_at=NOW - 30,
                dead=1,
                accepted_per_second=3 / 60,
                delivered_per_second=1 / 60,
            ),
            OutboxDepth(
                system_name="pump",
                waiting=1,
                waiting_bytes=2,
                oldest_at=NOW,
                received=1,
                received_bytes=5,
                accepted_per_second=1 / 60,
            ),
        )
        store.write(4, [Delivered((2, 4), NOW), Discard((3,)), Acknowledged((1,))])
        clock.now += 3600
        store.write(5, [])
        assert store.depths() == ()


# ---- writes --------------------------------------------------------------------------------


def test_what_was_written_is_not_written_again(tmp_path):
    with opened(tmp_path) as store:
        store.write(3, [*accept(1), BeginAttempt((1,))])
    with opened(tmp_path) as store:
        store.write(3, [*accept(1), BeginAttempt((1,))])
        store.write(2, accept(8))
        assert [(each.id, each.attempts) for each in store.load("plc")[0]] == [(1, 1)]


def test_an_id_is_never_used_twice(store):
    store.write(1, accept(1, 2))
    store.write(2, [Delivered((1, 2), NOW)])
    with pytest.raises(WriteRefusedError, match=r"cannot hold .* entry 2: the next id is 4"):
        store.write(3, accept(3, 2))
    with pytest.raises(WriteRefusedError, match="item 1"):
        store.write(3, keep(1, 1))
    assert waiting(store) == []


def test_of_a_write_that_fails_nothing_is_there_and_the_next_goes_on(store):
    store.write(1, accept(1))
    with pytest.raises(WriteRefusedError):
        store.write(2, [*accept(2, name="new"), Delivered((1,), NOW), *accept(2)])
    assert (waiting(store), waiting(store, "new")) == ([1], [])
    assert store.about.last_write == 1
    store.write(3, [*accept(2, name="new"), Delivered((1,), NOW)])
    assert (waiting(store), waiting(store, "new")) == ([], [2])


@pytest.mark.parametrize("name", ["\ud800", "x" * 10**5])
def test_a_name_is_stored_or_refused(store, name):
    try:
        store.write(1, accept(1, name=name))
    except WriteRefusedError:
        assert store.depths() == ()
    else:
        assert waiting(store, name) == [1]


def test_a_number_that_is_too_great_is_refused(store):
    with pytest.raises(WriteRefusedError):
        store.write(1, accept(1 << 63))


# ---- no room -------------------------------------------------------------------------------


def fill(store):
    """Write until that is refused; the number of the write, and why."""
    for number in range(store.about.last_write + 1, 1000):
        try:
            store.write(number, accept(number, data=b"x" * 5000))
        except WriteRefusedError as error:
            return number, str(error)
    raise AssertionError("there was room")


def test_a_full_disk_refuses_a_write_and_nothing_of_it_is_there(tmp_path):
    with opened(tmp_path) as store:
        store._db.execute("PRAGMA max_page_count = 60").fetchall()  # plays a full disk
        number, why = fill(store)
        assert "no space is left for it" in why
        assert 5 < number < 60
        assert waiting(store) == list(range(1, number))
    with opened(tmp_path) as store:
        assert waiting(store) == list(range(1, number))


def test_what_makes_room_is_written_on_a_full_disk_and_then_there_is_some(store):
    store._db.execute("PRAGMA max_page_count = 60").fetchall()
    number, _why = fill(store)
    store.write(number + 1, [Delivered((1, 2, 3), NOW)])
    store.write(number + 2, accept(number + 2, data=b"x" * 5000))
    assert waiting(store) == [*range(4, number), number + 2]


def test_some_room_is_kept_for_what_becomes_of_messages(store, monkeypatch):
    store.write(1, accept(1))
    disk = os.statvfs(os.path.dirname(store.path))
    blocks = (16 << 20) // disk.f_frsize + 1

    def statvfs(_):
        return os.statvfs_result((*disk[:4], blocks, *disk[5:]))

    monkeypatch.setattr(os, "statvfs", statvfs)
    store.write(2, accept(2))
    with pytest.raises(WriteRefusedError, match="no space is left for it on the file system"):
        store.write(3, accept(3, data=b"x" * 10_000))
    blocks -= 2
    with pytest.raises(WriteRefusedError, match="no space is left"):
        store.write(3, keep(1))
    store.write(3, [BeginAttempt((1,)), Delivered((1,), NOW)])
    assert waiting(store) == [2]


def test_at_its_limit_a_journal_accepts_nothing_but_does_all_else(tmp_path):
    with opened(tmp_path, JournalLimits(max_bytes=300_000)) as store:
        number, why = fill(store)
        assert "has reached its limit of 300,000 bytes: wait" in why
        assert 40 < number < 60
        with pytest.raises(WriteRefusedError):
            store.write(number, keep(1, data=b"x" * 5000))
        store.write(
            number, [BeginAttempt((1,)), AttemptFailed(1, "y" * 1000, NOW), Bury(1, "", NOW)]
        )
        store.write(number + 1, [Delivered((2, 3, 4), NOW)])
        store.write(number + 2, accept(number))


def test_another_programs_lock_refuses_a_write(tmp_path):
    with opened(tmp_path) as store:
        store._db.execute("PRAGMA busy_timeout = 1").fetchall()
        other = sqlite3.connect(store.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(WriteRefusedError, match="another program has locked it"):
            store.write(1, accept(1))
        other.execute("ROLLBACK")
        store.write(2, accept(1))
        other.close()


# ---- trouble with the files ----------------------------------------------------------------


@pytest.mark.parametrize("name", ["journal.db", "journal.db-wal"])
def test_a_journal_whose_files_were_removed_accepts_nothing(tmp_path, name):
    store = open_store(tmp_path)
    store.write(1, accept(1))
    (tmp_path / name).unlink()
    with pytest.raises(BrokenJournalError, match=f"{name} was removed"):
        store.write(2, accept(2))
    store.close()


def test_a_journal_that_was_replaced_accepts_nothing(tmp_path):
    with opened(tmp_path) as store:
        os.rename(store.path, store.path + ".old")
        (tmp_path / "journal.db").touch()
        with pytest.raises(BrokenJournalError, match="another file is in the place"):
            store.write(1, accept(1))


def test_when_the_log_was_removed_what_was_written_is_there_all_the_same(tmp_path):
    store = open_store(tmp_path)
    store.write(1, accept(1))
    (tmp_path / "journal.db-wal").unlink()
    with pytest.raises(BrokenJournalError):
        store.write(2, accept(2))
    store.close()
    with opened(tmp_path) as store:
        assert waiting(store) == [1]


def test_a_file_that_is_no_database_is_left_alone(tmp_path):
    (tmp_path / "journal.db").write_text("a diary")
    with pytest.raises(JournalError, match="no journal"):
        open_store(tmp_path)
    assert (tmp_path / "journal.db").read_text() == "a diary"


def test_a_damaged_journal_says_so_and_what_to_do(tmp_path):
    with opened(tmp_path) as store:
        store.write(1, accept(*range(1, 200), data=b"x" * 100))
    file = tmp_path / "journal.db"
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xaa" * (len(content) - 4096)
    file.write_bytes(content)
    with pytest.raises(JournalError, match=r"damaged .*run 'extsys outbox check'"):
        open_store(tmp_path)


def test_damage_that_is_found_while_writing_ends_it(tmp_path):
    with opened(tmp_path) as store:
        store.write(1, accept(*range(1, 200), data=b"x" * 1000))
    file = tmp_path / "journal.db"
    pages = len(file.read_bytes()) // 4096
    with opened(tmp_path) as store:
        with open(file, "r+b") as raw:
            for page in range(20, pages):
                raw.seek(page * 4096)
                raw.write(b"\xaa" * 4096)
        everything = [Delivered(tuple(range(1, 200)), NOW)]
        with pytest.raises(BrokenJournalError, match="damaged"):
            store.write(2, everything)
        with pytest.raises(JournalError, match="damaged"):
            store.load("plc")
