"""A journal whose process is stopped and copied, or killed, at any instant."""

import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time

import pytest

from supervisor.durable.store.check import check
from supervisor.durable.store.files import HeldJournal
from tests.helpers.programs import ROOT

WRITES = """
import sys
from supervisor.durable.store.files import HeldJournal
from supervisor.messages.journal import Delivered
from tests.helpers.stores import NOW, accept

store = HeldJournal(sys.argv[1]).store
store._db.execute("PRAGMA wal_autocheckpoint = 10").fetchall()
number = store.about.last_write
while True:
    number += 1
    first = store.about.next_id
    store.write(number, [*accept(first, first + 1, data=b"x" * 500), Delivered((first - 60,), NOW)])
    print(number, flush=True)
"""
"""Two entries in each write, of which it says the number when it is done."""


@pytest.fixture
def place(tmp_path):
    return tmp_path / "state"


def begin(place):
    run = [sys.executable, "-c", WRITES, str(place)]
    return subprocess.Popen(run, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def see_that_all_is_there(place, confirmed):
    journal = HeldJournal(str(place))
    try:
        store = journal.store
        assert check(store._db) == []
        assert store.about.last_write in (confirmed, confirmed + 1)
        assert store.about.next_id == 2 * store.about.last_write + 1
        ids = [entry.id for entry in store.load("plc")[0]]
        gone = {number * 2 - 1 - 60 for number in range(1, store.about.last_write + 1)}
        assert ids == [id_ for id_ in range(1, store.about.next_id) if id_ not in gone]
    finally:
        journal.close()


def said_so_far(writer):
    """The last number that a stopped one has said since it was asked last."""
    os.set_blocking(writer.stdout.fileno(), False)
    said = b""
    try:
        while piece := os.read(writer.stdout.fileno(), 65536):
            said += piece
    except BlockingIOError:
        pass
    lines = said.decode().split("\n")[:-1]
    return int(lines[-1]) if lines else 0


def test_each_copy_of_it_holds_all_that_was_confirmed(place, tmp_path):
    writer = begin(place)
    chance = random.Random(1)
    try:
        select.select([writer.stdout], [], [], 60)
        confirmed = 0
        for count in range(15):
            time.sleep(chance.random() / 50)  # any instant will do
            writer.send_signal(signal.SIGSTOP)
            os.waitpid(writer.pid, os.WUNTRACED)
            confirmed = max(confirmed, said_so_far(writer))
            copy = tmp_path / f"copy-{count}"
            shutil.copytree(place, copy)
            writer.send_signal(signal.SIGCONT)
            see_that_all_is_there(copy, confirmed)
        assert confirmed > 0
    finally:
        writer.kill()
        writer.communicate()


def test_what_was_confirmed_is_there_after_a_kill(place):
    confirmed = 0
    for count in range(4):
        writer = begin(place)
        assert writer.stdout is not None
        try:
            for _ in range(20 + 7 * count):
                confirmed = int(writer.stdout.readline())
        finally:
            writer.kill()
            rest, _ = writer.communicate()
        lines = rest.split("\n")[:-1]
        see_that_all_is_there(place, int(lines[-1]) if lines else confirmed)
