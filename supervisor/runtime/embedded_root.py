"""The program of an embedded runtime's root, and of the reaper above it: started by a host, ends
with it.

``python -m supervisor.runtime.embedded_root LIFELINE_FD READY_FD HOST_PID``; how it is
started is in :mod:`supervisor.runtime.embedded`.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import sys
from pathlib import Path
from typing import Any, Final

from actors import loggers
from actors.processes.logs import log_to_stderr
from actors.processes.outlet import never_wait_for_readers
from actors.processes.shortages import in_words
from supervisor.runtime.directory import OTHER_PARENT, ReplacedError, RuntimeDirectory
from supervisor.runtime.limits import EXIT_OK, EXIT_REPLACED, EXIT_SUPERVISOR_DIED
from supervisor.runtime.processes import open_pidfd, wait_readable
from supervisor.runtime.reaper import run_with_reaper
from supervisor.runtime.root import Interrupted, Root
from supervisor.runtime.scribe import Scribe
from supervisor.runtime.shortages import raise_descriptor_limit
from supervisor.specs.options import SupervisorOptions

ORPHAN_GRACE: Final = 0.5
"""Seconds that systems have to disconnect in when the host has died."""


def run_embedded(lifeline_fd: int, ready_fd: int, host_pid: int) -> int:
    """Run a runtime for a host, until the host stops it or is gone.

    Args:
        lifeline_fd: a pipe from the host: first a line of JSON that says what to run, and
            the record to come back from if there is one, then nothing; its end is the
            host's end.
        ready_fd: a pipe to the host: one line of JSON when the runtime is up.

    Returns:
        the exit code.
    """
    never_wait_for_readers()
    return run_with_reaper(
        lambda reaper: _run(lifeline_fd, ready_fd, host_pid, reaper), passes_on=False
    )


def _run(lifeline_fd: int, ready_fd: int, host_pid: int, reaper: int | None) -> int:
    """What the root does.

    Args:
        reaper: readable once the reaper is gone: killed, and all is to end at once.
    """
    setup, pickled = _read_setup(lifeline_fd)
    sys.path[:] = setup["sys_path"]
    raise_descriptor_limit()
    directory = RuntimeDirectory(Path(setup["directory"]), OTHER_PARENT)
    record = pickle.loads(pickled) if pickled else None
    try:
        # What systems say is shown by the host.
        scribe = Scribe(directory.socket_path, None)
    except RuntimeError as error:
        _tell_host(ready_fd, {"error": str(error)})
        return EXIT_SUPERVISOR_DIED
    log_to_stderr(setup["log_level"])
    root = Root(directory, SupervisorOptions(**setup["options"]), record=record, scribe=scribe)
    wake_fds = [lifeline_fd]
    host = open_pidfd(host_pid)
    if host is not None:
        # The lifeline alone would not end while some other child of the host, forked
        # later, holds a copy of it.
        wake_fds.append(host)
    above = [] if reaper is None else [reaper]
    private_fds = [ready_fd, *wake_fds, *above]
    try:
        try:
            directory.take()
            root.start(private_fds, wake_fds + above)
        except Interrupted:
            return EXIT_OK
        except Exception as error:
            _tell_host(ready_fd, {"error": in_words(error)})
            return EXIT_SUPERVISOR_DIED
        private_fds.remove(ready_fd)  # closed, and may be another's by the next fork
        _tell_host(ready_fd, {"socket": directory.socket_path})
        return _serve_host(root, wake_fds, above)
    finally:
        root.end()
        directory.release(remove=True)
        scribe.finish()


def _serve_host(root: Root, wake_fds: list[int], above: list[int]) -> int:
    try:
        closing = root.wait(wake_fds + above)
    except ReplacedError as error:
        logging.getLogger(loggers.ROOT).error("%s; its systems are ended", error)
        root.stop(ORPHAN_GRACE)
        return EXIT_REPLACED
    except RuntimeError as error:
        logging.getLogger(loggers.ROOT).error("%s; its systems were ended with it", error)
        return EXIT_SUPERVISOR_DIED
    if closing is None:
        if not wait_readable(above, 0.0):  # else the host starts the next: all ends at once
            root.stop(ORPHAN_GRACE, above)
        return EXIT_OK
    return closing.exit_code


def _tell_host(ready_fd: int, answer: dict[str, str]) -> None:
    try:
        os.write(ready_fd, json.dumps(answer).encode() + b"\n")
    except BrokenPipeError:
        pass  # nobody listens any more: the end of the lifeline says so
    os.close(ready_fd)


def _read_setup(fd: int) -> tuple[dict[str, Any], bytes]:
    with os.fdopen(fd, "rb", buffering=0, closefd=False) as pipe:
        line = pipe.readline()
        if not line.endswith(b"\n"):
            raise SystemExit("the host ended before it said what to run")
        setup: dict[str, Any] = json.loads(line)
        pickled = b""
        while len(pickled) < setup["record_bytes"]:
            data = pipe.read(setup["record_bytes"] - len(pickled))
            if not data:
                raise SystemExit("the host ended before it gave the record")
            pickled += data
    return setup, pickled


if __name__ == "__main__":
    sys.exit(run_embedded(*map(int, sys.argv[1:])))
