"""What systems say, handed on to the ``logging`` of the program that embeds their runtime."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable

from actors import loggers
from actors.messages.output import OutputLine, Source
from supervisor.output.shown import line_as_log, line_text


def log_lines(lines: Iterable[OutputLine], least: int) -> None:
    """Hand lines on to loggers of their systems' names, ``extsys.system.NAME``: standard output
    as INFO, everything else that is no record of ``logging`` as WARNING.

    A program that has set up no logging gets them on its standard error.

    Args:
        least: the least severe record of ``logging`` that is shown there.
    """
    for line in lines:
        logger = logging.getLogger(f"{loggers.SYSTEM}.{line.system_name}")
        if logger.hasHandlers():
            if logger.isEnabledFor(line.level):
                logger.handle(_record(logger.name, line))
        elif _is_shown(logger, line, least) and sys.stderr is not None:
            try:
                sys.stderr.write(line_as_log(line))
            except (OSError, ValueError):
                pass  # nobody reads it


def _record(name: str, line: OutputLine) -> logging.LogRecord:
    text = f"{line.system_name}[{line.incarnation}]: {line_text(line)}"
    record = logging.LogRecord(name, line.level, "", 0, text, None, None)
    record.created = line.time
    record.msecs = line.time % 1 * 1000
    record.system_name = line.system_name
    record.incarnation = line.incarnation
    return record


def _is_shown(logger: logging.Logger, line: OutputLine, least: int) -> bool:
    above: logging.Logger | None = logger
    while above is not None and above.parent is not None:
        if above.level:  # somebody has set one
            return line.level >= above.level
        above = above.parent
    return line.source is not Source.LOGGING or line.level >= least
