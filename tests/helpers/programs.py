"""Programs run as a user would run them, and what they must not leave behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs
import psutil

ROOT = Path(__file__).parents[2]
MARK = "EXTSYS_TEST_MARK"

# Of a stock Thespian actor system that logged something; ours have theirs elsewhere.
_THESPIAN_LOGS = {"thespian.log", "thespian.log.old"}


@attrs.frozen
class Finished:
    """How a program ended."""

    code: int
    stdout: str
    stderr: str
    leftover_files: list[str]
    leftover_processes: list[str]


@contextmanager
def short_directory() -> Iterator[Path]:
    """An empty directory whose path is short enough for a Unix socket below it."""
    path = Path(tempfile.mkdtemp(prefix="xt-"))
    try:
        yield path.resolve()
    finally:
        shutil.rmtree(path)


def run_program(arguments: Sequence[str], *, seconds: float = 60.0) -> Finished:
    """Run Python with these arguments, in an empty directory that is its temporary
    directory as well, and wait until nothing of it is left, or that takes too long."""
    with short_directory() as directory:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": str(directory),
            MARK: str(directory),
        }
        for name in ("XDG_RUNTIME_DIR", "EXTSYS_RUNTIME_DIR", "EXTSYS_BASE"):
            environment.pop(name, None)
        try:
            done = subprocess.run(
                [sys.executable, *arguments],
                cwd=directory,
                env=environment,
                capture_output=True,
                text=True,
                timeout=seconds,
            )
        finally:
            left = _wait_until_gone(str(directory))
            files = {path.name for path in directory.iterdir()} - _THESPIAN_LOGS
        return Finished(done.returncode, done.stdout, done.stderr, sorted(files), left)


def _wait_until_gone(mark: str, seconds: float = 10.0) -> list[str]:
    """Wait until no process is marked; what is still there is ended and returned."""
    deadline = time.monotonic() + seconds
    while (marked := _marked(mark)) and time.monotonic() < deadline:
        psutil.wait_procs(marked, timeout=0.1)
    shown = []
    for process in marked:
        try:
            shown.append(f"{process.pid}: {' '.join(process.cmdline())}")
            process.kill()
        except psutil.NoSuchProcess:
            pass
    return shown


def _marked(mark: str) -> list[psutil.Process]:
    """Processes with the mark in their environment, or in a directory of its name: one
    that changes its title may overwrite the first."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark or process.cwd() == mark:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            pass
    return [each for each in found if each.status() != psutil.STATUS_ZOMBIE]
