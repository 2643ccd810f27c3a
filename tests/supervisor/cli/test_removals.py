"""A standalone supervisor while others clear away its files, at any time."""

from __future__ import annotations

import asyncio
import os
import random
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from actors.unix_base.kernel.path_claim import HAS_CLAIMS
from supervisor import ExternalSystemManager
from supervisor.cli.client import EXIT_BUSY, EXIT_UNREACHABLE
from supervisor.messages import SystemState
from tests.helpers.commands import (
    extsys,
    extsys_process,
    program,
    running,
    until_connected,
    write_config,
)
from tests.helpers.processes import kill_part, parts_of
from tests.helpers.support import PATIENCE, pid_of, status_of, until, until_state

pytestmark = pytest.mark.usefixtures("nothing_left")
ROUNDS = 8
NAMES = {"extsys-runtime", "supervisor.sock", "actors", "admin", "d"}


def remove_all(directory: Path) -> None:
    shutil.rmtree(directory)


def remove_plain_files(directory: Path) -> None:
    for each in directory.rglob("*"):
        if each.is_file():
            each.unlink()


def remove_sockets(directory: Path) -> None:
    for each in directory.rglob("*"):
        if each.is_socket():
            each.unlink()


def remove_doors(directory: Path) -> None:
    shutil.rmtree(directory / "d")


def remove_actors(directory: Path) -> None:
    shutil.rmtree(directory / "actors")


HARMS: list[Callable[[Path], None]] = [
    *(remove_all, remove_plain_files, remove_sockets, remove_doors, remove_actors),
]


async def echoes(manager: ExternalSystemManager, name: str) -> None:
    await until_state(manager, name, SystemState.CONNECTED)
    assert await manager.send_data_to_system(name, "item")
    assert await manager.receive_data_from_system(name, timeout=PATIENCE) == "item"


@pytest.mark.parametrize("harm", HARMS)
def test_whatever_is_removed_it_is_found_again_and_its_systems_come_back(
    runtime_dir: Path, harm: Callable[[Path], None]
) -> None:
    async def work() -> None:
        async with ExternalSystemManager.attach(runtime_dir, strict=True) as old:
            await echoes(old, "plc-1")
            before = await pid_of(old, "plc-1")
            harm(runtime_dir)

            os.kill(before, 9)
            await until_state(old, "plc-1", SystemState.CONNECTED, incarnation=2)
            await echoes(old, "plc-1")

            async def all_is_there() -> bool:
                here = {each.name for each in runtime_dir.rglob("*")}
                doors = [each for each in here if re.fullmatch(r"[0-9a-f]+-\d+(\.tally)?", each)]
                return here >= NAMES and len(doors) == 4

            await until(all_is_there)
            async with ExternalSystemManager.attach(runtime_dir, strict=True) as new:
                sent = (await status_of(new, "plc-1")).sent
                await echoes(new, "plc-1")
                status = await status_of(new, "plc-1")
                assert status.restarts == 1
                assert status.sent == sent + 1

    with running(runtime_dir) as process:
        asyncio.run(work())
        assert process.poll() is None


@pytest.mark.skipif(not HAS_CLAIMS, reason="there are no claims to paths here")
def test_no_second_supervisor_starts_while_things_are_removed_at_random_times(
    runtime_dir: Path,
) -> None:
    chance = random.Random(2)
    with running(runtime_dir) as first:
        asyncio.run(until_connected(runtime_dir, "plc-1"))
        for _ in range(ROUNDS):
            command = program(runtime_dir, "run", str(write_config(runtime_dir)))
            with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as second:
                while second.poll() is None:
                    with suppress(OSError):
                        chance.choice(HARMS)(runtime_dir)
                    time.sleep(chance.random() / 5)
                assert second.stderr is not None
                assert re.search(r"supervisor \(pid \d+\) runs in", second.stderr.read())
                assert second.returncode == EXIT_BUSY
        assert first.poll() is None
        asyncio.run(until_connected(runtime_dir, "plc-1"))


def test_no_file_of_a_killed_supervisor_and_its_systems_stays(runtime_dir: Path) -> None:
    with running(runtime_dir) as process:
        asyncio.run(until_connected(runtime_dir, "plc-1"))
        before = len(list(runtime_dir.rglob("*")))
        for _ in range(3):
            last = parts_of(psutil.Process(process.pid))["supervisor"].pid
            kill_part(psutil.Process(process.pid), "supervisor")
            asyncio.run(until_another_supervisor(process.pid, last))
            asyncio.run(until_connected(runtime_dir, "plc-1"))
        asyncio.run(until_files(runtime_dir, before))


async def until_another_supervisor(reaper: int, last: int) -> None:
    async def there() -> bool:
        try:
            return parts_of(psutil.Process(reaper))["supervisor"].pid != last
        except (ValueError, StopIteration, psutil.NoSuchProcess):
            return False

    await until(there)


async def until_files(directory: Path, count: int) -> None:
    async def there() -> bool:
        return len(list(directory.rglob("*"))) == count

    await until(there)


def test_what_is_old_is_made_young(runtime_dir: Path) -> None:
    def all_is_young() -> bool:
        return all(each.lstat().st_mtime > old for each in runtime_dir.rglob("*"))

    with running(runtime_dir):
        asyncio.run(until_connected(runtime_dir, "plc-1"))
        then, old = time.time() - 1e6, time.time() - 1e5
        for each in (runtime_dir, *runtime_dir.rglob("*")):
            os.utime(each, (then, then), follow_symlinks=False)
        deadline = time.monotonic() + PATIENCE
        while not all_is_young():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert extsys(runtime_dir, "status").returncode == 0


# ---- where no supervisor can be ---------------------------------------------------------------


def test_what_is_no_runtimes_directory_is_told_to_a_client_in_one_line(runtime_dir: Path) -> None:
    runtime_dir.mkdir()
    runtime_dir.chmod(0o755)
    os.mkfifo(runtime_dir / "fifo")
    for path in (runtime_dir, runtime_dir / "fifo", runtime_dir / "fifo" / "below"):
        done = extsys(path, "status")
        assert done.returncode == EXIT_UNREACHABLE
        assert done.stderr == (
            f"extsys: no supervisor runs at {path}/supervisor.sock; start one with 'extsys run'\n"
        )


def test_a_name_that_is_too_long_is_told_in_one_line(runtime_dir: Path) -> None:
    path = runtime_dir / ("x" * 300)
    for command in (["status"], ["run", str(write_config(runtime_dir))]):
        done = extsys_process(path, *command)
        assert done.returncode == EXIT_BUSY
        assert done.stderr.count("\n") == 1
        assert "is too long for the path of a socket" in done.stderr
