"""Real connections, lost in all the ways that devices know."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from typing import Any

import pytest

from actors.messages import Outcome
from supervisor import ConnectorFailedError, ExternalSystemManager, NotConnectedError, SystemSpec
from supervisor.host.streams import EventStream
from supervisor.messages import DesiredState, EventKind, LifecycleEvent, SystemState
from supervisor.specs.policies import ReconnectPolicy
from tests.helpers.net import Peer
from tests.helpers.shared import with_shared_manager
from tests.helpers.support import status_of, until_state

pytestmark = pytest.mark.usefixtures("shared_runtime")

OFTEN = ReconnectPolicy(backoff_min=0.01, backoff_max=0.05)


def device(port: int, **options: Any) -> SystemSpec:
    details = {"host": "127.0.0.1", "port": port, "peer_timeout": 1}
    return SystemSpec("dut", "tcp", details, reconnect=OFTEN, **options)


def a_port() -> int:
    """One that nobody listens on."""
    with closing(Peer()) as peer:
        return peer.port


@asynccontextmanager
async def serving(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any], port: int = 0
) -> AsyncIterator[int]:
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def lost(events: EventStream, times: int) -> list[LifecycleEvent]:
    """The next losses, so many."""
    found: list[LifecycleEvent] = []
    async for event in events:
        if event.kind is EventKind.DISCONNECTED and event.reason:
            found.append(event)
            if len(found) == times:
                break
    return found


def test_who_is_hung_up_on_at_once_is_connected_again_and_again_and_the_reason_is_told() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def work(manager: ExternalSystemManager) -> None:
        async with serving(hang_up) as port:
            happening = manager.events()
            manager.register_system(device(port, connect=True))
            await manager.start()
            events = await lost(happening, 5)
            assert {event.reason and event.reason.text for event in events} == {
                f"127.0.0.1:{port} closed the connection"
            }
            assert all(event.delay is not None for event in events)
            status = await status_of(manager, "dut")
            assert status.desired is DesiredState.CONNECTED

    with_shared_manager(work)


def test_who_is_only_sent_to_and_has_gone_is_lost_and_connected_again() -> None:
    async def talk_and_go(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((b"x" * 999 + b"\n") * 300)
        writer.close()

    async def send(manager: ExternalSystemManager) -> None:
        while True:
            # What the device's operating system takes is sent; then it says that nobody is there.
            with suppress(ConnectorFailedError, NotConnectedError):
                await manager.send_data_to_system("dut", "x")
            await asyncio.sleep(0.05)

    async def work(manager: ExternalSystemManager) -> None:
        async with serving(talk_and_go) as port:
            happening = manager.events()
            manager.register_system(device(port, connect=True))
            await manager.start()
            sending = asyncio.create_task(send(manager))
            for event in await lost(happening, 3):
                assert event.reason is not None
                assert event.reason.text.startswith(f"127.0.0.1:{port}")
            sending.cancel()
            await asyncio.wait({sending})
            assert sending.cancelled()

    with_shared_manager(work)


@pytest.mark.parametrize("sends", [True, False])
def test_a_device_that_is_gone_without_a_word_is_lost_and_connected_again(sends: bool) -> None:
    async def work(manager: ExternalSystemManager) -> None:
        with closing(Peer()) as peer:
            happening = manager.events()
            manager.register_system(device(peer.port, connect=True))
            await manager.start()
            await asyncio.wait_for(peer.accept(), 20)
            await until_state(manager, "dut", SystemState.CONNECTED)
            peer.be_deaf()
            if sends:
                assert await manager.send_data_to_system("dut", "is there anybody?")
            [event] = await lost(happening, 1)
            assert event.reason is not None
            assert event.reason.text.endswith("was silent for longer than peer_timeout")
            await asyncio.wait_for(peer.accept(), 20)

    with_shared_manager(work)


def test_a_disconnect_and_a_connect_while_a_device_is_down_leave_it_meant_to_be_connected() -> None:
    port = a_port()

    async def stay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            await reader.read()

    async def work(manager: ExternalSystemManager) -> None:
        for _ in range(2):
            with pytest.raises(ConnectorFailedError, match="connection refused") as failed:
                await manager.connect_system("dut")
            assert failed.value.failure.outcome is Outcome.NOT_SENT
            status = await status_of(manager, "dut")
            assert status.desired is DesiredState.CONNECTED
            assert "connection refused" in (status.last_error or "")
            await manager.disconnect_system("dut")
        with pytest.raises(ConnectorFailedError):
            await manager.connect_system("dut")
        async with serving(stay, port):
            await until_state(manager, "dut", SystemState.CONNECTED)
            assert await manager.disconnect_system("dut")

    with_shared_manager(work, device(port))


def test_a_device_whose_twin_takes_over_is_connected_to_that_and_the_status_tells_which() -> None:
    async def stay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            await reader.read()

    async def connected_to(events: EventStream) -> str | None:
        async for event in events:
            if event.kind is EventKind.CONNECTED:
                return event.connected_to
        raise AssertionError("no more events")

    async def work(manager: ExternalSystemManager) -> None:
        happening = manager.events()
        async with serving(stay) as twin:
            with closing(Peer()) as peer:
                places = [f"127.0.0.1:{a_port()}", f"127.0.0.1:{peer.port}", f"127.0.0.1:{twin}"]
                spec = SystemSpec(
                    "dut", "tcp", {"endpoints": places}, reconnect=OFTEN, connect=True
                )
                manager.register_system(spec)
                await manager.start()
                assert await connected_to(happening) == places[1]
                await asyncio.wait_for(peer.accept(), 20)
                peer.reset()
                assert await connected_to(happening) == places[2]
                assert (await status_of(manager, "dut")).connected_to == places[2]

    with_shared_manager(work)
