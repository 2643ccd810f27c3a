"""Real systems that cannot be connected before somebody has mended something."""

from __future__ import annotations

import os
import signal
from contextlib import closing

import pytest

from supervisor import (
    ConnectorFailedError,
    ExternalSystemManager,
    SystemFailedError,
    SystemSpec,
)
from supervisor.host.streams import EventStream
from supervisor.messages import DesiredState, EventKind, SystemState
from tests.helpers.net import Peer
from tests.helpers.shared import with_shared_manager
from tests.helpers.support import pid_of, status_of, until_state

pytestmark = pytest.mark.usefixtures("shared_runtime")

REFUSED = [{"operation": "connect", "action": "fatal"}]


def a_port() -> int:
    """One that nobody listens on."""
    with closing(Peer()) as peer:
        return peer.port


async def failed(events: EventStream) -> None:
    """Until the next that has failed."""
    async for event in events:
        if event.kind is EventKind.FAILED:
            return


def test_a_manager_is_told_that_a_system_it_adds_cannot_be_connected() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        details = {"host": "127.0.0.1", "port": a_port()}
        spec = SystemSpec("plc", "tcp", details, connect=True, startup="error")
        with pytest.raises(ConnectorFailedError, match="cannot be started: cannot be connected"):
            await manager.start_child(spec)
        assert await manager.status_all() == ()

    with_shared_manager(work)


def test_what_failed_refuses_requests_is_left_alone_and_comes_back_by_hand() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        happening = manager.events()
        spec = SystemSpec("plc", "mock", {"faults": REFUSED}, connect=True)
        await manager.start_child(spec)
        await failed(happening)
        for _ in range(2):
            with pytest.raises(SystemFailedError, match="then restart or connect it"):
                await manager.send_data_to_system("plc", "x")
        status = await status_of(manager, "plc")
        assert (status.state, status.desired) == (SystemState.FAILED, DesiredState.CONNECTED)
        # Its next incarnation has the same fault before it, and meets it at once.
        await manager.restart_system("plc")
        await failed(happening)
        await manager.connect_system("plc")
        assert await manager.send_data_to_system("plc", "x")

    with_shared_manager(work)


def test_a_kill_of_a_failed_system_mends_nothing() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        happening = manager.events()
        await manager.start_child(SystemSpec("plc", "mock", {"faults": REFUSED}, connect=True))
        await failed(happening)
        os.kill(await pid_of(manager, "plc"), signal.SIGKILL)
        async for event in happening:
            if event.kind is EventKind.STARTED and event.incarnation == 2:
                break
        await until_state(manager, "plc", SystemState.FAILED)
        with pytest.raises(SystemFailedError, match="then restart or connect it"):
            await manager.send_data_to_system("plc", "x")

    with_shared_manager(work)


def test_an_authentication_that_is_revoked_ends_a_connection_that_stands() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        happening = manager.events()
        revoked = [{"operation": "send", "action": "fatal", "after": 1}]
        await manager.start_child(SystemSpec("plc", "mock", {"faults": revoked}, connect=True))
        await until_state(manager, "plc", SystemState.CONNECTED)
        assert await manager.send_data_to_system("plc", 1)
        with pytest.raises(ConnectorFailedError, match="fatal failure in send"):
            await manager.send_data_to_system("plc", 2)
        await failed(happening)
        assert not manager.is_connected("plc")
        with pytest.raises(SystemFailedError, match="fatal failure in send"):
            await manager.send_data_to_system("plc", 3)
        await manager.connect_system("plc")
        assert await manager.send_data_to_system("plc", 4)

    with_shared_manager(work)


def test_a_manager_whose_system_must_be_connected_and_cannot_be_says_so_when_it_starts() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        spec = SystemSpec("plc", "mock", {"faults": REFUSED}, connect=True, startup="error")
        manager.register_system(spec)
        with pytest.raises(SystemFailedError, match="cannot be started: cannot be connected"):
            await manager.start()
        manager.register_system(SystemSpec("other", "mock", connect=True))
        await manager.start()
        await until_state(manager, "other", SystemState.CONNECTED)

    with_shared_manager(work)
