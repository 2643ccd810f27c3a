"""A runtime's directory, in this process."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.runtime.directory import DirectoryError, RuntimeDirectory
from tests.helpers.programs import ROOT


@pytest.fixture
def held(runtime_dir: Path) -> Iterator[RuntimeDirectory]:
    directory = RuntimeDirectory(runtime_dir)
    directory.take()
    yield directory
    directory.release(remove=True)


def test_a_released_directory_goes_with_all_that_a_runtime_wrote(runtime_dir: Path) -> None:
    directory = RuntimeDirectory(runtime_dir)
    directory.take()
    # Thespian moves its log there when it has grown.
    for name in ("thespian.log", "thespian.log.old"):
        (runtime_dir / name).touch()
    directory.release(remove=True)
    assert not runtime_dir.exists()


def test_looking_whether_a_directory_is_free_leaves_nothing_in_it(runtime_dir: Path) -> None:
    runtime_dir.mkdir(0o700)
    assert RuntimeDirectory(runtime_dir).wait_until_free(0.0)
    assert not list(runtime_dir.iterdir())


def test_what_is_no_runtimes_is_held_by_none(runtime_dir: Path) -> None:
    runtime_dir.mkdir()
    runtime_dir.chmod(0o755)
    assert RuntimeDirectory(runtime_dir).wait_until_free(0.0)
    (runtime_dir / "file").touch()
    assert RuntimeDirectory(runtime_dir / "file").wait_until_free(0.0)
    assert RuntimeDirectory(runtime_dir / "file" / "below").wait_until_free(0.0)


def test_without_a_descriptor_left_nobody_knows_whether_it_is_free(
    runtime_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(socket, "socket", no_room)
    assert not RuntimeDirectory(runtime_dir).wait_until_free(0.0)


def test_looking_does_not_take_a_directory_from_its_holder_in_the_same_process(
    held: RuntimeDirectory,
) -> None:
    assert not RuntimeDirectory(held.path).wait_until_free(0.0)
    os.close(os.open(held.path, os.O_RDONLY))  # a POSIX lock would be gone with this
    assert is_refused_elsewhere(held.path)


def test_two_in_one_process_cannot_hold_a_directory(held: RuntimeDirectory) -> None:
    with pytest.raises(DirectoryError, match=rf"\(pid {os.getpid()}\) runs in .* already"):
        RuntimeDirectory(held.path).take()
    assert is_refused_elsewhere(held.path)


def test_what_a_holder_forked_does_not_hold_the_directory_after_it(runtime_dir: Path) -> None:
    ready, say_ready = os.pipe()
    wait, end = os.pipe()
    holder = os.fork()
    if not holder:
        RuntimeDirectory(runtime_dir).take()
        if not os.fork():
            os.close(end)
            os.write(say_ready, b".")
            os.read(wait, 1)
        else:
            os.read(ready, 1)
        os._exit(0)
    os.waitpid(holder, 0)
    try:
        next_one = RuntimeDirectory(runtime_dir)
        assert next_one.wait_until_free(0.0)
        next_one.take()
        next_one.release(remove=True)
    finally:
        for fd in (ready, say_ready, wait, end):
            os.close(fd)


def test_somebody_who_looks_does_not_keep_a_runtime_out(
    runtime_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime_dir.mkdir(0o700)
    looking = os.open(runtime_dir, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    monkeypatch.setattr(time, "sleep", lambda _: fcntl.flock(looking, fcntl.LOCK_UN))
    try:
        directory = RuntimeDirectory(runtime_dir)
        directory.take()
        directory.release(remove=True)
    finally:
        os.close(looking)


def test_a_runtime_of_an_older_version_keeps_others_out(runtime_dir: Path) -> None:
    runtime_dir.mkdir(0o700)
    program = (
        "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.lockf(f, fcntl.LOCK_EX);"
        "f.write('77'); f.flush(); print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, runtime_dir / "lock"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as old:
        assert old.stdin is not None
        assert old.stdout is not None
        old.stdout.readline()
        with pytest.raises(DirectoryError, match="if an older extsys runs there, stop that first"):
            RuntimeDirectory(runtime_dir).take()
        old.stdin.close()


def is_refused_elsewhere(path: Path) -> bool:
    """Whether another process cannot hold the directory."""
    program = (
        "import sys; from pathlib import Path\n"
        "from supervisor.runtime.directory import DirectoryError, RuntimeDirectory\n"
        "try: RuntimeDirectory(Path(sys.argv[1])).take()\n"
        "except DirectoryError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return f"(pid {os.getpid()}) runs in" in done.stdout
