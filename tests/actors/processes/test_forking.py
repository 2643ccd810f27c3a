"""What is done before a fork: kinds are ready, and memory stays shared."""

import subprocess
import sys

from tests.helpers.programs import ROOT


def test_the_reader_of_a_built_in_kind_is_made_once_for_all_forks():
    _run("""
from actors.processes.forking import prepare_kind
from actors.connectors.kinds import build_system
from actors.messages import SystemDefinition
from actors.settings.reading import _structure_function as make
prepare_kind("mock")
made = make.cache_info().misses
build_system(SystemDefinition("a", "mock", {"echo": True}))
assert made > 0 and make.cache_info().misses == made, make.cache_info()
""")


def test_the_module_of_somebody_elses_kind_is_not_imported():
    _run("""
import sys
from actors.processes.forking import prepare_kind
prepare_kind("wave:Wave_read")
prepare_kind("no such kind")
assert "wave" not in sys.modules
""")


def test_a_kind_is_looked_at_once_for_all_forks():
    _run("""
from unittest import mock
from actors.processes.forking import prepare_kind
from actors.interface import command_names
from actors.connectors.kinds import build_system
from actors.messages import SystemDefinition
from actors.connectors.mock.system import MockExternalSystem
prepare_kind("mock")
with mock.patch("inspect.signature") as looks, mock.patch("inspect.getattr_static") as too:
    build_system(SystemDefinition("a", "mock", {}))
    assert command_names(MockExternalSystem)
assert not looks.called and not too.called
""")


def test_the_event_loop_that_is_made_beforehand_leaves_nothing_and_the_next_runs():
    _run("""
import asyncio, os
from unittest import mock
from actors.processes.forking import prepare_loop
before = os.listdir("/dev/fd")
with mock.patch("multiprocessing.parent_process"):
    prepare_loop()
assert os.listdir("/dev/fd") == before
asyncio.run(asyncio.sleep(0))
""")


def test_no_event_loop_is_run_in_a_hosts_own_process():
    _run("""
from unittest import mock
from actors.processes.forking import prepare_loop
with mock.patch("asyncio.new_event_loop", None):
    prepare_loop()
""")


def test_a_fork_does_not_collect_what_it_got_from_its_parent():
    _run("""
import gc, os
from unittest import mock
from actors.processes.forking import share_memory_with_forks
with mock.patch("multiprocessing.parent_process"):
    share_memory_with_forks()
pid = os.fork()
if not pid:
    os._exit(0 if gc.get_freeze_count() > 1000 else 1)
assert os.waitpid(pid, 0)[1] == 0
assert gc.get_freeze_count() == 0, "the parent collects as before"
""")


def _run(program):
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
