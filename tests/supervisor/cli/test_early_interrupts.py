"""Ctrl-C while the command line itself is being imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.cli.client import EXIT_INTERRUPTED
from tests.helpers.support import PATIENCE

START = """
import os, signal, sys
class Interrupts:
    left = {nth}
    def find_spec(self, *about):
        self.left -= "supervisor.cli" in sys.modules
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupts())
sys.argv = ["extsys", "--version"]
{how}
"""
WAYS = {
    "the console script": "from supervisor.cli import main; main()",
    "python -m": "import runpy; runpy.run_module('supervisor', run_name='__main__')",
}


@pytest.mark.parametrize("nth", [1, 2, 5, 20, 60, 120, 180])
@pytest.mark.parametrize("how", WAYS.values(), ids=WAYS)
def test_it_ends_without_a_word_whatever_is_being_imported(how: str, nth: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", START.format(nth=nth, how=how)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout, done.stderr) == (EXIT_INTERRUPTED, "", "")


def test_nothing_that_takes_time_is_imported_before_the_command_line() -> None:
    program = "import supervisor, sys; print([m for m in sys.modules if m.startswith('actors')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n"


LOOP = """
import asyncio, os, signal
from supervisor.cli import main
original = asyncio.SelectorEventLoop.{method}
def interrupted(self, *args, **kwargs):
    result = original(self, *args, **kwargs)
    asyncio.SelectorEventLoop.{method} = original  # once
    os.kill(os.getpid(), signal.SIGINT)
    return result
asyncio.SelectorEventLoop.{method} = interrupted
main(["--runtime-dir", {directory!r}, "{command}"])
"""


@pytest.mark.parametrize("method", ["_make_self_pipe", "__init__", "create_task"])
@pytest.mark.parametrize(("command", "code"), [("status", EXIT_INTERRUPTED), ("watch", 0)])
def test_it_ends_without_a_word_while_its_event_loop_is_made(
    runtime_dir: Path, method: str, command: str, code: int
) -> None:
    program = LOOP.format(method=method, directory=str(runtime_dir), command=command)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")
