"""A scribe at work, in a thread, with a supervisor that is played by the test."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from actors.wire.frames import FrameDecoder, encode_frame
from supervisor.messages.output import (
    EndOutput,
    FindLines,
    KeepOutput,
    LinesFound,
    LinesSaid,
    ListenTo,
    TellOutput,
)
from supervisor.runtime import scribe_link
from supervisor.runtime.scribing import Scribing
from tests.helpers.support import PATIENCE

pytestmark = pytest.mark.process


@attrs.define(eq=False)
class Stage:
    """What is around a scribe."""

    directory: Path
    lines: int
    """Where the runtime's own processes write."""
    log: int
    """Where the log can be read."""
    supervisor: socket.socket
    decoder: FrameDecoder = attrs.field(factory=FrameDecoder)
    heard: list[Any] = attrs.field(factory=list)

    def tell(self, *messages: Any) -> None:
        self.supervisor.sendall(encode_frame(messages))

    def hear(self, kind: type) -> Any:
        """The next message of a kind; others before it are kept."""
        while True:
            for message in self.heard:
                if isinstance(message, kind):
                    self.heard.remove(message)
                    return message
            self.heard += self.decoder.feed(self.supervisor.recv(1 << 16))

    def pipe(self, name: str, incarnation: int = 1) -> int:
        """A system's end of its pipe, which the scribe listens to."""
        path = str(self.directory / f"{name}-{incarnation}")
        os.mkfifo(path)
        fd = os.open(path, os.O_RDWR)
        self.tell(ListenTo(name, incarnation, path))
        return fd


@pytest.fixture
def stage(runtime_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    opened = scribe_link.ScribeLink.open

    def open_narrow(link: scribe_link.ScribeLink) -> bool:
        if not opened(link):
            return False
        assert link.sock is not None
        link.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        return True

    monkeypatch.setattr(scribe_link.ScribeLink, "open", open_narrow)
    monkeypatch.setattr(scribe_link, "_MOST", 4096)
    runtime_dir.mkdir()
    path = str(runtime_dir / "s")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    listener.settimeout(PATIENCE)
    lines_read, lines_write = os.pipe()
    log_read, log_write = os.pipe()
    root_read, root_write = os.pipe()
    os.set_blocking(lines_read, False)
    scribing = Scribing(lines_read, root_read, log_write, path, 30)
    thread = threading.Thread(target=scribing.run)
    thread.start()
    supervisor, _ = listener.accept()
    supervisor.settimeout(PATIENCE)
    made = Stage(runtime_dir, lines_write, log_read, supervisor)
    assert isinstance(made.hear(KeepOutput), KeepOutput)
    yield made
    os.close(root_write)  # the root is gone
    thread.join(PATIENCE)
    assert not thread.is_alive()
    for fd in (lines_read, lines_write, log_read, root_read):
        os.close(fd)
    supervisor.close()
    listener.close()


def test_a_supervisor_that_reads_slowly_misses_nothing_that_is_kept(stage: Stage) -> None:
    fd = stage.pipe("plc")
    stage.tell(TellOutput(True))
    stage.tell(FindLines(1, "plc"))
    assert stage.hear(LinesFound).lines == ()
    for n in range(300):
        os.write(fd, b"line %d %s\n" % (n, b"x" * 300))
    found: list[int] = []
    while len(found) < 300:
        said: LinesSaid = stage.hear(LinesSaid)
        found += [int(line.text.split()[1]) for line in said.lines]
    assert found == list(range(300))
    os.close(fd)


def test_the_last_words_are_found_though_something_else_has_the_pipe_open(stage: Stage) -> None:
    fd = stage.pipe("plc")
    left = os.dup(fd)  # of a program that the system had started
    os.write(fd, b"one\nhalf a li")
    os.close(fd)
    stage.tell(FindLines(1, "plc", 1, count=40))
    found: LinesFound = stage.hear(LinesFound)
    assert [line.text for line in found.lines] == ["one", "half a li"]
    stage.tell(EndOutput("plc", 1))
    os.write(left, b"still here\n")
    stage.tell(FindLines(2, "plc"))
    found = stage.hear(LinesFound)
    assert [line.text for line in found.lines] == ["one", "half a li", "still here"]
    os.close(left)


def test_the_log_has_the_lines_of_all_whole(stage: Stage) -> None:
    fd = stage.pipe("plc")
    stage.tell(FindLines(1, "plc"))
    stage.hear(LinesFound)
    os.write(stage.lines, b"of the runt")
    os.write(fd, b"of the sys")
    os.write(stage.lines, b"ime\n")
    os.write(fd, b"tem\n")
    os.close(fd)
    with os.fdopen(os.dup(stage.log), "rb") as log:
        lines = sorted(log.readline() for _ in range(2))
    assert lines[0].endswith(b" stderr  extsys.system.plc[1]: of the system\n")
    assert lines[1] == b"of the runtime\n"


def test_what_is_no_pipe_is_not_read(stage: Stage) -> None:
    (stage.directory / "file").write_text("no words of a system\n")
    (stage.directory / "link").symlink_to("/dev/zero")
    for number, name in enumerate(("file", "link", "nothing"), 1):
        stage.tell(ListenTo(name, 1, str(stage.directory / name)), FindLines(number, name))
        assert stage.hear(LinesFound).lines == ()
