"""A host whose event loop is not asyncio's own."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
import uvloop

from actors import TcpSystem
from actors.testing.instrument import InstrumentSimulator
from supervisor import ExternalSystemManager
from tests.helpers.support import PATIENCE, QUIET, answers, mock, pid_of, until, until_linked

pytestmark = pytest.mark.usefixtures("nothing_left")
# It makes a pipe for signals at its first loop, and keeps it.
uvloop.new_event_loop().close()
BOTH_WAYS = pytest.mark.usefixtures("way")


def run(work: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(work, 3 * PATIENCE))


@BOTH_WAYS
def test_a_manager_sends_receives_and_survives_a_crash() -> None:
    async def main() -> None:
        async with ExternalSystemManager(strict=True, options=QUIET) as manager:
            manager.register_system(mock("plc-1", echo=True))
            await manager.connect_all()
            await until_linked(manager)
            assert await answers(manager, "plc-1", {"speed": 3})
            sends = [manager.send_data_to_system("plc-1", number) for number in range(100)]
            assert all(await asyncio.gather(*sends))
            before = await pid_of(manager, "plc-1")
            assert before is not None
            await manager.restart_system("plc-1")
            await until(lambda: answers(manager, "plc-1", "again"))
            assert await pid_of(manager, "plc-1") != before

    run(main())


def test_a_tcp_system_talks_to_an_instrument() -> None:
    async def main() -> None:
        async with InstrumentSimulator() as simulator:
            system = TcpSystem("psu", {"host": "127.0.0.1", "port": simulator.port})
            assert await system.connect()
            assert await system.send_data("*IDN?")
            assert "Simulated Instrument" in str(await system.receive_data())
            assert await system.disconnect()

    run(main())
