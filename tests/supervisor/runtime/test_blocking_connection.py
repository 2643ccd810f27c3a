"""The root's connection, with a supervisor played by the test."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.wire.frames import encode_frame
from supervisor.messages import SupervisorClosing
from supervisor.runtime.blocking_connection import BlockingConnection


@pytest.fixture
def ends(runtime_dir: Path) -> Iterator[tuple[BlockingConnection, socket.socket]]:
    runtime_dir.mkdir(0o700)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(runtime_dir / "s"))
        listener.listen()
        connection = BlockingConnection(str(runtime_dir / "s"))
        peer, _ = listener.accept()
        with peer:
            yield connection, peer
        connection.close()


def test_hanging_up_lasts_until_the_supervisor_has_hung_up(
    ends: tuple[BlockingConnection, socket.socket],
) -> None:
    connection, peer = ends
    peer.sendall(encode_frame([SupervisorClosing("it gave up")]))
    told = []

    def play_supervisor() -> None:
        while peer.recv(1):
            pass
        told.append("all")  # as it would, before it looks at who has hung up
        peer.close()

    player = threading.Thread(target=play_supervisor)
    player.start()
    connection.hang_up(20.0)
    assert told == ["all"]
    assert connection.at_end
    player.join()


def test_hanging_up_does_not_wait_for_ever(ends: tuple[BlockingConnection, socket.socket]) -> None:
    connection, _ = ends
    connection.hang_up(0.05)
