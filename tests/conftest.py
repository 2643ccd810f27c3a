"""Fixtures for tests that start real processes: each test leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

MARK = "EXTSYS_TEST_MARK"
PATIENCE = 10.0
"""Seconds that anything may take on a busy machine before a test gives up."""


@pytest.fixture
def runtime_dir() -> Iterator[Path]:
    """A directory whose path is short enough for a socket; pytest's own are not."""
    path = Path(tempfile.mkdtemp(prefix="xt-"))
    yield path / "run"
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def nothing_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every process started by the test is gone after it, and so are its threads, files and
    descriptors. Processes are known by a mark in their environment, which all inherit."""
    mark = uuid.uuid4().hex
    private = Path(tempfile.mkdtemp(prefix="xt-"))
    monkeypatch.setenv(MARK, mark)
    monkeypatch.setenv("SPT_NOENV", "1")  # setproctitle, where installed, overwrites the mark
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(private))
    threads = set(threading.enumerate())
    descriptors = open_descriptors()
    yield
    try:
        left = wait_until_none(lambda: marked_processes(mark))
        assert not left, f"processes left behind: {left}"
        assert not list(private.iterdir()), "files left in the runtime directory"
        new_threads = wait_until_none(lambda: set(threading.enumerate()) - threads)
        assert not new_threads, f"threads left behind: {new_threads}"
        new = wait_until_none(lambda: open_descriptors() - descriptors)
        assert not new, f"descriptors left open: {new}"
    finally:
        for process in marked_processes(mark):
            process.kill()
        shutil.rmtree(private, ignore_errors=True)


def marked_processes(mark: str) -> list[psutil.Process]:
    """The processes, other than this one, that carry a mark. A zombie has none any more."""
    found = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            if process.environ().get(MARK) == mark:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def open_descriptors() -> set[tuple[str, str]]:
    found = set()
    for entry in os.listdir("/proc/self/fd"):
        try:
            found.add((entry, os.readlink(f"/proc/self/fd/{entry}")))
        except OSError:
            continue
    return found


def wait_until_none(look, seconds: float = PATIENCE):  # type: ignore[no-untyped-def]
    """Wait, with a cap, until ``look`` finds nothing; what it found last."""
    deadline = time.monotonic() + seconds
    while (found := look()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found
