"""A standalone supervisor goes on whichever of its processes is killed, but for its root."""

from __future__ import annotations

import asyncio
import json
import os
import queue
import signal
import subprocess
import threading
from pathlib import Path

import psutil
import pytest

from supervisor import ExternalSystemManager
from supervisor.client import recovery
from supervisor.messages import SystemState
from supervisor.runtime.blocking_connection import BlockingConnection
from supervisor.runtime.directory import RuntimeDirectory
from supervisor.runtime.limits import EXIT_SUPERVISOR_DIED
from tests.helpers.commands import (
    extsys,
    program,
    running,
    statuses,
    until_connected,
    write_config,
)
from tests.helpers.processes import kill_part, parts_of, until_gone
from tests.helpers.support import PATIENCE, answers, status_of, until, until_state

pytestmark = pytest.mark.usefixtures("nothing_left")

BROKEN = """
[[system]]
name = "broken"
kind = "mock"
start_timeout = "500ms"

[[system.connection_details.faults]]
operation = "construct"
action = "delay"
seconds = 60
"""
"""Fails a while after its supervisor listens."""


@pytest.mark.parametrize("part", ["supervisor", "guardian", "admin"])
def test_a_process_that_is_killed_does_not_end_it(runtime_dir: Path, part: str) -> None:
    with running(runtime_dir) as process:
        asyncio.run(until_connected(runtime_dir, "plc-1"))
        before = statuses(runtime_dir)["plc-1"]["pid"]
        kill_part(psutil.Process(process.pid), part)
        asyncio.run(until_another(runtime_dir, "plc-1", before))
        assert extsys(runtime_dir, "send", "plc-1", "again").returncode == 0
        assert extsys(runtime_dir, "receive", "plc-1").stdout == "again\n"
        asyncio.run(until_in_state(runtime_dir, "plc-2", SystemState.DISCONNECTED))
        asyncio.run(until_gone(before))
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert not runtime_dir.exists()


async def until_another(directory: Path, name: str, pid: int) -> None:
    """Until a system is connected in another process."""

    async def there() -> bool:
        try:
            async with ExternalSystemManager.attach(directory) as manager:
                status = await manager.status(name)
        except OSError:  # it ended while this was about to attach
            return False
        return status is not None and status.is_connected and status.pid != pid

    await until(there)


async def until_in_state(directory: Path, name: str, state: SystemState) -> None:
    async with ExternalSystemManager.attach(directory, strict=True) as manager:
        await until_state(manager, name, state)


def test_a_command_given_while_it_recovers_waits(runtime_dir: Path) -> None:
    with running(runtime_dir) as process:
        parts = parts_of(psutil.Process(process.pid))
        parts["guardian"].suspend()
        parts["supervisor"].kill()
        status = subprocess.Popen(
            program(runtime_dir, "status"),
            stdout=subprocess.PIPE,
            text=True,
        )
        with pytest.raises(subprocess.TimeoutExpired):
            status.wait(1.0)
        parts["guardian"].resume()
        assert status.wait(PATIENCE) == 0
        assert status.stdout is not None
        with status.stdout:
            assert "plc-1" in status.stdout.read()


def test_watch_goes_on_after_the_supervisor_was_killed(runtime_dir: Path) -> None:
    with running(runtime_dir) as process:
        asyncio.run(until_connected(runtime_dir, "plc-1"))
        watch = subprocess.Popen(
            program(runtime_dir, "watch", "--json"),
            stdout=subprocess.PIPE,
            text=True,
        )
        stdout = watch.stdout
        assert stdout is not None
        with stdout:
            lines: queue.Queue[str] = queue.Queue()
            reader = threading.Thread(target=lambda: [lines.put(line) for line in stdout])
            reader.start()
            until_shown(runtime_dir, lines, "plc-2")
            kill_part(psutil.Process(process.pid), "supervisor")
            asyncio.run(until_connected(runtime_dir, "plc-1"))
            while not lines.empty():
                lines.get()
            until_shown(runtime_dir, lines, "plc-2")
            extsys(runtime_dir, "stop")
            assert watch.wait(PATIENCE) == 0
            reader.join()


def until_shown(directory: Path, lines: queue.Queue[str], name: str) -> None:
    """Have something happen to a system until that is shown."""
    for _ in range(20):
        extsys(directory, "restart", name)
        try:
            while json.loads(lines.get(timeout=1.0))["system_name"] != name:
                pass
        except queue.Empty:
            continue
        return
    raise AssertionError(f"nothing was shown of {name}")


def test_one_that_is_killed_too_often_ends_and_says_so(runtime_dir: Path) -> None:
    with running(runtime_dir) as process:
        assert process.stderr is not None
        text = ""
        for _ in range(4):
            kill_part(psutil.Process(process.pid), "admin")
            for line in process.stderr:
                text += line
                if "starting the runtime anew" in line:
                    asyncio.run(until_connected(runtime_dir, "plc-1"))
                    break
        assert process.wait(PATIENCE) == EXIT_SUPERVISOR_DIED
        assert "was started anew 3 times within 60 s already" in text
    assert not runtime_dir.exists()


def test_a_tree_that_fails_before_the_root_has_attached_ends_it_all_the_same(
    runtime_dir: Path,
) -> None:
    config = write_config(runtime_dir, BROKEN)
    process = subprocess.Popen(program(runtime_dir, "run", str(config)))
    try:
        socket_path = RuntimeDirectory(runtime_dir).socket_path
        while (other := connected(socket_path)) is None:
            assert process.poll() is None
        os.kill(process.pid, signal.SIGSTOP)
        while other.closing is None and not other.at_end:
            list(other.read())
        late = extsys(runtime_dir, "status")
        assert late.returncode == 3
        assert "the systems could not be started: broken: not built within" in late.stderr
        os.kill(process.pid, signal.SIGCONT)
        assert other.closing is not None
        assert process.wait(PATIENCE) == EXIT_SUPERVISOR_DIED
        other.close()
    finally:
        process.kill()
        process.wait()
    assert not runtime_dir.exists()


def connected(path: str) -> BlockingConnection | None:
    try:
        return BlockingConnection(path)
    except OSError:
        return None


def test_an_attached_manager_goes_on_after_the_supervisor_was_killed(runtime_dir: Path) -> None:
    async def main(root: psutil.Process) -> None:
        async with ExternalSystemManager.attach(runtime_dir, strict=True) as manager:
            for part in ("supervisor", "guardian", "admin"):
                kill_part(root, part)
                await until(lambda: answers(manager, "plc-1", "again"))
                assert not (await status_of(manager, "plc-2")).is_connected

    with running(runtime_dir) as process:
        asyncio.run(main(psutil.Process(process.pid)))
        assert process.poll() is None


def test_an_attached_manager_ends_when_the_supervisor_does_not_come_back(
    runtime_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "REATTACH_PATIENCE", 0.5)

    async def main(root: psutil.Process) -> None:
        async with ExternalSystemManager.attach(runtime_dir) as manager:
            events = manager.events()
            os.kill(root.pid, 9)
            async with asyncio.timeout(PATIENCE):
                async for _ in events:
                    pass
            assert manager.ended == "the supervisor ended"

    with running(runtime_dir) as process:
        asyncio.run(main(psutil.Process(process.pid)))
