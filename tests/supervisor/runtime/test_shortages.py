"""What is short when a system cannot be started is named, beforehand where it can be."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actors.processes.shortages import ShortageError, in_words
from supervisor.runtime.limits import EXIT_SUPERVISOR_DIED
from supervisor.runtime.shortages import require_files, too_many
from tests.helpers.commands import program, write_config
from tests.helpers.support import PATIENCE

FEW = 64
"""Open files."""
MANY = 40
"""Systems, for which those will not do."""


@contextmanager
def limited(soft: int, hard: int | None = None) -> Iterator[None]:
    """Have this process, and what it starts, keep to a soft limit of open files."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1] if hard is None else hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def run_limited(runtime_dir: Path, limit: int, text: str) -> tuple[int, str]:
    """Exit code and output of a supervisor that may have so few files open; it ends itself."""
    line = program(runtime_dir, "run", str(write_config(runtime_dir, text)))
    done = subprocess.run(
        ["sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh", *line],
        capture_output=True,
        text=True,
        timeout=PATIENCE * 2,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.usefixtures("nothing_left")
def test_too_many_systems_are_said_beforehand_and_named_as_the_cause(runtime_dir: Path) -> None:
    plant = "".join(f'[[system]]\nname = "s{n}"\nkind = "mock"\n' for n in range(MANY))
    code, text = run_limited(runtime_dir, FEW, plant)
    assert code == EXIT_SUPERVISOR_DIED
    assert f"{MANY} systems need about 96 open files, and this process may have {FEW}" in text
    assert "its process did not start: its supervisor may have 64 files open" in text
    assert "ulimit -n" in text
    assert "told to exit from outside" not in text
    assert not runtime_dir.exists()


def run_fresh(text: str) -> str:
    """What a program prints: this process may have more files open than a limit allows."""
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=PATIENCE * 2
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.usefixtures("nothing_left")
def test_a_low_soft_limit_is_raised() -> None:
    raised = f"""
import resource
from tests.helpers.support import mock, with_manager
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, ({FEW}, hard))
async def work(manager):
    return len(await manager.status_all())
print(with_manager(work, *(mock(f"s{{n}}", connect=False) for n in range({MANY}))))
"""
    assert run_fresh(raised) == f"{MANY}\n"


@pytest.mark.usefixtures("nothing_left")
def test_a_descriptor_above_the_limit_is_let_go_of() -> None:
    """A host, or what started it, opened it before the limit was lowered."""

    high = os.dup2(0, 500)
    lowered = """
import resource, sys
from tests.helpers.support import mock, with_manager
resource.setrlimit(resource.RLIMIT_NOFILE, (400, 400))
async def work(manager):
    return await manager.send_data_to_system("a", 1)
print(with_manager(work, mock("a")))
"""
    try:
        done = subprocess.run(
            [sys.executable, "-c", lowered],
            pass_fds=(high,),
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        os.close(high)
    assert (done.stdout, done.stderr) == ("True\n", "")


@pytest.mark.usefixtures("nothing_left")
def test_a_system_that_there_is_no_room_for_says_so() -> None:
    """The limit is the host's, and its runtime's."""

    no_room = f"""
import asyncio, logging, resource
from supervisor import ExternalSystemError, ExternalSystemManager
from tests.helpers.support import QUIET, mock

async def main():
    async with ExternalSystemManager(strict=True, options=QUIET) as manager:
        for number in range({MANY}):
            manager.register_system(mock(f"s{{number}}", connect=False))
        try:
            await manager.start()
        except ExternalSystemError as error:
            print(error)
        try:
            await manager.connect_system("s{MANY - 1}")
        except ExternalSystemError as error:
            print(error)

logging.disable()
resource.setrlimit(resource.RLIMIT_NOFILE, ({FEW}, {FEW}))
asyncio.run(main())
"""
    first, later = run_fresh(no_room).splitlines()
    assert f"its supervisor may have {FEW} files open, and has nearly as many" in first
    assert later.startswith(f"s{MANY - 1}: it could not be registered: ")


# ---- in words ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "too many files are open in one process"),
        (OSError(errno.ENFILE, "Too many open files"), "raise fs.file-max"),
        (OSError(errno.EAGAIN, "Resource temporarily unavailable"), "no more processes"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "no memory is left"),
        (MemoryError(), "no memory is left"),
        (OSError(errno.ENOSPC, "No space left on device"), "a file system is full"),
        (ShortageError(errno.EMFILE, "too few"), "too few"),
        (RuntimeError("can't start new thread"), "no more processes and threads"),
        (ValueError("no"), "ValueError: no"),
        (OSError(errno.ENOENT, "No such file or directory"), "FileNotFoundError"),
    ],
)
def test_what_is_short_is_said_with_the_remedy(error: BaseException, text: str) -> None:
    assert text in in_words(error)


@pytest.mark.parametrize(
    ("free", "text"), [({"f_bavail": 0}, "no space is left"), ({"f_favail": 2}, "no inodes are")]
)
def test_a_full_file_system_is_found_beforehand(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: dict[str, int], text: str
) -> None:
    has: dict[str, Any] = {"f_blocks": 9, "f_bavail": 9, "f_files": 99, "f_favail": 99}
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(**{**has, **free}))
    with pytest.raises(ShortageError) as raised:
        require_files(str(tmp_path))
    assert text in str(raised.value)


def test_a_file_system_without_inodes_of_its_own_is_not_full(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    room = SimpleNamespace(f_blocks=9, f_bavail=9, f_files=0, f_favail=0)
    monkeypatch.setattr(os, "statvfs", lambda _: room)
    require_files(str(tmp_path))


def test_what_will_do_is_not_spoken_of() -> None:
    with limited(2000):
        assert too_many(1900) is None
        assert "2,056 open files" in str(too_many(2000))
