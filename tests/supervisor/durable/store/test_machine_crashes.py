"""A machine that loses its power: what was confirmed is there, and of the rest all of a write or
nothing.

Until fsync(2) returns, each sector that was written may be on the disk or not, in any order. In one
write the log is written and synced, and then perhaps the file, from the log. So there are two
kinds of instants: the log is in between, and the file as it was before; or the file is in between,
and the log as it is after.
"""

from __future__ import annotations

import copy
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.durable.store.check import check
from supervisor.messages.journal import (
    Acknowledged,
    AttemptFailed,
    BeginAttempt,
    Bury,
    Delivered,
    Operation,
)
from tests.helpers.stores import NOW, accept, contents, in_memory, keep, open_store

SECTOR = 512
FILE, LOG = "journal.db", "journal.db-wal"


@pytest.fixture(scope="module")
def place():
    path = in_memory()
    yield path
    shutil.rmtree(path)


def mixed(old: bytes, new: bytes, chance: random.Random) -> bytes:
    """What may be on the disk when some of a write is."""
    share = chance.choice((0.0, 0.1, 0.5, 0.9, 0.99, 1.0))
    end = chance.randrange(min(len(old), len(new)), len(new) + 1) if share < 1.0 else len(new)
    result = bytearray()
    for at in range(0, max(len(old), end), SECTOR):
        after, before = new[at : at + SECTOR], old[at : at + SECTOR]
        if before == after or chance.random() < share:
            result += after
        elif before:
            result += before
        else:  # the file got longer first
            result += bytes(len(after)) if chance.random() < 0.5 else chance.randbytes(len(after))
    return bytes(result[: max(len(old), end)])


def operations(number: int, chance: random.Random) -> list[Operation]:
    """Some for one write; ids rise by ten with each, and often name what is there."""
    first = 10 * number
    ids = tuple(range(first, first + chance.randrange(6)))
    earlier = tuple(chance.randrange(1, first + 10) for _ in range(chance.randrange(8)))
    size = chance.choice((3, 3, 300, 9000))
    name = chance.choice(("plc", "pump"))
    return [
        *accept(*ids, name=name, data=chance.randbytes(size)),
        *keep(*ids[:2], name=name),
        BeginAttempt(earlier),
        *(AttemptFailed(each, "no", NOW, chance.random() < 0.5) for each in earlier[:2]),
        Delivered(earlier[2:5], NOW),
        *(Bury(each, "why", NOW) for each in earlier[5:6]),
        Acknowledged(earlier[6:]),
    ]


def recovered(place: Path, file: bytes, log: bytes) -> Any:
    """What a journal of these files holds, after all processes ended."""
    there = place / "copy"
    shutil.rmtree(there, ignore_errors=True)
    there.mkdir()
    (there / FILE).write_bytes(file)
    (there / LOG).write_bytes(log)
    store = open_store(there)
    try:
        assert check(store._db) == []
        return copy.deepcopy(contents(store))
    finally:
        store.close()


@given(seed=st.integers(0, 2**32), writes=st.integers(1, 8), pages=st.sampled_from([1, 5, 1000]))
@settings(max_examples=40, deadline=None)
def test_what_was_confirmed_survives_a_crash_of_the_machine(place, seed, writes, pages):
    chance = random.Random(seed)
    directory = place / "live"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    store = open_store(directory)
    store._db.execute(f"PRAGMA wal_autocheckpoint = {pages}").fetchall()
    try:
        for number in range(1, writes + 1):
            held_before = copy.deepcopy(contents(store))
            file, log = ((directory / name).read_bytes() for name in (FILE, LOG))
            store.write(number, operations(number, chance))
            held_after = copy.deepcopy(contents(store))
            new_file, new_log = ((directory / name).read_bytes() for name in (FILE, LOG))
            for _ in range(2):
                found = recovered(place, file, mixed(log, new_log, chance))
                assert found in (held_before, held_after)
                found = recovered(place, mixed(file, new_file, chance), new_log)
                assert found == held_after
    finally:
        store.close()


def test_the_first_write_is_there_or_not(place):
    """Each prefix of it."""
    directory = place / "first"
    directory.mkdir()
    store = open_store(directory)
    file, log = ((directory / name).read_bytes() for name in (FILE, LOG))
    before = copy.deepcopy(contents(store))
    store.write(1, accept(1, 2, 3))
    after = copy.deepcopy(contents(store))
    whole = (directory / LOG).read_bytes()
    seen = {repr(recovered(place, file, whole[:end])) for end in range(len(log), len(whole), 100)}
    assert seen == {repr(before)}
    assert recovered(place, file, whole) == after
    store.close()
