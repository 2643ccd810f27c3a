"""Small processes that measure, each with one actor system or the like, told what to do.

Whoever starts an actor system is forked by it; so nobody starts one who has imported
much, runs threads, or has another. A worker is told by lines of JSON on its standard
input, ``[method, arguments]``, and answers each on its standard output by ``["done",
value]``, ``["cannot", text]`` where the system refused, or ``["failed", text]``. At its end
its forks end with it.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Self

from actors.processes.lifeline import die_with_parent

_ROOT: Final = Path(__file__).parent.parent
_START_TIMEOUT: Final = 30.0
_PENDING: Final = "1000"
"""Thespian stops a sender with so many items unacknowledged, by default 20."""


class WorkerError(Exception):
    """A worker could not do what it was told; the text is for people.

    Args:
        verdict: the same in a word or two.
    """

    def __init__(self, text: str, verdict: str = "failed") -> None:
        super().__init__(text)
        self.verdict = verdict


class Worker:
    """A worker process; every method blocks. Use it as a context manager.

    Args:
        module: ``python -m`` this, with these arguments. It calls :func:`serve`.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        # Thespian reads this when it is imported. All bases have the same.
        environment = {**os.environ, "THESPIAN_MAX_PENDING_TRANSMITS": _PENDING}
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, str(os.getpid()), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_ROOT,
            env=environment,
            bufsize=0,
            start_new_session=True,  # a Ctrl-C is for the one that tells it what to do
        )
        try:
            self._answer(_START_TIMEOUT)
        except BaseException:
            self.end()
            raise

    def call(self, method: str, *arguments: Any, timeout: float = 60.0) -> Any:
        """Have it call a method of what it serves.

        Raises:
            WorkerError: the method failed, or took too long; then the worker is of no more use.
        """
        assert self._process.stdin is not None
        if self._process.poll() is not None:
            raise WorkerError("its process has ended")
        try:
            self._process.stdin.write(json.dumps([method, arguments]).encode() + b"\n")
        except BrokenPipeError as error:
            raise WorkerError("its process has ended") from error
        return self._answer(timeout)

    def end(self) -> None:
        """End its process, and so the kernel all that it forked."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def _answer(self, timeout: float) -> Any:
        assert self._process.stdout is not None
        end = time.monotonic() + timeout
        line = b""
        # Forks of the worker may hold its standard output open when it has ended.
        while not line.endswith(b"\n"):
            if select.select([self._process.stdout], [], [], 0.5)[0]:
                chunk = os.read(self._process.stdout.fileno(), 1 << 16)
                if not chunk:
                    raise WorkerError("its process has ended")
                line += chunk
            elif self._process.poll() is not None:
                raise WorkerError(f"its process ended with code {self._process.returncode}")
            elif time.monotonic() > end:
                self._process.kill()
                raise WorkerError(f"no answer within {timeout:.0f} s")
        outcome, value = json.loads(line)
        if outcome != "done":
            raise WorkerError(value, outcome)
        return value


class NoWorker:
    """In the place of a worker that there is not."""

    def __init__(self, why: str, verdict: str) -> None:
        self._error = WorkerError(why, verdict)

    def call(self, method: str, *arguments: Any, timeout: float = 0.0) -> Any:
        raise self._error

    def end(self) -> None:
        pass


def end_with_parent() -> list[str]:
    """Have this worker process end with the one that started it.

    Returns:
        its arguments.
    """
    parent, *arguments = sys.argv[1:]
    die_with_parent(int(parent))
    return arguments


def serve(make: Callable[[], object]) -> None:
    """Make an object, and call its methods as the parent tells, until it tells no more."""
    try:
        served = make()
    except Exception as error:
        _write_error(error)
        return
    _write("done", None)
    for line in sys.stdin:
        method, arguments = json.loads(line)
        try:
            _write("done", getattr(served, method)(*arguments))
        except Exception as error:
            _write_error(error)


def _write_error(error: Exception) -> None:
    outcome = "cannot" if isinstance(error, OSError) else "failed"
    _write(outcome, str(error) or type(error).__name__)


def _write(outcome: str, value: Any) -> None:
    print(json.dumps([outcome, value]), flush=True)
