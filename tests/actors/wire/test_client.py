"""A client's end of a connection to a door, with a plain socket for the door."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from actors.unix_base.kernel import credentials
from actors.wire.client import DoorConnection
from actors.wire.frames import FrameDecoder, WireVersionError, encode_frame


class Listener(DoorConnection):
    """Keeps what it hears, up to the end."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Any] = []
        self.ends: list[Exception | None] = []
        self.over = asyncio.Event()

    @property
    def is_open(self) -> bool:
        return not self.ends

    def _hear(self, message: Any) -> None:
        self.heard.append(message)

    def _end(self, error: Exception | None) -> None:
        self.ends.append(error)
        self.over.set()


def play(tmp_path: Path, scene: Callable[[Listener, socket.socket], Awaitable[None]]) -> None:
    """Run a scene with a connection and the door's end of it."""

    async def main() -> None:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(tmp_path / "door"))
            listening.listen()
            connection = await Listener.connect(str(tmp_path / "door"), Listener)
            door, _ = listening.accept()
            with door:
                async with asyncio.timeout(10):
                    await scene(connection, door)
            connection.abort()

    asyncio.run(main())


def test_what_is_said_at_once_is_one_frame(tmp_path: Path) -> None:
    async def scene(connection: Listener, door: socket.socket) -> None:
        connection.say(["one", "two"])
        assert list(FrameDecoder().feed(door.recv(1 << 10))) == ["one", "two"]

    play(tmp_path, scene)


def test_last_words_are_heard_before_the_end(tmp_path: Path) -> None:
    async def scene(connection: Listener, door: socket.socket) -> None:
        door.sendall(encode_frame(["first"]) + encode_frame(["last"]))
        door.close()
        await connection.over.wait()
        assert connection.heard == ["first", "last"]
        assert connection.ends == [None]

    play(tmp_path, scene)


def test_last_words_are_heard_also_when_a_write_finds_the_end_first(tmp_path: Path) -> None:
    async def scene(connection: Listener, door: socket.socket) -> None:
        connection.say(["not read by anybody"])
        door.sendall(encode_frame(["last"]))
        door.close()
        connection.say(["broken pipe"])
        await connection.over.wait()
        assert connection.heard == ["last"]
        [error] = connection.ends
        assert isinstance(error, OSError)

    play(tmp_path, scene)


def test_a_door_of_another_version_is_told_apart_and_not_listened_to_any_more(
    tmp_path: Path,
) -> None:
    async def scene(connection: Listener, door: socket.socket) -> None:
        door.sendall(encode_frame(["ours"]))
        door.sendall(b"XSY9" + encode_frame(["theirs"])[4:] + encode_frame(["ours"]))
        await connection.over.wait()
        assert connection.heard == ["ours"]
        assert isinstance(connection.ends[0], WireVersionError)
        assert connection.ends[0].theirs == "9"
        door.setblocking(False)
        assert await asyncio.get_running_loop().sock_recv(door, 1) == b"", "it did not hang up"

    play(tmp_path, scene)


def test_a_door_of_somebody_else_is_not_listened_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        credentials, "credentials_of", lambda sock: credentials.Credentials(12345, None)
    )
    with pytest.raises(PermissionError, match="12345"):
        play(tmp_path, lambda connection, door: asyncio.sleep(0))


def test_whose_connection_has_ended_has_no_process_any_more(tmp_path: Path) -> None:
    async def scene(connection: Listener, door: socket.socket) -> None:
        assert connection.peer_pid in (os.getpid(), None)
        connection.abort()
        await connection.over.wait()
        assert connection.peer_pid is None

    play(tmp_path, scene)
