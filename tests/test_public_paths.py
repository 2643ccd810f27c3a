"""What a program may import keeps its place, and a host imports no more than it needs."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from importlib.metadata import entry_points

import pytest

from tests.helpers.programs import ROOT

FACES = [
    "actors",
    "actors.messages",
    "actors.settings",
    "actors.unix_base",
    "supervisor",
    "supervisor.messages",
]
OF_A_HOST = """
import sys
import actors, actors.messages, actors.settings, supervisor, supervisor.messages
from actors import MockExternalSystem, TcpSystem
from supervisor import EventsLostError, ExternalSystemManager, FellBehindError, SynchronousManager
assert "thespian" not in sys.modules, "a host imports no Thespian"
"""


@pytest.mark.parametrize("face", FACES)
def test_each_face_hands_on_all_that_it_names(face: str) -> None:
    module = import_module(face)
    assert [name for name in module.__all__ if getattr(module, name, None) is None] == []
    assert len(set(module.__all__)) == len(module.__all__)


def test_a_host_imports_no_thespian() -> None:
    subprocess.run([sys.executable, "-c", OF_A_HOST], cwd=ROOT, check=True)


def test_the_command_is_where_installed_scripts_look_for_it() -> None:
    [extsys] = entry_points(group="console_scripts", name="extsys")
    assert extsys.value == "supervisor.cli:main"
    assert callable(extsys.load())
