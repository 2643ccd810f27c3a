"""What clients of earlier versions are told, as they read it."""

from __future__ import annotations

import pickle
import pickletools
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.wire.frames import VERSION, WireVersionError, encode_frame
from actors.wire.front_door import Left, WatchedDoor
from supervisor.messages import SupervisorClosing
from supervisor.runtime.farewells import farewell


@pytest.fixture
def door(runtime_dir: Path) -> Iterator[WatchedDoor]:
    runtime_dir.mkdir(0o700)
    made = WatchedDoor(str(runtime_dir / "door"), farewell)
    yield made
    made.close()


def told(door: WatchedDoor, path: Path, magic: bytes) -> bytes:
    """All that a client is told whose first frame begins so."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(magic + encode_frame(["status?"])[4:])
        while not any(isinstance(event, Left) for event in door.serve()):
            pass
        return client.recv(1 << 10)


def test_a_client_of_version_2_hears_in_its_own_that_the_supervisor_is_none_for_it(
    door: WatchedDoor, runtime_dir: Path
) -> None:
    said = told(door, runtime_dir / "door", b"XSY2")

    assert said[:4] == b"XSY2"
    assert struct.unpack("!Q", said[4:12]) == (len(said) - 12,)
    names = [arg for code, arg, _ in pickletools.genops(said[12:]) if code.name == "GLOBAL"]
    assert names == ["supervisor.messages SupervisorClosing"]  # where that version has it
    [closing] = pickle.loads(said[12:])
    assert closing == SupervisorClosing(
        f"the supervisor speaks version {VERSION} of extsys's wire, this program version 2: "
        "install the same extsys for both, and start anew what runs the older one"
    )


def test_a_client_of_any_other_version_is_shown_this_one(
    door: WatchedDoor, runtime_dir: Path
) -> None:
    assert farewell(WireVersionError("9")) is None
    assert told(door, runtime_dir / "door", b"XSY9") == encode_frame([])
