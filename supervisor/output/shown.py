"""How lines of output are shown to people. Pure."""

from __future__ import annotations

import json
import logging
from datetime import datetime

import attrs

from actors import loggers
from actors.messages.output import OutputLine, Source


def line_as_log(line: OutputLine) -> str:
    """As in the log of a standalone supervisor: each line says who speaks."""
    moment = datetime.fromtimestamp(line.time)
    time = f"{moment:%Y-%m-%d %H:%M:%S},{moment.microsecond // 1000:03d}"
    head = f"{time} {kind_of(line):<7} {loggers.SYSTEM}.{line.system_name}[{line.incarnation}]: "
    return "".join(f"{head}{each}\n" for each in (line_text(line).splitlines() or [""]))


def line_as_json(line: OutputLine) -> str:
    return json.dumps({**attrs.asdict(line), "level": logging.getLevelName(line.level)})


def line_text(line: OutputLine) -> str:
    """What was said, with the name of the logger that said it, if one did."""
    named = line.source is Source.LOGGING and line.logger not in ("", "root")
    return f"{line.logger}: {line.text}" if named else line.text


def kind_of(line: OutputLine) -> str:
    """Its level, or else where it was written."""
    if line.source is Source.LOGGING:
        return logging.getLevelName(line.level)
    return "WARNING" if line.source is Source.LOST else line.source.value
