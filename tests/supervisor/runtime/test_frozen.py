"""A frozen program starts its runtime by itself, or is told how to."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest

from tests.helpers.programs import Finished, run_program

pytestmark = pytest.mark.process

PROGRAM = """
import sys
sys.frozen = True
sys.executable = {executable!r}
import supervisor
{first}
print("begun", flush=True)
with supervisor.SynchronousManager() as manager:
    manager.register_system(supervisor.SystemSpec("a", "mock", {{"echo": True}}, connect=True))
    print(manager.connect_all())
"""


def run_frozen(directory: Path, first: str) -> Finished:
    """Run a program that is told that it is frozen, and whose executable runs nothing else."""
    executable, program = directory / "app", directory / "app.py"
    executable.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{program}" "$@"\n')
    executable.chmod(0o755)
    program.write_text(textwrap.dedent(PROGRAM).format(executable=str(executable), first=first))
    return run_program([str(program)])


def test_it_is_refused_with_the_remedy(tmp_path: Path) -> None:
    done = run_frozen(tmp_path, "")
    assert done.code == 1
    assert done.stdout == "begun\n"
    assert "does not begin with supervisor.freeze_support()" in done.stderr.splitlines()[-1]
    assert (done.leftover_files, done.leftover_processes) == ([], [])


def test_with_support_it_starts_its_runtime_and_not_itself(tmp_path: Path) -> None:
    done = run_frozen(tmp_path, "supervisor.freeze_support()")
    assert (done.code, done.stdout, done.stderr) == (0, "begun\nTrue\n", "")
    assert (done.leftover_files, done.leftover_processes) == ([], [])
