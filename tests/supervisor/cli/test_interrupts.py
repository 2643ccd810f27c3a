"""Ctrl-C in a command that talks to a supervisor."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from supervisor.cli.client import EXIT_INTERRUPTED
from tests.helpers.commands import extsys, program
from tests.helpers.support import PATIENCE

WAITS = [
    ("receive", "plc-1", "--wait", "60"),
    ("send", "plc-1", "-"),  # it reads its standard input
]
FOLLOWS = [("watch",), ("logs", "plc-1", "-f"), ("tree", "--watch"), ("status", "--watch")]


def interrupted(directory: Path, *args: str) -> tuple[int, str]:
    """Exit code and errors of a command that is interrupted once it works."""
    process = subprocess.Popen(
        program(directory, *args),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + PATIENCE
        while not _works(process.pid, reads=args[-1] == "-"):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        return process.wait(PATIENCE), process.stderr.read() if process.stderr else ""
    finally:
        process.kill()
        process.communicate()


def _works(pid: int, reads: bool) -> bool:
    """Whether it has the sockets of an event loop, or waits for its input."""
    if not reads:
        return bool(psutil.Process(pid).net_connections("unix"))
    return "pipe" in Path(f"/proc/{pid}/wchan").read_text()


@pytest.mark.parametrize("args", WAITS, ids=" ".join)
def test_a_command_that_is_interrupted_has_not_succeeded(
    plant: Path, args: tuple[str, ...]
) -> None:
    assert interrupted(plant, *args) == (EXIT_INTERRUPTED, "")


@pytest.mark.parametrize("args", FOLLOWS, ids=" ".join)
def test_a_command_that_shows_things_until_then_has(plant: Path, args: tuple[str, ...]) -> None:
    assert interrupted(plant, *args) == (0, "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_can_be_had_to_complete_commands(tmp_path: Path, shell: str) -> None:
    done = extsys(tmp_path, "completion", shell)
    assert done.returncode == 0
    assert f"_EXTSYS_COMPLETE={shell}_complete" in done.stdout
