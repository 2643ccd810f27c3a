"""``extsys outbox`` as somebody at a shell uses it, while no supervisor runs."""

import json
import os
from pathlib import Path

import pytest

from supervisor.durable.store.files import HeldJournal
from supervisor.messages.journal import Bury, Delivered
from tests.helpers.commands import extsys
from tests.helpers.stores import NOW, accept, keep


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "state"


def fill(place, *operations):
    journal = HeldJournal(str(place))
    about = journal.store.about
    journal.store.write(about.last_write + 1, operations)
    journal.close()


def outbox(place, *args):
    return extsys(place.parent / "run", "outbox", "--state-dir", str(place), *args)


def damage(place, page=40):
    fill(place, *accept(*range(1, 400), data=b"x" * 300))
    with open(place / "journal.db", "r+b") as file:
        file.seek(page * 4096)
        file.write(b"\xaa" * 4096)


def test_it_shows_how_much_waits_for_each_system_and_since_when(place):
    fill(place, *accept(1, 2, 3), *accept(4, name="pump"), *keep(1), Bury(3, "no", NOW))
    before = {each.name: each.read_bytes() for each in place.iterdir()}
    shown = outbox(place)
    assert (shown.returncode, shown.stderr) == (0, "")
    head, plc, pump = shown.stdout.splitlines()
    assert head.split()[:4] == ["NAME", "WAITING", "BYTES", "OLDEST"]
    assert (plc.split()[:3], plc.split()[-2:]) == (["plc", "2", "4"], ["1", "1"])
    assert pump.split()[:3] == ["pump", "1", "2"]
    rows = json.loads(outbox(place, "--json").stdout)
    assert [(each["system_name"], each["waiting"], each["dead"]) for each in rows] == [
        ("plc", 2, 1),
        ("pump", 1, 0),
    ]
    assert rows[0]["oldest_at"] == NOW
    assert {each.name: each.read_bytes() for each in place.iterdir()} == before


def test_an_empty_journal_says_so(place):
    fill(place, *accept(1))
    fill(place, Delivered((1,), NOW))
    assert outbox(place).stdout == "nothing waits, and there are no dead letters\n"


@pytest.mark.parametrize("command", [(), ("check",)])
def test_where_there_is_no_journal_it_says_so_and_makes_none(place, command):
    done = outbox(place, *command)
    assert (done.returncode, done.stdout) == (5, "")
    assert f"extsys: there is no journal in {place}" in done.stderr
    assert not place.exists()


@pytest.mark.parametrize("way", ["option", "variable", "systemd", "xdg"])
def test_the_directory_is_told_in_several_ways(place, monkeypatch, way):
    place = place / "extsys"
    fill(place, *accept(1))
    for name in ("EXTSYS_STATE_DIR", "STATE_DIRECTORY", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    args = ["outbox", "check"]
    match way:
        case "option":
            args += ["--state-dir", str(place)]
        case "variable":
            monkeypatch.setenv("EXTSYS_STATE_DIR", str(place))
        case "systemd":
            monkeypatch.setenv("STATE_DIRECTORY", str(place))
        case "xdg":
            monkeypatch.setenv("XDG_STATE_HOME", str(place.parent))
    done = extsys(place.parent / "run", *args)
    assert done.stdout == f"{place}/journal.db: sound, with 1 messages and items\n"


def test_it_shows_a_journal_that_a_running_process_has(place):
    journal = HeldJournal(str(place))
    journal.store.write(1, accept(1))
    try:
        assert outbox(place).stdout.splitlines()[1].split()[:2] == ["plc", "1"]
        assert outbox(place, "check").returncode == 0
    finally:
        journal.close()


def test_a_damaged_journal_is_told_with_what_to_do(place):
    damage(place)
    done = outbox(place, "check")
    assert done.returncode == 1
    assert "What to do:\n1. Stop its supervisor: extsys stop\n" in done.stdout
    assert done.stderr == f"extsys: the journal in {place} is damaged\n"


def test_what_can_be_read_of_a_damaged_journal_can_be_saved_and_taken_in(place, tmp_path):
    damage(place)
    saved = tmp_path / "saved.jsonl"
    done = outbox(place, "check", "--rescue", str(saved))
    assert done.returncode == 1
    lines = saved.read_text().splitlines()
    assert f"{len(lines):,} messages were written to {saved}" in done.stdout
    assert 350 < len(lines) < 400
    again = outbox(place, "check", "--rescue", str(saved))
    assert f"{saved} cannot be written: File exists" in again.stderr
    for each in place.iterdir():
        each.unlink()
    fill(place)
    command = ("dead-letters", "import", str(saved), "--state-dir", str(place))
    assert extsys(tmp_path / "run", *command).stdout == f"{len(lines)} dead letters taken in\n"


def test_what_is_no_journal_is_told(place):
    fill(place)
    (place / "journal.db").write_text("a diary")
    assert "is no journal" in outbox(place).stderr
    done = outbox(place, "check", "--rescue", str(place.parent / "saved"))
    assert (done.returncode, "is no journal" in done.stdout) == (1, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_somebody_elses_journal_is_told(place):
    fill(place)
    os.chown(place, 12345, -1)
    for command in ((), ("check",)):
        done = outbox(place, *command)
        assert done.returncode == 1
        assert "belongs to user id 12345" in done.stdout + done.stderr
