"""What a system's process says goes into a pipe that its runtime reads."""

from __future__ import annotations

import faulthandler
import logging
import multiprocessing
import os
import stat
import sys

from actors.messages.output import OutputAddress, record_as_line
from actors.processes.outlet import Outlet, never_wait_for_readers


def speak_into(address: OutputAddress) -> None:
    """Have all that this process says from now on go there: ``logging``, ``print``, what C code
    and other programs write to its standard output and error, and what native code crashes of.

    It never waits for the reader with what Python writes; C code waits while the pipe is full.

    Raises:
        OSError: the pipe is not there.
    """
    if multiprocessing.parent_process() is None:
        return  # actors share the host's process, whose output is the host's
    # Both ends: with a reader of its own nobody in this process gets an EPIPE, nor a SIGPIPE,
    # when whoever reads is killed; the next one goes on where it left off.
    fd = os.open(address.path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        if not stat.S_ISFIFO(os.fstat(fd).st_mode):
            raise OSError(f"{address.path} is no pipe")
        os.dup2(fd, 1)
        os.dup2(fd, 2)
    finally:
        os.close(fd)
    outlet = never_wait_for_readers(marks=True)
    sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr  # type: ignore[misc,assignment]
    faulthandler.enable(2, all_threads=False)
    root = logging.getLogger()
    root.handlers = [_Handler(outlet)]
    root.setLevel(address.level)


def flush_streams() -> None:
    """Have said what Python has kept back until its line ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # a connector may have closed it, or put another there
            pass


class _Handler(logging.Handler):
    """Says records as what they are, with level and logger."""

    def __init__(self, outlet: Outlet) -> None:
        super().__init__()
        self._outlet = outlet
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except Exception as error:  # whatever an argument's own code raises
            text = f"{record.msg!r} cannot be formatted: {type(error).__name__}: {error}"
        self._outlet.put(record_as_line(record.levelno, record.name, text), own_line=True)
