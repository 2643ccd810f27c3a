"""A standalone supervisor for all tests of a module that do not end it."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor import ExternalSystemManager, SystemSpec
from tests.helpers.commands import running, until_connected
from tests.helpers.shared import clear


@pytest.fixture(scope="module")
def empty_plant(nothing_left_of_module: None) -> Iterator[Path]:
    parent = Path(tempfile.mkdtemp(prefix="xt-"))
    with running(parent / "run", "[supervisor]"):
        yield parent / "run"
    shutil.rmtree(parent)


@pytest.fixture
def plant(empty_plant: Path) -> Iterator[Path]:
    """The directory of a supervisor with the systems of ``PLANT``, as they are at first."""

    async def fill() -> None:
        async with ExternalSystemManager.attach(empty_plant, strict=True) as manager:
            details = {"echo": True}
            await manager.start_child(SystemSpec("plc-1", "mock", details, connect=True))
            await manager.start_child(SystemSpec("plc-2", "mock"))
        await until_connected(empty_plant, "plc-1")

    asyncio.run(fill())
    yield empty_plant
    asyncio.run(clear(empty_plant))
