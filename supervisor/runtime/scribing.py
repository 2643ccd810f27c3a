"""What a scribe does, in its process: it reads what all processes of a runtime say.

It waits for nobody: not for the supervisor, whose client it is, nor for whoever reads the log.
"""

from __future__ import annotations

import os
import selectors
import socket
import stat
import time
from typing import Any, Final

import attrs

from actors.messages.output import OutputLine, Source
from supervisor.messages.output import (
    EndOutput,
    FindLines,
    ForgetOutput,
    KeepOutput,
    LinesFound,
    LinesSaid,
    ListenTo,
    TellOutput,
)
from supervisor.output.cutter import Cutter
from supervisor.output.said import Output, Speaker
from supervisor.output.shown import line_as_log
from supervisor.runtime.log_writer import LogWriter
from supervisor.runtime.scribe_link import ScribeLink

LAST_WORDS: Final = 0.5
"""Seconds in which the log is written to its end, when all others have ended."""
_ROOM: Final = 64 * 1024
"""Bytes that are read at once: as many as a pipe holds."""
_RETRY: Final = 0.02
"""Seconds between two attempts to reach the supervisor."""
_SETTLE: Final = 0.1
"""Seconds after which it is said what was dropped."""
_AT_ONCE: Final = 500
"""Lines that are told in one message."""
_MOST_ROUNDS: Final = 64
"""Pipes full that are read of one process which has ended: what it had started may still write."""


@attrs.define(eq=False)
class _Pipe:
    """What one system's process writes into."""

    speaker: Speaker
    fd: int
    has_ended: bool = False


