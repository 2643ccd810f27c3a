"""A real TCP instrument for demonstrations: a simulator in a process of its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

HOST: Final = "127.0.0.1"


@asynccontextmanager
async def instrument_simulator() -> AsyncIterator[int]:
    """A TCP instrument in a process of its own, on this machine; gives its port."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "actors.testing.instrument", "--port", "0"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield int(await process.stdout.readline())
    finally:
        process.stdin.close()  # the simulator ends with its standard input
        await process.wait()
