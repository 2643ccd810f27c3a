"""Strangers at the doors of a running supervisor and of a system: nobody else notices."""

from __future__ import annotations

import pickle
import random
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.wire.frames import HEADER, MAX_FRAME, VERSION
from supervisor import SynchronousManager
from supervisor.messages import (
    ResolveSystem,
    StopSupervisor,
    SystemResolved,
    TerminateChild,
    UnregisterSystem,
)
from tests.helpers import junk
from tests.helpers.support import QUIET, mock

pytestmark = pytest.mark.usefixtures("nothing_left")

MAGIC = b"XSY%d" % VERSION
ENDING = (StopSupervisor, TerminateChild, UnregisterSystem)
"""What would end all that the test looks at, were it well-formed by chance."""


def frame(messages: Any) -> bytes:
    body = pickle.dumps(messages)
    return HEADER.pack(MAGIC, len(body)) + body


def bytes_of(seed: int) -> Iterator[bytes]:
    chance = random.Random(seed)
    whole = frame([None, 5, "x", [], ()])
    yield HEADER.pack(MAGIC, 1 << 62)
    yield HEADER.pack(MAGIC, MAX_FRAME)
    yield HEADER.pack(MAGIC, 1 << 20) + bytes(1 << 10)
    for _ in range(60):
        yield whole[: chance.randrange(len(whole))]
        yield chance.randbytes(chance.randrange(200))
        yield HEADER.pack(MAGIC, 50) + chance.randbytes(50)


def attack(path: str, data: bytes) -> None:
    """Say it, hang up for writing, and hear all that is answered."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        sock.connect(path)
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(1 << 16):
                pass
        except (BrokenPipeError, ConnectionResetError):
            pass


def test_junk_at_both_doors_costs_neither_process_and_nobody_elses_request() -> None:
    manager = SynchronousManager(strict=True, options=QUIET)
    manager.register_system(mock("plc", echo=True))
    manager.register_system(mock("other", echo=True))
    with manager:
        manager.connect_all()
        dialog = manager._manager._dialog
        found = manager._run(dialog.session.ask(ResolveSystem("plc")))
        assert isinstance(found, SystemResolved)
        doors = (dialog.session._recovery.path, found.door)
        before = {each.name: (each.pid, each.incarnation) for each in manager.status_all()}
        supervisor = manager._manager.supervisor_pid

        @settings(max_examples=100, deadline=None, database=None)
        @given(st.lists(st.one_of(junk.said_to_a_system(), junk.messages()), max_size=3))
        def say(messages: list[Any]) -> None:
            data = [each for each in messages if not isinstance(each, ENDING)]
            try:
                whole = frame(data)
            except Exception:
                return  # not even a stranger can send that
            for path in doors:
                attack(path, whole)

        for each in bytes_of(seed=7):
            for path in doors:
                attack(path, each)
            assert manager.send_data_to_system("other", each)
            assert manager.receive_data_from_system("other", 10.0) == each
        say()
        for name in ("plc", "other"):
            assert manager.send_data_to_system(name, name)
        assert {
            each.name: (each.pid, each.incarnation)
            for each in manager.status_all()
            if each.name in before
        } == before
        assert manager._manager.supervisor_pid == supervisor
