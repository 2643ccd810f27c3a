"""``extsys dead-letters`` as somebody at a shell uses it, while no supervisor runs."""

import json
from pathlib import Path

import pytest

from supervisor.durable.entry import Entry, FailedAttempt, StoredData
from supervisor.durable.store.files import HeldJournal, journal_to_read
from supervisor.messages.journal import Accept, AttemptFailed, BeginAttempt, Bury
from tests.helpers.commands import extsys
from tests.helpers.stores import NOW, accept, dead, waiting


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A journal with something that waits, and dead letters of all forms of data."""
    place = tmp_path / "state"
    journal = HeldJournal(str(place))
    journal.store.write(
        1,
        [
            *accept(1, data="waits"),
            *accept(2, data="wärm"),
            *accept(3, data=b"\x00\xff"),
            *accept(4, name="pump", data={"set": [1, 2.5]}),
            *accept(5, name="pump", data=(1, 2)),
            BeginAttempt((2,)),
            AttemptFailed(2, "the device\nis busy", NOW + 1, True),
            *(Bury(id_, f"why {id_}", NOW + 2) for id_ in (2, 3, 4, 5)),
        ],
    )
    journal.close()
    return place


def letters(place, *args, stdin=""):
    run = place.parent / "run"
    return extsys(run, "dead-letters", *args, "--state-dir", str(place), stdin=stdin)


def contents(place):
    with journal_to_read(str(place)) as reader:
        return waiting(reader), waiting(reader, "pump"), dead(reader)


def test_they_are_listed(place):
    lines = letters(place, "list").stdout.splitlines()
    assert lines[0].split() == ["ID", "NAME", "BURIED", "ATTEMPTS", "CRASHES", "BYTES", "WHY"]
    assert [line.split()[0] for line in lines[1:]] == ["2", "3", "4", "5"]
    assert lines[1].endswith("why 2")
    assert [line.split()[0] for line in letters(place, "list", "pump").stdout.splitlines()[1:]] == [
        "4",
        "5",
    ]
    assert letters(place, "list", "nobody").stdout == "no dead letters\n"
    rows = json.loads(letters(place, "list", "--json").stdout)
    assert [(each["number"], each["system"], each["form"]) for each in rows] == [
        (2, "plc", "text"),
        (3, "plc", "bytes"),
        (4, "pump", "json"),
        (5, "pump", "pickle"),
    ]


def test_one_is_shown_with_its_data_and_its_history(place):
    text = letters(place, "show", "2").stdout
    for expected in (
        "why:            why 2",
        "text, 5 bytes: wärm",
        "crashes:        1",
        "is busy",
    ):
        assert expected in text
    assert 'json, 15 bytes: {"set":[1,2.5]}' in letters(place, "show", "4").stdout
    assert "(pickled)" in letters(place, "show", "5").stdout
    row = json.loads(letters(place, "show", "2", "--json").stdout)
    assert row["history"] == [{"at": NOW + 1, "why": "the device\nis busy", "crashed": True}]


def test_some_are_retried(place):
    assert letters(place, "retry", "2", "4", "2").stdout == "2 dead letters to be delivered\n"
    assert contents(place) == ([1, 2], [4], [3, 5])


def test_all_of_a_system_are_retried(place):
    assert letters(place, "retry", "--all", "--system", "pump").returncode == 0
    assert contents(place) == ([1], [4, 5], [2, 3])


def test_they_are_discarded(place):
    assert letters(place, "discard", "3").stdout == "1 dead letter discarded\n"
    assert contents(place) == ([1], [], [2, 4, 5])
    assert letters(place, "discard", "--all").stdout == "3 dead letters discarded\n"
    assert contents(place) == ([1], [], [])
    assert letters(place, "discard", "--all").stdout == "0 dead letters discarded\n"


@pytest.mark.parametrize("command", ["retry", "discard", "show"])
def test_what_is_no_dead_letter_is_told_and_nothing_is_done(place, command):
    ids = ("1",) if command == "show" else ("2", "1")
    done = letters(place, command, *ids)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "extsys: there is no dead letter 1; nothing was done\n"
    assert contents(place) == ([1], [], [2, 3, 4, 5])


@pytest.mark.parametrize("args", [(), ("2", "--all"), ("2", "--system", "plc")])
def test_which_ones_has_to_be_said(place, args):
    done = letters(place, "discard", *args)
    assert done.returncode == 2
    assert contents(place) == ([1], [], [2, 3, 4, 5])


def test_they_are_not_changed_while_somebody_has_the_journal(place):
    journal = HeldJournal(str(place))
    try:
        done = letters(place, "discard", "--all")
        assert done.returncode == 4
        assert "has the journal in" in done.stderr
        assert len(letters(place, "list").stdout.splitlines()) == 5
    finally:
        journal.close()


# ---- JSON lines ----------------------------------------------------------------------------


def test_what_is_exported_can_be_imported_elsewhere(place, tmp_path):
    exported = letters(place, "export").stdout
    assert len(exported.splitlines()) == 4
    other = tmp_path / "other"
    HeldJournal(str(other)).close()
    done = letters(other, "import", "-", "--allow-pickle", stdin=exported)
    assert (done.stdout, done.stderr) == ("4 dead letters taken in\n", "")
    assert letters(other, "export").stdout == exported
    with journal_to_read(str(place)) as one, journal_to_read(str(other)) as copy:
        before, after = one.load_dead_letters()[0], copy.load_dead_letters()[0]
        assert [each.entry.id for each in after] == [1, 2, 3, 4]
        names = [each.entry.delivery_id(one.about.journal_id) for each in before]
        assert [each.entry.delivery_id(copy.about.journal_id) for each in after] == names
        assert [each.entry.data for each in after] == [each.entry.data for each in before]


def test_what_is_there_already_is_passed_over(place):
    exported = letters(place, "export", "plc").stdout
    letters(place, "retry", "2")
    letters(place, "discard", "3")
    done = letters(place, "import", "-", stdin=exported + exported)
    assert done.stdout == "1 dead letter taken in, 3 there already\n"
    assert contents(place) == ([1, 2], [], [4, 5, 7])


def test_pickled_data_is_taken_in_only_if_that_is_allowed(place, tmp_path):
    exported = letters(place, "export").stdout
    letters(place, "discard", "--all")
    done = letters(place, "import", "-", stdin=exported)
    assert done.returncode == 1
    assert "line 4: its data is pickled; if you trust its origin: --allow-pickle" in done.stderr
    assert contents(place) == ([1], [], [])


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "no JSON: "),
        ("[1]", "no JSON object, but an array"),
        ('{"id": "x"}', "history is missing"),
        ('{"more": 1}', "an unknown key: more"),
    ],
)
def test_of_a_file_with_a_mistake_nothing_is_taken_in(place, line, why):
    exported = letters(place, "export", "plc").stdout
    letters(place, "discard", "--all")
    done = letters(place, "import", "-", stdin=f"{exported}\n{line}\n")
    assert done.returncode == 1
    assert f"line 4: {why}" in done.stderr
    assert "nothing was taken in" in done.stderr
    assert contents(place) == ([1], [], [])


def test_what_is_not_utf8_is_told(place, tmp_path):
    file = tmp_path / "saved"
    file.write_bytes(b"\xff\n")
    assert "is not UTF-8" in letters(place, "import", str(file)).stderr


def test_the_history_comes_along(place, tmp_path):
    past = (FailedAttempt(NOW, "no", True),)
    journal = HeldJournal(str(place))
    entry = Entry(9, "plc", StoredData.of("x"), NOW, 3, 1, past, origin="4f-1")
    journal.store.write(2, [Accept(entry), Bury(9, "late", NOW)])
    journal.close()
    exported = letters(place, "export", "plc").stdout
    other = tmp_path / "other"
    HeldJournal(str(other)).close()
    letters(other, "import", "-", stdin=exported)
    with journal_to_read(str(other)) as reader:
        assert reader.load_dead_letters()[0][-1].entry == Entry(
            3, "plc", StoredData.of("x"), NOW, 3, 1, past, origin="4f-1"
        )
