"""A runtime of a host's own, in processes beside it.

The host forks nothing: it starts a small Python process, which forks the runtime's root and
becomes its reaper. A pipe from the host to the root is the lifeline: the root ends everything as
soon as it closes, however the host ended.
"""

from __future__ import annotations

import atexit
import json
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import cattrs

from actors.processes.shortages import in_words
from supervisor.messages.record import Record
from supervisor.runtime.directory import (
    DirectoryError,
    RuntimeDirectory,
    private_directory_path,
)
from supervisor.runtime.frozen import root_program
from supervisor.specs.options import SupervisorOptions

_EXIT_TIMEOUT: Final = 10.0
"""Seconds a runtime may take to end before it is killed."""
_CLEAR_TIMEOUT: Final = 1.0
"""Seconds that the processes of a killed one may take to end."""
_RETRY: Final = 0.01
"""Seconds between two attempts to remove what they left."""

_running: set[EmbeddedRuntime] = set()


class EmbeddedRuntime:
    """Started and stopped from the host; its methods block, and may run in any thread."""

    def __init__(self, process: subprocess.Popen[bytes], lifeline: int, directory: Path) -> None:
        self._process = process
        self._lifeline: int | None = lifeline
        self._directory = directory
        self._host_pid = os.getpid()
        self.socket_path = ""

    @classmethod
    def start(cls, options: SupervisorOptions, record: Record | None = None) -> EmbeddedRuntime:
        """Start a runtime; returns when its supervisor answers.

        Args:
            record: of a runtime that was killed: its systems come back.

        Raises:
            RuntimeError: it did not start; the text says why.
        """
        program = root_program()
        _forget_ended()
        try:
            directory = private_directory_path()
        except DirectoryError as error:
            raise RuntimeError(f"the runtime did not start: {error}") from error
        pickled = b"" if record is None else pickle.dumps(record)
        setup = {
            "directory": str(directory),
            "sys_path": _import_path(),
            "log_level": options.log_level.value,
            "options": cattrs.unstructure(options),
            "record_bytes": len(pickled),
        }
        fds: list[int] = []
        try:
            for _ in range(2):
                fds += os.pipe()
            ready_read, ready_write, life_read, life_write = fds
            process = subprocess.Popen(
                [
                    *program,
                    *(str(life_read), str(ready_write), str(os.getpid())),
                ],
                pass_fds=(life_read, ready_write),
                env=_environment(),
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # a Ctrl-C for the host is not one for the runtime
            )
        except OSError as error:
            for fd in fds:
                os.close(fd)
            raise RuntimeError(f"cannot start {sys.executable}: {in_words(error)}") from error
        os.close(life_read)
        os.close(ready_write)
        try:
            with os.fdopen(life_write, "wb", closefd=False) as pipe:
                pipe.write(json.dumps(setup).encode() + b"\n" + pickled)
        except BrokenPipeError:
            pass  # it has ended already, as its answer shows
        with os.fdopen(ready_read) as ready:
            line = ready.readline()
        answer: dict[str, Any] = json.loads(line) if line else {}
        runtime = cls(process, life_write, directory)
        _running.add(runtime)
        if "socket" not in answer:
            runtime.stop()
            why = answer.get("error", f"its root process ended with code {process.returncode}")
            raise RuntimeError(f"the runtime did not start: {why}")
        runtime.socket_path = answer["socket"]
        return runtime

    def let_go(self) -> None:
        """Have the runtime end, without waiting for it."""
        lifeline, self._lifeline = self._lifeline, None
        if lifeline is not None and self.is_own:
            try:
                # Closing is not enough while a fork of the host holds a copy.
                os.write(lifeline, b"\n")
            except BrokenPipeError:
                pass  # it has ended already
            os.close(lifeline)

    @property
    def is_own(self) -> bool:
        """Whether it is this process's, and not that of one which this is a fork of."""
        return os.getpid() == self._host_pid

    @property
    def is_running(self) -> bool:
        """Whether its reaper is there: it ends after all others."""
        return self._process.poll() is None

    @property
    def has_ended(self) -> bool:
        """Whether it was let go of, and is gone."""
        return self._lifeline is None and self._process.poll() is not None

    def kill(self) -> None:
        """End all its processes at once, without waiting for that."""
        self._process.terminate()  # at which the reaper kills the root, and what is left

    def stop(self) -> None:
        """Have the runtime end, and wait until it is gone."""
        self.let_go()
        try:
            self._process.wait(_EXIT_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._end_at_once()
        # The root does this itself, unless it was killed.
        _remove(self._directory)
        _running.discard(self)

    def _end_at_once(self) -> None:
        self.kill()
        try:
            self._process.wait(_EXIT_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _remove(directory: Path) -> None:
    """Remove a directory in which processes that die with a killed root may just make files."""
    deadline = time.monotonic() + _CLEAR_TIMEOUT
    remains = RuntimeDirectory(directory)
    while not remains.remove_remains() and time.monotonic() < deadline:
        time.sleep(_RETRY)


def _forget_ended() -> None:
    """Those let go of that have ended: nobody else waits for their processes."""
    for runtime in list(_running):
        if runtime.is_own and runtime.has_ended:
            runtime.stop()


def _import_path() -> list[str]:
    """The host's ``sys.path``, as it is found from any directory."""
    try:
        here = os.getcwd()
    except FileNotFoundError:  # it was removed, and nothing can be imported from it
        return [entry for entry in sys.path if os.path.isabs(entry)]
    return [os.path.normpath(os.path.join(here, entry)) for entry in sys.path]


def _environment() -> dict[str, str]:
    """The host's environment, in which the root can import this package as well."""
    home = str(Path(__file__).resolve().parents[2])
    path = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": home if not path else f"{home}{os.pathsep}{path}"}


@atexit.register
def _stop_all() -> None:
    own = [runtime for runtime in _running if runtime.is_own]
    for runtime in own:
        runtime.let_go()
    for runtime in own:
        runtime.stop()
