"""Nobody of a runtime waits for whoever reads its output, or skips anything for want of him."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from supervisor import ExternalSystemManager
from tests.helpers.commands import extsys, program, until_connected, write_config
from tests.helpers.processes import parts_of
from tests.helpers.support import PATIENCE, until

pytestmark = pytest.mark.usefixtures("nothing_left")

PLANT = """
    [[system]]
    name = "talker"
    kind = "tests.helpers.talking:Talking"
    connect = true
    connection_details = {{goodbye = "{goodbye}"}}

    [[system]]
    name = "other"
    kind = "mock"
    connect = true
    connection_details = {{echo = true}}
"""


@contextmanager
def piped(directory: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A supervisor whose output goes into a pipe, and the other end of that."""
    text = PLANT.format(goodbye=directory.parent / "goodbye")
    reads, writes = os.pipe()
    process = subprocess.Popen(
        program(directory, "run", str(write_config(directory, text))), stdout=writes, stderr=writes
    )
    os.close(writes)
    try:
        asyncio.run(until_there(directory))
        yield process, reads
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(PATIENCE)
        try:
            os.close(reads)
        except OSError:
            pass  # by the test


async def until_there(directory: Path) -> None:
    async def there() -> bool:
        return (directory / "supervisor.sock").exists()

    await until(there)
    await until_connected(directory, "talker")


def test_systems_that_log_into_a_pipe_that_nobody_reads_hold_up_nobody(runtime_dir: Path) -> None:
    async def talk() -> None:
        async with ExternalSystemManager.attach(runtime_dir, strict=True) as manager:
            async with asyncio.timeout(PATIENCE):
                await manager.call_command("talker", "log", 30, "x" * 1000, 600)
                await manager.call_command("talker", "err", "y" * 300_000)
                assert await manager.send_data_to_system("other", 1)
                assert await manager.receive_data_from_system("other") == 1

    with piped(runtime_dir) as (process, _):
        asyncio.run(talk())
        process.terminate()
        assert process.wait(PATIENCE) == 0
    assert (runtime_dir.parent / "goodbye").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_systems_are_disconnected_though_the_reader_of_the_log_has_left(
    runtime_dir: Path, number: signal.Signals
) -> None:
    with piped(runtime_dir) as (process, reads):
        os.close(reads)  # as of "2>&1 | tee log", which a Ctrl-C ends first
        process.send_signal(number)
        assert process.wait(PATIENCE) == 0
    assert (runtime_dir.parent / "goodbye").exists()


def test_the_log_is_whole_when_the_supervisor_has_ended(runtime_dir: Path) -> None:
    with piped(runtime_dir) as (process, reads):
        process.terminate()
        assert process.wait(PATIENCE) == 0
        with os.fdopen(os.dup(reads), "rb") as log:
            lines = log.read().decode().splitlines()  # to the end: nobody has it open
    assert lines[-2:] == ["extsys: stopping; once more to stop at once", "extsys: stopped"]


def test_a_scribe_that_is_killed_is_followed_by_another(runtime_dir: Path) -> None:
    with piped(runtime_dir) as (process, reads):
        parts = parts_of(psutil.Process(process.pid))
        parts["scribe"].kill()

        async def another() -> bool:
            pids = {each.pid for each in parts["root"].children()}
            return len(pids) == 2 and parts["scribe"].pid not in pids  # a kill takes its time

        asyncio.run(until(another))
        process.terminate()
        assert process.wait(PATIENCE) == 0
        with os.fdopen(os.dup(reads), "rb") as log:
            assert log.read().decode().splitlines()[-1] == "extsys: stopped"


def test_a_scribe_that_stands_still_holds_up_nobody(runtime_dir: Path) -> None:
    with piped(runtime_dir) as (process, _):
        parts_of(psutil.Process(process.pid))["scribe"].suspend()

        async def talk() -> None:
            async with ExternalSystemManager.attach(runtime_dir, strict=True) as manager:
                async with asyncio.timeout(PATIENCE):
                    await manager.call_command("talker", "log", 30, "x" * 1000, 600)
                    assert await manager.send_data_to_system("talker", 1)

        asyncio.run(talk())
        process.terminate()
        assert process.wait(PATIENCE) == 0
    assert (runtime_dir.parent / "goodbye").exists()


def test_it_runs_also_without_any_output(runtime_dir: Path) -> None:
    text = PLANT.format(goodbye=runtime_dir.parent / "goodbye")
    command = program(runtime_dir, "run", str(write_config(runtime_dir, text)))
    process = subprocess.Popen(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command])
    try:
        asyncio.run(until_there(runtime_dir))
        assert "said" in extsys_said(runtime_dir)
        process.terminate()
        assert process.wait(PATIENCE) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(PATIENCE)
    assert (runtime_dir.parent / "goodbye").exists()


def extsys_said(directory: Path) -> str:
    """What the talker has said by now, and then this."""
    assert extsys(directory, "call", "talker", "out", "said").returncode == 0
    return extsys(directory, "logs", "talker").stdout


def test_a_scribe_that_stands_still_ends_with_a_killed_runtime(runtime_dir: Path) -> None:
    with piped(runtime_dir) as (process, _):
        parts = parts_of(psutil.Process(process.pid))
        parts["scribe"].suspend()
        parts["root"].kill()
        process.wait(PATIENCE)
        parts["scribe"].wait(PATIENCE)
