"""What every test may use."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest

from tests.helpers import kinds, looking

MARK = "EXTSYS_TEST_MARK"
PATIENCE = 10.0
"""Seconds that anything may take on a busy machine before a test gives up."""

looking.load_profile()

# A shell has what it starts in the background ignore Ctrl-C, and nohup the end of a terminal, and
# all that this starts as well: also what a test means to interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

T = TypeVar("T", bound=Collection[Any])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        kinds.mark(item)
    # The short ones last: nobody is to wait at the end for one that takes long.
    items.sort(key=lambda item: kinds.LENGTHS.index(kinds.kind_of(item)))
    if "long" not in config.option.markexpr:
        long = [item for item in items if item.get_closest_marker("long")]
        items[:] = [item for item in items if item not in long]
        config.hook.pytest_deselected(items=long)


@pytest.fixture(autouse=True)
def pure_tests_stay_inside(request: pytest.FixtureRequest) -> Iterator[None]:
    """What is marked as pure starts no process and reaches no socket."""
    if request.node.get_closest_marker("pure"):
        with kinds.staying_inside(request.node.nodeid):
            yield
    else:
        yield


# ---- nothing is left -----------------------------------------------------------------------


@pytest.fixture
def runtime_dir() -> Iterator[Path]:
    """A directory whose path is short enough for a socket; pytest's own are not."""
    path = Path(tempfile.mkdtemp(prefix="xt-"))
    yield path / "run"
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Both ends of one, which a test may close."""
    ends = os.pipe()
    yield ends
    for fd in ends:
        try:
            os.close(fd)
        except OSError:
            pass  # by the test


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Every process started by the test is gone after it, and so are its threads, files and
    descriptors."""
    yield from _nothing_left()


@pytest.fixture(scope="module")
def nothing_left_of_module() -> Iterator[None]:
    """The same of all tests of a module together, which may share processes."""
    yield from _nothing_left()


def _nothing_left() -> Iterator[None]:
    """Processes are known by a mark in their environment, which all inherit."""
    mark = uuid.uuid4().hex
    private = Path(tempfile.mkdtemp(prefix="xt-"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(MARK, mark)
        patch.setenv("SPT_NOENV", "1")  # setproctitle, where installed, overwrites the mark
        patch.setenv("XDG_RUNTIME_DIR", str(private))
        threads = running_threads()
        descriptors = open_descriptors()
        try:
            yield
            left = wait_until_none(lambda: marked_processes(mark))
            assert not left, f"processes left behind: {left}"
            assert not list(private.iterdir()), "files left in the runtime directory"
            check_threads_and_descriptors(threads, descriptors)
        finally:
            for process in marked_processes(mark):
                process.kill()
            shutil.rmtree(private, ignore_errors=True)


def check_threads_and_descriptors(
    threads: set[threading.Thread], descriptors: set[tuple[str, str]]
) -> None:
    """See that there are no more of this process than these, or soon are not."""
    new_threads = wait_until_none(lambda: running_threads() - threads)
    assert not new_threads, f"threads left behind: {new_threads}"
    new = wait_until_none(lambda: open_descriptors() - descriptors)
    assert not new, f"descriptors left open: {new}"


def running_threads() -> set[threading.Thread]:
    """All but the watch that pytest keeps over each test."""
    return {each for each in threading.enumerate() if not each.name.startswith("pytest_timeout")}


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


def wait_until_none(look: Callable[[], T], seconds: float = PATIENCE) -> T:
    """Wait, with a cap, until ``look`` finds nothing; what it found last."""
    deadline = time.monotonic() + seconds
    while (found := look()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found
