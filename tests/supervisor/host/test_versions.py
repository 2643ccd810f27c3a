"""Managers and commands that meet a supervisor of another version of extsys."""

from __future__ import annotations

import asyncio
import logging
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from actors.messages import Reply
from actors.wire.frames import VERSION, FrameDecoder, encode_frame
from supervisor import ExternalSystemManager, UnavailableError
from supervisor.cli.client import EXIT_UNREACHABLE
from supervisor.client import recovery
from supervisor.messages import AllStatusGiven, GetAllStatus, Subscribe, Subscribed
from supervisor.runtime.directory import RuntimeDirectory
from supervisor.specs.policies import RestartPolicy
from tests.helpers.doors import door_that_hangs_up

OURS = b"XSY%d" % VERSION
REFUSAL_OF_2 = b"XSY2" + struct.pack("!Q", 12) + b"]Vrefused\na."
"""A frame of version 2; what is in it is not looked at."""


def later_one(first: bytes) -> bytes:
    """Says its version to those who begin with any other."""
    return b"XSY9" + encode_frame([])[4:]


def version_2(first: bytes) -> bytes:
    """Understands its own version, and hangs up on all others without a word."""
    return REFUSAL_OF_2 if first == b"XSY2" else b""


def dying_one(first: bytes) -> bytes:
    return b""


Door = Callable[[bytes], bytes]


@contextmanager
def supervisor(directory: Path, door: Door) -> Iterator[list[bytes]]:
    """Answers the first bytes of each client, which are given, and hangs up."""
    directory.mkdir(0o700)
    path = RuntimeDirectory(directory).socket_path
    with door_that_hangs_up(path, lambda words: door(words[:4])) as heard:
        yield heard


def both(theirs: int) -> str:
    return (
        f"the other side speaks version {theirs} of extsys's wire, this one version {VERSION}: "
        "install the same extsys for both, and start anew what runs the older one"
    )


@pytest.mark.parametrize(
    ("door", "theirs", "asked"), [(later_one, 9, [OURS]), (version_2, 2, [OURS, OURS, b"XSY2"])]
)
def test_a_manager_is_told_both_versions_and_does_not_try_again(
    door: Door,
    theirs: int,
    asked: list[bytes],
    runtime_dir: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def meet() -> None:
        with supervisor(runtime_dir, door) as heard:
            manager = ExternalSystemManager.attach(runtime_dir, strict=True)
            with pytest.raises(ConnectionError, match=both(theirs)):
                await manager.connect_all()
            with pytest.raises(UnavailableError, match=both(theirs)):
                await manager.connect_all()
            assert both(theirs) in (manager.ended or "")
            await manager.close()
            assert [words[:4] for words in heard] == asked

    with caplog.at_level(logging.WARNING, "extsys"):
        asyncio.run(meet())
    assert not caplog.records, "the errors say it"


@pytest.mark.parametrize(("door", "theirs"), [(later_one, 9), (version_2, 2)])
def test_a_command_says_it_in_one_line(door: Door, theirs: int, runtime_dir: Path) -> None:
    command = [sys.executable, "-m", "supervisor", "--runtime-dir", runtime_dir, "status"]
    with supervisor(runtime_dir, door):
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.stderr == f"extsys: {both(theirs)}\n"
    assert done.stdout == ""
    assert done.returncode == EXIT_UNREACHABLE


def test_one_that_hangs_up_on_all_who_come_is_given_up_and_nothing_stands_still(
    runtime_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "REATTACH_PATIENCE", 0.2)

    async def meet() -> None:
        with supervisor(runtime_dir, dying_one) as heard:
            manager = ExternalSystemManager.attach(runtime_dir, strict=True)
            with pytest.raises((ConnectionError, UnavailableError)):
                await manager.connect_all()
            assert len(heard) > 2
            assert "version" not in (manager.ended or "")
            await manager.close()

    asyncio.run(meet())


def answers_to_a_session(words: bytes) -> list[Reply]:
    replies: list[Reply] = []
    for each in FrameDecoder().feed(words):
        match each:
            case Subscribe():
                replies.append(Subscribed(request_id=each.request_id, next_sequence=1))
            case GetAllStatus():
                replies.append(AllStatusGiven(request_id=each.request_id, systems=()))
    return replies


class Impatient:
    """A supervisor that answers whoever attaches, and hangs up at anything else."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(0o700)
        self.path = RuntimeDirectory(directory).socket_path
        self.visits = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits += 1
        answered = 0
        while answered < 2 and (words := await reader.read(1 << 16)):
            replies = answers_to_a_session(words)
            answered += len(replies)
            writer.write(encode_frame(replies))
        writer.close()


def test_one_that_answers_and_then_hangs_up_again_and_again_is_given_up(
    runtime_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fast = RestartPolicy(max_restarts=20, period=60.0, backoff_min=0.001, backoff_max=0.001)
    monkeypatch.setattr(recovery, "SESSION_INTENSITY", fast)

    async def meet() -> None:
        impatient = Impatient(runtime_dir)
        server = await asyncio.start_unix_server(impatient.serve, impatient.path)
        manager = ExternalSystemManager.attach(runtime_dir, strict=True)
        async with asyncio.timeout(30):
            await manager.start()
            while manager.ended is None:
                await asyncio.sleep(0.001)
        assert "again and again" in manager.ended
        assert impatient.visits <= 3 * fast.max_restarts
        with pytest.raises(UnavailableError, match="again and again"):
            await manager.connect_all()
        await manager.close()
        server.close()

    asyncio.run(meet())
    assert len(caplog.records) <= fast.max_restarts + 2
    assert sum("again and again" in each.message for each in caplog.records) == 1
