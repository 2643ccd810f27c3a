"""The embedded runtime's processes: how they begin and how they end."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import psutil
import pytest

from actors import ExternalSystemInterface, command
from actors.unix_base import BASE_NAME
from actors.unix_base.kernel.private_directory import PrivateDirectory
from supervisor import ExternalSystemManager, SystemSpec
from supervisor.runtime import belongings
from supervisor.runtime.actor_system import BASE_VARIABLE, FALLBACK
from supervisor.runtime.belongings import ACTOR_SOCKETS
from supervisor.runtime.embedded import EmbeddedRuntime
from tests.conftest import MARK, marked_processes, wait_until_none
from tests.helpers.net import leave_dead_socket
from tests.helpers.support import QUIET, with_manager

pytestmark = pytest.mark.usefixtures("nothing_left")


class Spawner(ExternalSystemInterface):
    """A connector with a subprocess of its own, which it forgets about."""

    async def connect(self) -> bool:
        self.is_connected = True
        return True

    async def disconnect(self) -> bool:
        return True

    async def send_data(self, data: Any) -> bool:
        return True

    async def receive_data(self) -> Any | None:
        return None

    @command
    async def spawn(self) -> int:
        return subprocess.Popen(["sleep", "600"]).pid


def test_a_connectors_own_subprocess_ends_with_the_runtime() -> None:
    async def work(manager: ExternalSystemManager) -> Any:
        return await manager.call_command("s", "spawn")

    spec = SystemSpec("s", "tests.supervisor.runtime.test_embedded:Spawner")
    pid = with_manager(work, spec)
    assert not Path(f"/proc/{pid}").exists()


def test_a_host_with_thousands_of_descriptors_can_start_one() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1200:
        pytest.skip("this system does not allow so many descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    many = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
    try:
        EmbeddedRuntime.start(QUIET).stop()
    finally:
        for fd in many:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_host_that_forked_meanwhile_does_not_keep_its_runtime_alive() -> None:
    """The fork holds a copy of the lifeline, which would never end by itself."""
    program = """
        import os, sys, time
        from supervisor.runtime.embedded import EmbeddedRuntime
        from supervisor import SupervisorOptions
        runtime = EmbeddedRuntime.start(SupervisorOptions())
        if os.fork() == 0:
            time.sleep(600)
        print("forked", flush=True)
        time.sleep(600)
    """
    host = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True
    )
    assert host.stdout is not None
    with host.stdout:
        assert host.stdout.readline() == "forked\n"
    host.kill()
    host.wait()

    # The fork itself is no part of the runtime, and has to be ended by hand.
    try:
        assert not wait_until_none(lambda: marked_processes(os.environ[MARK])[1:])
    finally:
        for process in marked_processes(os.environ[MARK]):
            process.kill()


def test_a_runtime_let_go_of_ends_although_a_fork_of_the_host_holds_the_lifeline() -> None:
    runtime = EmbeddedRuntime.start(QUIET)
    read_fd, write_fd = os.pipe()
    fork = os.fork()
    if fork == 0:
        os.close(write_fd)
        os.read(read_fd, 1)
        os._exit(0)
    try:
        runtime.let_go()
        # What is left at last is the fork.
        assert not wait_until_none(lambda: marked_processes(os.environ[MARK])[1:])
    finally:
        os.close(write_fd)
        os.close(read_fd)
        os.waitpid(fork, 0)
        runtime.stop()


def test_processes_of_runtimes_let_go_of_do_not_pile_up() -> None:
    first = EmbeddedRuntime.start(QUIET)
    process = marked_processes(os.environ[MARK])[0]
    first.let_go()
    assert not wait_until_none(lambda: process.status() != psutil.STATUS_ZOMBIE)
    EmbeddedRuntime.start(QUIET).stop()
    assert not process.is_running()


@pytest.mark.parametrize(
    ("base", "addresses"), [(BASE_NAME, set()), (FALLBACK, {"127.0.0.1"})], ids=str
)
def test_a_runtime_listens_on_no_port_or_on_loopback_only(
    monkeypatch: pytest.MonkeyPatch, base: str, addresses: set[str]
) -> None:
    """Whatever reaches a port of Thespian's is unpickled."""
    monkeypatch.setenv(BASE_VARIABLE, base)

    async def work(manager: ExternalSystemManager) -> set[str]:
        processes = marked_processes(os.environ[MARK])
        assert len(processes) >= 5
        return {
            connection.laddr.ip
            for process in processes
            for connection in process.net_connections("inet")
            if connection.status == "LISTEN"
        }

    assert with_manager(work, SystemSpec("a", "mock", connect=True)) == addresses


def test_a_host_whose_directory_was_removed_can_start_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    monkeypatch.syspath_prepend("")
    gone.rmdir()
    EmbeddedRuntime.start(QUIET).stop()


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3])
def test_a_host_killed_while_the_runtime_starts_leaves_nothing(delay: float) -> None:
    program = """
        import sys
        from supervisor import SynchronousManager, SystemSpec
        print("starting", flush=True)
        manager = SynchronousManager()
        for name in "abcdef":
            manager.register_system(SystemSpec(name, "mock", connect=True))
        manager.connect_all()
        sys.stdin.read()
    """
    host = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert host.stdout is not None
    with host:
        assert host.stdout.readline() == "starting\n"
        # Wherever in its start this strikes, the outcome is the same.
        try:
            host.wait(delay)
        except subprocess.TimeoutExpired:
            host.kill()
    assert not wait_until_none(lambda: marked_processes(os.environ[MARK]))


def test_what_is_still_made_while_a_killed_runtimes_directory_is_removed_goes_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runtime = EmbeddedRuntime.start(QUIET)
    directory = Path(runtime.socket_path).parent
    unmark, calls = belongings.unmark, []

    def make_more(opened: PrivateDirectory) -> None:
        unmark(opened)
        calls.append(opened.path)
        if len(calls) == 1:
            (directory / ACTOR_SOCKETS).mkdir(0o700)
            leave_dead_socket(str(directory / ACTOR_SOCKETS / ("0" * 10)))

    monkeypatch.setattr(belongings, "unmark", make_more)
    runtime.kill()
    runtime.stop()
    assert calls == [str(directory)] * 2
    assert not directory.exists()


def test_without_a_short_temporary_directory_a_host_is_told_what_it_can_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    deep = tmp_path / ("x" * 80)
    deep.mkdir()
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with pytest.raises(RuntimeError, match=f"{deep} is too long .* TMPDIR .* at most 56 bytes"):
        EmbeddedRuntime.start(QUIET)
