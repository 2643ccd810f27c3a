"""Ctrl-C while the command line itself is being imported."""

from __future__ import annotations

import subprocess
import sys

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
