"""A connector's own programs end with its process, and nobody else's with them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from actors import MockExternalSystem, command
from supervisor import ExternalSystemManager, SystemSpec
from supervisor.runtime.actor_system import BASE_VARIABLE, FALLBACK
from supervisor.runtime.limits import EXIT_SUPERVISOR_DIED
from supervisor.runtime.reaper import MARK
from tests.helpers.commands import program, until_connected, write_config
from tests.helpers.processes import kill_part, parts_of, runs
from tests.helpers.support import PATIENCE, QUIET, answers, pid_of, until, with_manager

pytestmark = pytest.mark.usefixtures("nothing_left")

ENDING = ("system", "supervisor", "guardian", "admin", "root", "reaper")
"""Parts of a runtime with which its systems end."""
IN_BACKGROUND = """
import subprocess
print(subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL, start_new_session=True).pid)
"""


class Starter(MockExternalSystem):
    """Starts programs whose end it does not see to."""

    @command
    async def start_programs(self) -> list[int]:
        """One in its session, one in its own, and one that goes into the background."""
        plain = subprocess.Popen(["sleep", "600"])
        own = subprocess.Popen(["sleep", "600"], start_new_session=True)
        told = subprocess.check_output([sys.executable, "-c", IN_BACKGROUND], text=True)
        return [plain.pid, own.pid, int(told)]

    @command
    async def wait_for_program(self) -> int:
        return subprocess.Popen([sys.executable, "-c", "raise SystemExit(7)"]).wait()


STARTER = SystemSpec("spec-1", f"{__name__}:Starter", {"echo": True}, connect=True)


async def until_ended(pids: list[int]) -> None:
    async def ended() -> bool:
        return not any(map(runs, pids))

    await until(ended)


@pytest.mark.parametrize("part", ENDING)
def test_programs_end_with_a_systems_process_whatever_ended_that(part: str) -> None:
    async def work(manager: ExternalSystemManager) -> None:
        pids = await manager.call_command("spec-1", "start_programs")
        victim = parts_of(manager, system=await pid_of(manager, "spec-1"))[part]
        victim.kill()
        await until_ended(pids)
        await until(lambda: answers(manager, "spec-1", "again"))

    with_manager(work, STARTER)


@pytest.mark.parametrize("how", ["restart_system", "unregister_system", "crash"])
def test_programs_end_with_a_system_that_ends_otherwise(how: str) -> None:
    async def work(manager: ExternalSystemManager) -> None:
        pids = await manager.call_command("spec-1", "start_programs")
        if how == "crash":
            os.kill(await pid_of(manager, "spec-1"), signal.SIGABRT)
        else:
            assert await getattr(manager, how)("spec-1")
        await until_ended(pids)

    with_manager(work, STARTER)


def test_other_systems_programs_go_on() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        ended = await manager.call_command("spec-1", "start_programs")
        others = await manager.call_command("spec-2", "start_programs")
        os.kill(await pid_of(manager, "spec-1"), signal.SIGKILL)
        await until_ended(ended)
        assert all(map(runs, others))
        assert await manager.call_command("spec-2", "wait_for_program") == 7

    other = SystemSpec("spec-2", STARTER.kind)
    with_manager(work, STARTER, other, options=QUIET)


# ---- what the process had before it became extsys run -----------------------------------


@contextmanager
def run_beside(runtime_dir: Path, text: str) -> Iterator[tuple[psutil.Process, int]]:
    """A supervisor in a process that had started a program before, and that program."""
    line = program(runtime_dir, "run", str(write_config(runtime_dir, text)))
    script = 'sleep 600 & echo $! >&2; exec "$@"'
    process = subprocess.Popen(["sh", "-c", script, "sh", *line], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    with process.stderr:
        helper = int(process.stderr.readline())
        try:
            while not process.stderr.readline().startswith("extsys: supervising"):
                assert process.poll() is None
            yield psutil.Process(process.pid), helper
            assert runs(helper)
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(PATIENCE)
            os.kill(helper, signal.SIGKILL)


PLANT = f"""
    [[system]]
    name = "plc-1"
    kind = "{__name__}:Starter"
    connect = true
    connection_details = {{echo = true}}
"""


async def start_programs(runtime_dir: Path) -> list[int]:
    async with ExternalSystemManager.attach(runtime_dir, strict=True) as manager:
        pids: list[int] = await manager.call_command("plc-1", "start_programs")
        return pids


@pytest.mark.parametrize("part", ["supervisor", "admin"])
def test_a_kill_ends_no_program_that_was_there_before(runtime_dir: Path, part: str) -> None:
    with run_beside(runtime_dir, PLANT) as (reaper, _):
        asyncio.run(until_connected(runtime_dir, "plc-1"))
        pids = asyncio.run(start_programs(runtime_dir))
        kill_part(reaper, part)
        asyncio.run(until_ended(pids))
        asyncio.run(until_connected(runtime_dir, "plc-1"))


def test_a_reaper_ends_what_a_killed_root_has_left_and_nothing_else(runtime_dir: Path) -> None:
    with run_beside(runtime_dir, PLANT) as (reaper, _):
        asyncio.run(until_connected(runtime_dir, "plc-1"))
        pids = asyncio.run(start_programs(runtime_dir))
        parts_of(reaper)["root"].kill()
        assert reaper.wait(PATIENCE) in (EXIT_SUPERVISOR_DIED, None)
        asyncio.run(until_ended(pids))


def test_the_end_of_a_runtime_is_not_the_end_of_what_was_there_before(runtime_dir: Path) -> None:
    with run_beside(runtime_dir, PLANT):
        pass
    assert not runtime_dir.exists()


def test_a_program_sees_which_runtime_it_is_of() -> None:
    async def work(manager: ExternalSystemManager) -> Any:
        [pid, *_] = await manager.call_command("spec-1", "start_programs")
        return psutil.Process(pid).environ()[MARK]

    assert with_manager(work, STARTER)


def test_on_another_base_the_root_ends_them(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(manager: ExternalSystemManager) -> None:
        pids = await manager.call_command("spec-1", "start_programs")
        os.kill(await pid_of(manager, "spec-1"), signal.SIGKILL)
        await until_ended(pids)

    monkeypatch.setenv(BASE_VARIABLE, FALLBACK)
    with_manager(work, STARTER)
