"""An actor's socket, in this process."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.messages import DataReceived, Failure, Reply
from actors.payload import Payload
from actors.wire import frames, front_door
from actors.wire.frames import HEADER, FrameDecoder, encode_frame
from actors.wire.front_door import Arrived, DoorClient, Left, WatchedDoor
from supervisor.messages import GetAllStatus

LIMIT = 1 << 20


@pytest.fixture
def door(runtime_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WatchedDoor]:
    monkeypatch.setattr(front_door, "_MAX_UNSENT", LIMIT)
    runtime_dir.mkdir(0o700)
    made = WatchedDoor(str(runtime_dir / "door"))
    yield made
    made.close()


@pytest.fixture
def caller(door: WatchedDoor, runtime_dir: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(runtime_dir / "door"))
        yield sock


def client_of(door: WatchedDoor, caller: socket.socket) -> DoorClient:
    caller.sendall(encode_frame([GetAllStatus()]))
    while True:
        for event in door.serve():
            assert isinstance(event, Arrived)
            return event.client


def long_reply() -> Reply:
    return Reply(request_id=1, system_name="x" * 2 * LIMIT)


def test_one_long_answer_reaches_a_client_that_reads(
    door: WatchedDoor, caller: socket.socket
) -> None:
    door.tell(client_of(door, caller), long_reply())
    door.flush()
    reader, came = FrameDecoder(), []
    caller.settimeout(10)
    while not came:
        data = caller.recv(1 << 16)
        assert data, "hung up on"
        came += reader.feed(data)
        list(door.serve())
    assert came == [long_reply()]


def test_an_answer_too_long_for_a_frame_is_a_failure(
    door: WatchedDoor, caller: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(door, caller)
    monkeypatch.setattr(frames, "MAX_FRAME", LIMIT)
    door.tell(client, DataReceived(request_id=7, system_name="plc", data=bytes(2 * LIMIT)))
    door.tell(client, Reply(request_id=2))
    door.flush()
    failure, other = read_all(door, caller, 2)
    assert isinstance(failure, Failure)
    assert failure.request_id == 7
    assert "cannot be sent" in failure.text
    assert other == Reply(request_id=2)


def test_a_client_that_reads_nothing_is_hung_up_on(
    door: WatchedDoor, caller: socket.socket
) -> None:
    client = client_of(door, caller)
    for _ in range(2):
        assert door.unread(client) == 0
        door.tell(client, long_reply())
        door.flush()
    assert [event.client for event in door.serve()] == [client]


def test_a_client_of_another_version_is_shown_this_one_and_hung_up_on(
    door: WatchedDoor, caller: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    caller.sendall(b"XSY1" + encode_frame([GetAllStatus()])[4:])
    while not any(isinstance(event, Left) for event in door.serve()):
        pass
    shown = caller.recv(1 << 10)
    assert shown == encode_frame([])
    assert shown[:4] == b"XSY%d" % frames.VERSION
    [record] = caplog.records
    assert f"version 1 of extsys's wire, this one version {frames.VERSION}" in record.message


def test_who_comes_late_is_told_the_last_words_that_he_missed(
    door: WatchedDoor, caller: socket.socket
) -> None:
    client_of(door, caller)
    door.tell_for_good(Reply(request_id=7))
    door.flush()
    caller.settimeout(10)
    assert list(FrameDecoder().feed(caller.recv(1 << 16))) == [Reply(request_id=7)]
    with socket.socket(socket.AF_UNIX) as late:
        late.connect(door._path)
        list(door.serve())
        door.flush()
        late.settimeout(10)
        assert list(FrameDecoder().feed(late.recv(1 << 16))) == [Reply(request_id=7)]


# ---- when its file is removed ----------------------------------------------------------------


def test_a_door_whose_file_was_removed_is_found_again_and_keeps_its_clients(
    door: WatchedDoor, caller: socket.socket, runtime_dir: Path
) -> None:
    first = client_of(door, caller)
    with socket.socket(socket.AF_UNIX) as waiting, socket.socket(socket.AF_UNIX) as later:
        waiting.connect(str(runtime_dir / "door"))
        shutil.rmtree(runtime_dir)
        runtime_dir.mkdir(0o700)
        door.look()
        assert client_of(door, waiting) != first  # who came before the removal
        later.connect(str(runtime_dir / "door"))
        assert client_of(door, later) != first
        assert client_of(door, caller) == first


def test_a_door_whose_file_is_there_listens_where_it_did(
    door: WatchedDoor, caller: socket.socket, runtime_dir: Path
) -> None:
    before = (runtime_dir / "door").stat()
    door.look()
    assert os.path.samestat((runtime_dir / "door").stat(), before)


def test_what_others_put_in_a_doors_place_is_left_alone(
    door: WatchedDoor, runtime_dir: Path
) -> None:
    path = runtime_dir / "door"
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        with pytest.raises(OSError, match="Address already in use"):
            door.look()
        door.close()
        assert path.exists()
        path.unlink()
    path.write_text("precious")
    with pytest.raises(OSError, match="something else than a socket"):
        door.look()
    door.close()
    assert path.read_text() == "precious"


def test_a_door_that_has_no_descriptor_left_is_found_again_as_soon_as_it_has(
    door: WatchedDoor, caller: socket.socket, runtime_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(door, caller)
    (runtime_dir / "door").unlink()
    monkeypatch.setattr(door, "_accept", lambda: False)
    door._selector.unregister(door._listener)
    door._accepting = False
    door.look()
    monkeypatch.undo()
    caller.close()
    assert list(door.serve()) == [Left(client)]
    with socket.socket(socket.AF_UNIX) as later:
        later.connect(str(runtime_dir / "door"))
        assert client_of(door, later) != client


def read_all(door: WatchedDoor, caller: socket.socket, count: int) -> list[Any]:
    """Until so many messages have come."""
    reader, came = FrameDecoder(), list[Any]()
    caller.settimeout(0.01)
    deadline = time.monotonic() + 20
    while len(came) < count and time.monotonic() < deadline:
        list(door.serve())
        try:
            data = caller.recv(1 << 20)
        except TimeoutError:
            continue
        assert data, "hung up on"
        came += reader.feed(data)
    return came


def test_a_frame_that_is_being_written_counts_as_read_however_long_it_is(
    door: WatchedDoor, caller: socket.socket
) -> None:
    client = client_of(door, caller)
    door.tell(client, long_reply())
    door.flush()
    door.tell(client, Reply(request_id=2))
    door.flush()
    assert door.unread(client) < LIMIT
    assert read_all(door, caller, 2) == [long_reply(), Reply(request_id=2)]


def test_an_answer_that_cannot_be_sent_is_a_failure_and_the_others_are_sent(
    door: WatchedDoor, caller: socket.socket
) -> None:
    client = client_of(door, caller)
    door.tell(client, Reply(request_id=1))
    door.tell(client, DataReceived(request_id=2, system_name="plc", data=unpicklable()))
    door.tell(client, Reply(request_id=3))
    door.flush()
    one, two, three = read_all(door, caller, 3)
    assert (one.request_id, three.request_id) == (1, 3)
    assert isinstance(two, Failure)
    assert (two.request_id, two.system_name, two.outcome) == (2, "plc", "unknown")


def unpicklable() -> Any:
    return Payload(threading.Lock())


def test_a_frame_longer_than_the_limit_is_not_read(runtime_dir: Path) -> None:
    runtime_dir.mkdir(0o700)
    door = WatchedDoor(str(runtime_dir / "door"), max_frame=1000)
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(runtime_dir / "door"))
        caller.sendall(HEADER.pack(b"XSY%d" % frames.VERSION, 1001))
        while not any(isinstance(event, Left) for event in door.serve()):
            pass
    door.close()


def test_halves_of_frames_are_bounded_over_all_clients_and_the_stalest_goes(
    runtime_dir: Path,
) -> None:
    runtime_dir.mkdir(0o700)
    door = WatchedDoor(str(runtime_dir / "door"), max_frame=1000)
    half = HEADER.pack(b"XSY%d" % frames.VERSION, 1000) + bytes(900)
    callers = [socket.socket(socket.AF_UNIX) for _ in range(6)]
    for each in callers:
        each.connect(str(runtime_dir / "door"))
        each.sendall(half)
        list(door.serve())
        list(door.serve())
    assert callers[0].recv(1) == b""
    assert callers[1].recv(1) == b""
    honest = socket.socket(socket.AF_UNIX)
    honest.connect(str(runtime_dir / "door"))
    assert client_of(door, honest)
    for each in [*callers, honest]:
        each.close()
    door.close()
