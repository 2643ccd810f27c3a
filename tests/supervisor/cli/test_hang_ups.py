"""A supervisor that hangs up on a command."""

from __future__ import annotations

from pathlib import Path

from supervisor.cli.client import EXIT_UNREACHABLE
from supervisor.runtime.directory import RuntimeDirectory
from tests.helpers.commands import extsys_process
from tests.helpers.doors import door_that_hangs_up


def test_a_command_that_is_hung_up_on_says_so_in_one_line(runtime_dir: Path) -> None:
    runtime_dir.mkdir(mode=0o700, exist_ok=True)
    with door_that_hangs_up(RuntimeDirectory(runtime_dir).socket_path, lambda first: b""):
        done = extsys_process(runtime_dir, "status")
    assert done.returncode == EXIT_UNREACHABLE
    [line] = done.stderr.splitlines()
    assert line.startswith("extsys: ")
