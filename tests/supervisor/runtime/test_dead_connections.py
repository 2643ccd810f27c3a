"""Connections that are dead without a word of it: real devices, and a network that goes wrong."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import pytest

from actors import KeepAlive, Policy
from actors.testing.fault_proxy import FaultProxy
from actors.testing.instrument import InstrumentSimulator
from supervisor import ExternalSystemError, ExternalSystemManager, NotConnectedError, SystemSpec
from supervisor.host.streams import EventStream
from supervisor.messages import EventKind, LifecycleEvent, SystemState
from supervisor.specs.policies import ReconnectPolicy
from tests.helpers.shared import with_shared_manager
from tests.helpers.support import status_of, until, until_state

pytestmark = pytest.mark.usefixtures("shared_runtime")

OFTEN = ReconnectPolicy(backoff_min=0.01, backoff_max=0.1)
PINGED = Policy(keep_alive=KeepAlive(every=0.5, query="*IDN?"))
STALE = Policy(stale_after=0.5)


def device(port: int, policy: Policy) -> SystemSpec:
    details = {"host": "127.0.0.1", "port": port}
    return SystemSpec("dut", "tcp", details, connect=True, reconnect=OFTEN, policy=policy)


@contextmanager
def instrument() -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A program of its own, and its port."""
    program = subprocess.Popen(
        [sys.executable, "-m", "actors.testing.instrument"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    try:
        yield program, int(program.stdout.readline())
    finally:
        program.kill()
        program.communicate()


async def next_of(events: EventStream, kind: EventKind) -> LifecycleEvent:
    async for event in events:
        if event.kind is kind:
            return event
    raise AssertionError("the events ended")


async def answer(manager: ExternalSystemManager, word: str) -> Any:
    """On a busy machine a device may be dropped that has no time to answer its pings."""
    while True:
        try:
            return await manager.query_system("dut", f"ECHO {word}")
        except ExternalSystemError:
            await asyncio.sleep(0.05)


def reason_of(event: LifecycleEvent) -> tuple[str, str]:
    assert event.reason is not None
    return event.reason.kind, event.reason.text


def test_a_device_whose_program_hangs_while_its_kernel_acknowledges_is_noticed() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        happening = manager.events()
        with instrument() as (program, port):
            manager.register_system(device(port, PINGED))
            await manager.start()
            await next_of(happening, EventKind.CONNECTED)
            assert await answer(manager, "hello") == "hello"
            os.kill(program.pid, signal.SIGSTOP)
            with suppress(ExternalSystemError):
                await manager.send_data_to_system("dut", "its kernel takes it")
            event = await next_of(happening, EventKind.DISCONNECTED)
            assert reason_of(event) == ("keep_alive", "a ping was not answered within 0.5 s")

            async def told() -> bool:  # also of the next connections, which its kernel makes
                error = (await status_of(manager, "dut")).last_error
                return "a ping was not answered within 0.5 s" in (error or "")

            await until(told)
            os.kill(program.pid, signal.SIGCONT)
            assert await answer(manager, "again") == "again"

    with_shared_manager(work)


@pytest.mark.parametrize("sends", [False, True])
def test_a_connection_into_a_black_hole_is_noticed_and_made_anew_when_it_is_gone(
    sends: bool,
) -> None:
    async def work(manager: ExternalSystemManager) -> None:
        happening = manager.events()
        async with InstrumentSimulator() as server, FaultProxy(server.port) as proxy:
            manager.register_system(device(proxy.port, PINGED))
            await manager.start()
            await next_of(happening, EventKind.CONNECTED)
            proxy.black_hole()
            sending = asyncio.create_task(send_for_ever(manager)) if sends else None
            event = await next_of(happening, EventKind.DISCONNECTED)
            assert event.reason is not None
            assert event.reason.kind == "keep_alive"
            proxy.heal()
            if sending is not None:
                sending.cancel()
                await asyncio.wait({sending})
            await until_state(manager, "dut", SystemState.CONNECTED)

    with_shared_manager(work)


async def send_for_ever(manager: ExternalSystemManager) -> None:
    """More than fits into any buffer."""
    while True:
        try:
            await manager.send_data_to_system("dut", "x" * 60_000)
        except NotConnectedError:
            await asyncio.sleep(0.05)


def test_a_system_that_should_talk_and_falls_silent_is_dropped_and_connected_again() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            for _ in range(5):
                writer.write(b"reading\n")
                await asyncio.sleep(0.1)
            await reader.read()

    async def work(manager: ExternalSystemManager) -> None:
        happening = manager.events()
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            manager.register_system(device(port, STALE))
            await manager.start()
            event = await next_of(happening, EventKind.DISCONNECTED)
            assert reason_of(event) == ("stale", "nothing was received for 0.5 s")
            await next_of(happening, EventKind.CONNECTED)
            got = [await manager.receive_data_from_system("dut", 5.0) for _ in range(6)]
            assert got == ["reading"] * 6
            await manager.unregister_system("dut")

    with_shared_manager(work)
