"""A runtime's directory, in this process."""

from __future__ import annotations

from pathlib import Path

from supervisor.runtime.directory import RuntimeDirectory


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
