"""The command line, in this process and in others, and a standalone supervisor to use it on."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner

from supervisor import ExternalSystemManager
from supervisor.cli import main
from tests.helpers.support import PATIENCE

PLANT = """
    [[system]]
    name = "plc-1"
    kind = "mock"
    connect = true
    connection_details = {echo = true}

    [[system]]
    name = "plc-2"
    kind = "mock"
"""


@attrs.frozen
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def extsys(directory: Path, *args: str, stdin: str | bytes = "") -> Done:
    """A command in this process, which saves half a second; not for one whose signals, pipes
    or terminal matter, nor from an event loop or a second thread."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", list(sys.path))
        result = CliRunner().invoke(main, ["--runtime-dir", str(directory), *args], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


def extsys_process(
    directory: Path,
    *args: str,
    stdout: Any = subprocess.PIPE,
    environ: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own."""
    return subprocess.run(
        program(directory, *args),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environ or {})},
        timeout=PATIENCE * 2,
        check=False,
    )


def program(directory: Path, *args: str) -> list[str]:
    """What is to be run for a command."""
    return [sys.executable, "-m", "supervisor", "--runtime-dir", str(directory), *args]


def write_config(directory: Path, text: str = PLANT) -> Path:
    path = directory.parent / "plant.toml"
    path.write_text(textwrap.dedent(text))
    return path


@contextmanager
def running(directory: Path, text: str = PLANT) -> Iterator[subprocess.Popen[str]]:
    """A supervisor that serves, until the test ends it or the block does."""
    process = subprocess.Popen(
        program(directory, "run", str(write_config(directory, text))),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if line.startswith("extsys: supervising"):
                break
        else:
            raise AssertionError("the supervisor did not start")
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.stderr.close()
        process.wait(PATIENCE)


def statuses(directory: Path) -> dict[str, dict[str, Any]]:
    done = extsys(directory, "status", "--json")
    assert done.returncode == 0, done.stderr
    return {status["name"]: status for status in json.loads(done.stdout)}


async def until_connected(directory: Path, name: str) -> None:
    async with (
        asyncio.timeout(PATIENCE),
        ExternalSystemManager.attach(directory, strict=True) as manager,
    ):
        while not manager.is_connected(name):
            await asyncio.sleep(0.01)
