"""Nothing that a benchmark started outlives it."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from actors.processes.lifeline import end_descendants_with_parents


@contextmanager
def nothing_left_behind() -> Iterator[None]:
    """At the end, however it comes, every process forked or started inside is gone.

    This process adopts the orphans among its descendants, so that it finds all of them;
    should it be killed itself, the kernel ends the actors and a closed pipe the runtime.
    """
    end_descendants_with_parents()
    us = os.getpid()
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="extsys-benchmark-") as directory:
        os.environ["THESPLOG_FILE"] = os.path.join(directory, "thespian.log")
        # A runtime that is cut off while it starts leaves its directory in here.
        os.environ["XDG_RUNTIME_DIR"] = directory
        try:
            yield
        finally:
            # A forked actor that unwinds to here must not end its siblings.
            if os.getpid() == us:
                end_all()
                signal.signal(signal.SIGTERM, before)


def end_all() -> None:
    """Kill every process forked or started by this one, and wait until they are gone."""
    # A process killed may leave children to adopt, seen at the next look.
    while left := psutil.Process().children(recursive=True):
        for process in left:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                pass
        psutil.wait_procs(left, timeout=3)
