"""What the process of a system says beside its messages: to its logs and its output.

A process writes bytes, to a pipe; where Python knows more of a line than its text, the line begins
with a mark, and is one line whatever line ends are in it::

    US "o" text LF                                   print() to standard output
    US "l" level US logger US text, RS for LF, LF    a record of the logging module
    US "n" text LF                                   of the pipe itself: lines that were lost

What has none comes from C code, from other programs, or from standard error.
"""

from __future__ import annotations

import enum
import logging
from typing import Final

import attrs

MARK: Final = b"\x1f"
STDOUT_MARK: Final = MARK + b"o"
NOTICE_MARK: Final = MARK + b"n"
_RECORD_MARK: Final = MARK + b"l"
_FIELD: Final = "\x1f"
_LINE: Final = "\x1e"
_BEYOND: Final = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if code != 9}
"""What a terminal would obey, and not show."""
_BEYOND_LINES: Final = {code: text for code, text in _BEYOND.items() if code != 10}


class Source(enum.StrEnum):
    """Where a process said something."""

    LOGGING = "logging"
    STDOUT = "stdout"
    """``print``, and what else Python writes to standard output."""
    STDERR = "stderr"
    """Everything else: also what C code, or a program that a connector started, writes to
    standard output."""
    LOST = "lost"
    """Nothing was said here: the text tells what was lost before."""


LEVELS: Final = {
    Source.STDOUT: logging.INFO,
    Source.STDERR: logging.WARNING,
    Source.LOST: logging.WARNING,
}


@attrs.frozen
class OutputLine:
    """A line, or a record of ``logging`` of several lines, that a system's process said."""

    sequence: int
    """Grows with each line of a runtime, of whatever system."""
    time: float
    """Seconds since the epoch, when it was read."""
    system_name: str
    incarnation: int
    source: Source
    level: int
    """As the ``logging`` module counts."""
    logger: str
    """Empty for what is no record of ``logging``."""
    text: str = attrs.field(repr=False)


@attrs.frozen
class Said:
    """What is in one line of bytes."""

    source: Source
    level: int
    logger: str
    text: str


@attrs.frozen
class OutputAddress:
    """Where one incarnation of a system is to write what it says."""

    path: str
    """Of a named pipe."""
    level: int
    """The least severe record of ``logging`` that is said."""


def record_as_line(level: int, logger: str, text: str) -> bytes:
    """A record of ``logging`` as its one line, with its end."""
    name = logger.replace(_FIELD, " ").replace("\n", " ")
    body = text.replace("\r\n", "\n").replace("\n", _LINE)
    return _RECORD_MARK + f"{level}{_FIELD}{name}{_FIELD}{body}\n".encode(errors="backslashreplace")


def said_in(line: bytes) -> Said:
    """What a line of bytes, without its end, says; nothing in it makes this fail."""
    if line.startswith(_RECORD_MARK):
        parts = _decoded(line[len(_RECORD_MARK) :]).split(_FIELD, 2)
        if len(parts) == 3 and parts[0].isdecimal() and len(parts[0]) < 4:
            level, logger, text = parts
            text = text.replace(_LINE, "\n").translate(_BEYOND_LINES)
            return Said(Source.LOGGING, int(level), logger.translate(_BEYOND), text)
    for mark, source in ((STDOUT_MARK, Source.STDOUT), (NOTICE_MARK, Source.LOST)):
        if line.startswith(mark):
            return Said(source, LEVELS[source], "", _shown(line[len(mark) :]))
    return Said(Source.STDERR, LEVELS[Source.STDERR], "", _shown(line))


def _shown(line: bytes) -> str:
    return _decoded(line.removesuffix(b"\r")).translate(_BEYOND)


def _decoded(line: bytes) -> str:
    return line.decode(errors="backslashreplace")


def lines_were(count: int) -> str:
    """How many lines something was done to, for a sentence: ``3 lines were``."""
    return "1 line was" if count == 1 else f"{count} lines were"