class Scribing:
    """From the start of a scribe to its end."""

    def __init__(
        self, lines_fd: int, root_fd: int | None, log_fd: int, path: str, show: int | None
    ):
        """
        Args:
            lines_fd: where the runtime's own processes write their lines of the log.
            root_fd: readable once the root is gone; None where that cannot be told.
            log_fd: where the log goes.
            path: of the supervisor's socket.
            show: the least severe record of a system that is shown in the log; None shows none
                of them there, nor what they print: a host does that.
        """
        self._lines_fd = lines_fd
        self._root_fd = root_fd
        self._root = os.getppid()
        self._log = LogWriter(log_fd)
        self._show = show
        self._cutter = Cutter()
        self._output = Output(time.time_ns() // 1000, time.time)
        self._pipes: dict[Speaker, _Pipe] = {}
        self._link = ScribeLink(path)
        self._tells = False
        self._told_until: int | None = None
        """The last line that the supervisor was told, while it reads so slowly that it is told no
        more."""
        self._try_at = 0.0
        self._selector = selectors.DefaultSelector()
        self._selector.register(lines_fd, selectors.EVENT_READ, None)
        if root_fd is not None:
            self._selector.register(root_fd, selectors.EVENT_READ, root_fd)
        self._is_over = False

    def run(self) -> None:
        """Until all that could say something have ended."""
        while not self._is_over:
            self._round(self._nap())
            now = time.monotonic()
            if self._link.sock is None and now >= self._try_at:
                self._attach()
                self._try_at = now + _RETRY
            if self._root_fd is None and os.getppid() != self._root:
                self._is_over = True
        deadline = time.monotonic() + LAST_WORDS
        while self._round(0.0) and time.monotonic() < deadline:
            pass  # what all have said before they ended
        for pipe in list(self._pipes.values()):
            self._close(pipe)
        self._selector.close()
        self._link.close()
        self._log.finish(max(0.0, deadline - time.monotonic()))

    def _nap(self) -> float | None:
        if self._link.sock is None:
            return _RETRY
        if self._output.is_behind:
            return _SETTLE
        return None if self._root_fd is not None else 10 * _SETTLE

    def _round(self, seconds: float | None) -> bool:
        """Do what there is to do; whether there was something."""
        busy = set()
        events = self._selector.select(seconds)
        for key, mask in events:
            match key.data:
                case None:
                    self._read_lines()
                case _Pipe() as pipe:
                    busy.add(pipe.speaker)
                    self._read_pipe(pipe)
                case ScribeLink() as link:
                    self._serve(link, mask)
                case _:
                    self._selector.unregister(key.fileobj)
                    self._is_over = True
        if self._output.is_behind:
            self._said(self._output.settle(busy))
        return bool(events)

    # ---- the runtime's own processes ----------------------------------------------------------

    def _read_lines(self) -> None:
        data = _read(self._lines_fd)
        if data:
            lines = self._cutter.feed(data)
        elif data is None:
            return
        else:
            lines = self._cutter.end()
            self._selector.unregister(self._lines_fd)
            self._is_over = True
        if lines:
            self._log.put(b"".join(line + b"\n" for line in lines))

    # ---- systems ------------------------------------------------------------------------------

    def _listen(self, message: ListenTo) -> None:
        speaker = Speaker(message.system_name, message.incarnation)
        if speaker in self._pipes:
            return
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            fd = os.open(message.path, flags)
        except OSError:
            return  # its process has ended, and it with it
        if not stat.S_ISFIFO(os.fstat(fd).st_mode):
            os.close(fd)
            return
        pipe = self._pipes[speaker] = _Pipe(speaker, fd)
        self._selector.register(fd, selectors.EVENT_READ, pipe)

    def _read_pipe(self, pipe: _Pipe) -> bool:
        """Read once; whether there may be more."""
        data = _read(pipe.fd)
        if data:
            self._said(self._output.came(pipe.speaker, data, time.monotonic()))
            return True
        if data is not None:
            self._close(pipe)
        return False

    def _drain(self, pipe: _Pipe) -> None:
        """Read what is there, of a process that has ended."""
        for _ in range(_MOST_ROUNDS):
            if not self._read_pipe(pipe):
                return

    def _close(self, pipe: _Pipe) -> None:
        if self._pipes.pop(pipe.speaker, None) is not None:
            self._selector.unregister(pipe.fd)
            os.close(pipe.fd)
            self._said(self._output.ended(pipe.speaker))

    def _said(self, lines: list[OutputLine]) -> None:
        if not lines:
            return
        if self._show is not None:
            shown = [
                line_as_log(line)
                for line in lines
                if line.source is not Source.LOGGING or line.level >= self._show
            ]
            self._log.put("".join(shown).encode(errors="backslashreplace"))
        if self._tells:
            self._tell(lines)

    # ---- the supervisor -----------------------------------------------------------------------

    def _tell(self, lines: list[OutputLine]) -> None:
        if self._told_until is not None:
            return
        if self._link.is_full:
            self._told_until = lines[0].sequence - 1
            return
        self._link.say(LinesSaid(tuple(lines)))
        self._adjust()

    def _catch_up(self) -> None:
        """The supervisor has read all that it was told: tell it what has come since, as far as that
        is kept."""
        since, self._told_until = self._told_until, None
        if since is not None and self._tells:
            missed = self._output.find(FindLines(0, None, since=since))
            for start in range(0, len(missed), _AT_ONCE):
                self._link.say(LinesSaid(missed[start : start + _AT_ONCE]))

    def _attach(self) -> None:
        if self._link.open():
            self._selector.register(self._link_sock(), selectors.EVENT_READ, self._link)
            self._link.say(KeepOutput())
            self._adjust()

    def _serve(self, link: ScribeLink, mask: int) -> None:
        sock = self._link_sock()
        if mask & selectors.EVENT_WRITE:
            link.write()
            if not link.wants_to_write:
                self._catch_up()
        if mask & selectors.EVENT_READ:
            for message in link.read():
                self._hear(message)
        if link.sock is None:
            self._selector.unregister(sock)
            self._tells = False
            self._told_until = None
        else:
            self._adjust()

    def _adjust(self) -> None:
        wanted = selectors.EVENT_READ
        if self._link.wants_to_write:
            wanted |= selectors.EVENT_WRITE
        sock = self._link_sock()
        if self._selector.get_key(sock).events != wanted:
            self._selector.modify(sock, wanted, self._link)

    def _link_sock(self) -> socket.socket:
        assert self._link.sock is not None
        return self._link.sock

    def _hear(self, message: Any) -> None:
        match message:
            case ListenTo():
                self._listen(message)
            case EndOutput():
                pipe = self._pipes.get(Speaker(message.system_name, message.incarnation))
                if pipe is not None:
                    self._read_pipe(pipe)  # it is closed, unless something else may still write
            case ForgetOutput():
                self._output.forget(message.system_name)
            case TellOutput():
                self._tells = message.on
            case FindLines():
                self._find(message)

    def _find(self, wanted: FindLines) -> None:
        for speaker, pipe in list(self._pipes.items()):
            if wanted.system_name in (None, speaker.system_name):
                self._drain(pipe)
        if wanted.system_name is not None and wanted.incarnation is not None:
            self._said(self._output.last_words(wanted.system_name, wanted.incarnation))
        self._link.say(LinesFound(wanted.number, self._output.find(wanted)))


def _read(fd: int) -> bytes | None:
    """What there is to read; None if that is nothing just now."""
    try:
        return os.read(fd, _ROOM)
    except BlockingIOError:
        return None
    except OSError:
        return b""
