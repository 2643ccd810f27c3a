"""A runtime's directory, and what is in it, while others clear them away."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.unix_base.kernel import path_claim
from supervisor.runtime.belongings import MARKER
from supervisor.runtime.directory import DirectoryError, ReplacedError, RuntimeDirectory
from tests.helpers.net import leave_dead_socket

pytestmark = pytest.mark.process
LONG_AGO = 11 * 24 * 3600.0


@pytest.fixture
def held(runtime_dir: Path) -> Iterator[RuntimeDirectory]:
    directory = RuntimeDirectory(runtime_dir)
    directory.take()
    yield directory
    directory.release(remove=True)


def test_a_directory_that_was_removed_is_made_again_for_its_holder(
    held: RuntimeDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(held.path)
    with pytest.raises(DirectoryError, match=rf"\(pid {os.getpid()}\) runs in .* already"):
        RuntimeDirectory(held.path).take()
    held.look(time.time())
    assert [each.name for each in held.path.iterdir()] == [MARKER]
    assert not RuntimeDirectory(held.path).wait_until_free(0.0)
    assert "was removed; it was made again" in caplog.text
    held.release(remove=True)
    assert not held.path.exists()


def test_a_marker_that_was_removed_is_made_again(held: RuntimeDirectory) -> None:
    (held.path / MARKER).unlink()
    held.look(time.time())
    assert (held.path / MARKER).is_file()


def test_what_others_of_the_runtime_made_before_the_holder_looked_is_theirs(
    held: RuntimeDirectory,
) -> None:
    shutil.rmtree(held.path)
    (held.path / "actors").mkdir(0o700, parents=True)
    held.path.chmod(0o700)
    leave_dead_socket(str(held.path / "supervisor.sock"))
    held.look(time.time())
    assert (held.path / MARKER).is_file()


def test_what_is_put_in_its_place_is_not_touched_and_said_once(
    held: RuntimeDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(held.path)
    held.path.mkdir(0o700)
    (held.path / "notes.txt").write_text("precious")
    for _ in range(3):
        held.look(time.time())
    assert [each.name for each in held.path.iterdir()] == ["notes.txt"]
    assert [each.levelno for each in caplog.records] == [logging.ERROR]
    assert "it holds notes.txt" in caplog.text
    (held.path / "notes.txt").unlink()
    held.look(time.time())
    assert (held.path / MARKER).is_file()


def test_a_first_that_was_replaced_finds_that(
    runtime_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(path_claim, "HAS_CLAIMS", False)
    first, second = RuntimeDirectory(runtime_dir), RuntimeDirectory(runtime_dir)
    first.take()
    shutil.rmtree(runtime_dir)
    second.take()
    leave_dead_socket(second.socket_path)
    with pytest.raises(ReplacedError, match=rf"another supervisor \(pid {os.getpid()}\)"):
        first.look(time.time())
    first.release(remove=True)
    assert (runtime_dir / "supervisor.sock").exists()
    second.release(remove=True)


def age(path: Path) -> None:
    then = time.time() - LONG_AGO
    for each in (path, *path.rglob("*")):
        os.utime(each, (then, then))


def test_all_that_a_runtime_has_is_kept_young_and_nothing_else(held: RuntimeDirectory) -> None:
    for name in ("actors", "d"):
        (held.path / name).mkdir(0o700)
    leave_dead_socket(held.socket_path)
    leave_dead_socket(str(held.path / "actors" / "admin"))
    leave_dead_socket(str(held.path / "d" / "1f-1"))
    (held.path / "d" / "1f-1.tally").touch()
    (held.path / "notes.txt").touch()
    age(held.path)
    held.look(time.time())
    old = time.time() - LONG_AGO / 2
    every = (held.path, *held.path.rglob("*"))
    assert [each.name for each in every if each.stat().st_mtime < old] == ["notes.txt"]
    (held.path / "notes.txt").unlink()


def test_what_is_young_is_left_as_it_is(held: RuntimeDirectory) -> None:
    age(held.path)
    marker = held.path / MARKER
    then = marker.stat().st_mtime
    held.look(then + 1.0)
    assert marker.stat().st_mtime == then
    held.look(then + 601.0)
    assert marker.stat().st_mtime > then
