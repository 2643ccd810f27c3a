"""Writing that never waits, into real pipes."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading

import pytest

from actors.processes import outlet as module
from actors.processes.outlet import Outlet


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.01)


def emptied(reads: int) -> bytes:
    os.set_blocking(reads, False)
    data = b""
    try:
        while part := os.read(reads, 1 << 20):
            data += part
    except BlockingIOError:
        pass
    return data


def test_what_there_is_no_room_for_is_dropped_and_said_later(pipe: tuple[int, int]) -> None:
    reads, writes = pipe
    outlet = Outlet(writes)
    for _ in range(1000):
        outlet.put(b"x" * 999 + b"\n")
    there = emptied(reads)
    whole = there.count(b"\n")
    assert 0 < whole < 1000
    outlet.put(b"again\n")
    told, again, nothing = emptied(reads).decode().lstrip("\n").split("\n")
    assert told == f"[{1000 - whole} lines were dropped: whoever reads the output was too slow]"
    assert (again, nothing) == ("again", "")


def test_whoever_else_has_the_pipe_finds_it_as_it_was(pipe: tuple[int, int]) -> None:
    Outlet(pipe[1]).put(b"something\n")
    assert os.get_blocking(pipe[1])


def test_a_reader_that_has_left_is_no_error(pipe: tuple[int, int]) -> None:
    reads, writes = pipe
    outlet = Outlet(writes)
    os.close(reads)
    outlet.put(b"to nobody\n")
    outlet.put(b"to nobody\n")


def test_what_is_to_begin_a_line_does(pipe: tuple[int, int]) -> None:
    reads, writes = pipe
    outlet = Outlet(writes)
    outlet.put(b"half a line")
    outlet.put(b"a record\n", own_line=True)
    outlet.put(b"another\n", own_line=True)
    assert emptied(reads) == b"half a line\na record\nanother\n"


def test_lines_of_many_threads_stay_whole(pipe: tuple[int, int]) -> None:
    reads, writes = pipe
    outlet = Outlet(writes)
    lines = [bytes([65 + n]) * 2000 + b"\n" for n in range(4)]
    got: list[bytes] = []

    def read() -> None:
        with os.fdopen(os.dup(reads), "rb") as lines_of_all:
            got.extend(lines_of_all)

    def put(line: bytes) -> None:
        for _ in range(20):
            outlet.put(line, own_line=True)

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=put, args=(each,)) for each in lines]
    reader.start()
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    os.close(writes)
    reader.join()
    assert {line for line in got if not line.startswith(b"[")} <= set(lines)


SPEAKS = """
    import logging, os, sys
    from actors.messages.output import OutputAddress
    from actors.processes import speaking

    speaking.multiprocessing.parent_process = object
    speaking.speak_into(OutputAddress(sys.argv[1], logging.INFO))
    print("one", "line")
    print("two\\nlines")
    print("to stderr", file=sys.stderr)
    logging.getLogger("lib").debug("too little")
    try:
        1 / 0
    except ZeroDivisionError:
        logging.getLogger("lib").exception("a record: %s", 1)
    os.write(1, b"as C does\\n")
    print("half", end="", flush=True)
    logging.warning("own line")
    logging.warning("cannot be %d formatted", "x")
    os.system("echo of a program; echo to its stderr >&2")
    print("\\ud800 and more", flush=True)
"""


def test_all_that_a_process_says_comes_with_what_is_known_of_it(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = str(tmp_path_factory.mktemp("o") / "pipe")
    os.mkfifo(path)
    reads = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SPEAKS), path], capture_output=True, check=True
    )
    assert (done.stdout, done.stderr) == (b"", b"")
    lines = os.read(reads, 1 << 16).split(b"\n")
    os.close(reads)
    assert lines[:4] == [b"\x1foone line", b"\x1fotwo", b"\x1folines", b"to stderr"]
    record = lines[4]
    assert record.startswith(b"\x1fl40\x1flib\x1fa record: 1\x1eTraceback (most recent call last)")
    assert record.endswith(b"\x1eZeroDivisionError: division by zero")
    assert lines[5:8] == [b"as C does", b"\x1fohalf", b"\x1fl30\x1froot\x1fown line"]
    assert lines[8].startswith(b"\x1fl30\x1froot\x1f'cannot be %d formatted' cannot be formatted")
    assert lines[9:] == [b"of a program", b"to its stderr", b"\x1fo\\ud800 and more", b""]
