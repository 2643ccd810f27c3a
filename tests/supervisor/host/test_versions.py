"""Managers and commands that meet a supervisor of another version of extsys."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from actors.wire.frames import VERSION, encode_frame
from supervisor import ExternalSystemManager, UnavailableError
from supervisor.cli import main
from supervisor.cli.client import EXIT_UNREACHABLE
from supervisor.runtime.directory import RuntimeDirectory

BOTH = f"speaks version 9 of extsys's wire, this one version {VERSION}"


@asynccontextmanager
async def supervisor_of_another_version(directory: Path) -> AsyncIterator[list[bytes]]:
    """Answers as the door of any version does; gives the first bytes of each client."""
    heard: list[bytes] = []

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readexactly(4))
        writer.write(b"XSY9" + encode_frame([])[4:])
        await writer.drain()
        writer.close()

    directory.mkdir(0o700)
    server = await asyncio.start_unix_server(hang_up, RuntimeDirectory(directory).socket_path)
    async with server:
        yield heard


def test_a_manager_is_told_both_versions_and_does_not_try_again(
    runtime_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def meet() -> None:
        async with supervisor_of_another_version(runtime_dir) as heard:
            manager = ExternalSystemManager.attach(runtime_dir, strict=True)
            with pytest.raises(ConnectionError, match=BOTH):
                await manager.connect_all()
            with pytest.raises(UnavailableError, match=BOTH):
                await manager.connect_all()
            assert BOTH in (manager.ended or "")
            await manager.close()
            assert heard == [b"XSY%d" % VERSION]

    with caplog.at_level(logging.WARNING, "extsys"):
        asyncio.run(meet())
    assert sum(BOTH in record.message for record in caplog.records) <= 1


def test_a_command_says_it_in_one_line(runtime_dir: Path) -> None:
    async def meet() -> tuple[int, str]:
        async with supervisor_of_another_version(runtime_dir):
            asked = ["--runtime-dir", str(runtime_dir), "status"]
            result = await asyncio.to_thread(CliRunner().invoke, main, asked)
            return result.exit_code, result.output

    code, output = asyncio.run(meet())
    [line] = output.splitlines()
    assert line.startswith("extsys: ")
    assert BOTH in line
    assert code == EXIT_UNREACHABLE
