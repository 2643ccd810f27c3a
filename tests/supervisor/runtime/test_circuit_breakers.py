"""Real systems whose circuit breakers open, and stay open whoever is killed; and sends that are
tried again over a new connection."""

from __future__ import annotations

import asyncio
import os
import signal
from functools import partial

import pytest

from actors import CircuitBreakerPolicy, CircuitState, Policy, RetryPolicy
from actors.messages import FailureCode, Outcome
from supervisor import (
    ConnectorFailedError,
    ExternalSystemError,
    ExternalSystemManager,
    SystemSpec,
)
from supervisor.host.streams import EventStream
from supervisor.messages import EventKind, LifecycleEvent
from tests.helpers.processes import kill_part
from tests.helpers.shared import with_shared_manager
from tests.helpers.support import mock, pid_of, status_of, until, with_manager

BOTH_WAYS = pytest.mark.usefixtures("way")
SHARED = pytest.mark.usefixtures("shared_runtime")


def breaker(seconds: float) -> Policy:
    """Opens at the second failure, for about so long."""
    settings = CircuitBreakerPolicy(window=2, backoff_min=seconds, backoff_max=seconds)
    return Policy(circuit_breaker=settings)


def failing(times: int | str, policy: Policy) -> SystemSpec:
    """Fails so many sends."""
    faults = [{"operation": "send", "action": "fail", "times": times}]
    return mock("plc", faults=faults, options={"policy": policy})


async def happened(events: EventStream, kind: EventKind) -> LifecycleEvent:
    """The next event of its kind."""
    async for event in events:
        if event.kind is kind:
            return event
    raise AssertionError(f"the events end before {kind}")


async def open_circuit(manager: ExternalSystemManager, events: EventStream) -> LifecycleEvent:
    for _ in range(2):
        with pytest.raises(ConnectorFailedError):
            await manager.send_data_to_system("plc", "x")
    return await happened(events, EventKind.CIRCUIT_OPENED)


async def is_refused(manager: ExternalSystemManager) -> bool:
    """Whether its breaker refuses a send; while it restarts there is another reason."""
    try:
        await manager.send_data_to_system("plc", "x")
    except ExternalSystemError as error:
        failure = error.failure
    else:
        raise AssertionError("it was sent")
    if failure.code is not FailureCode.CIRCUIT_OPEN:
        return False
    assert failure.outcome is Outcome.NOT_SENT
    assert failure.retry_after is not None
    assert 0 < failure.retry_after <= 600
    assert "plc: the circuit breaker is open: 2 of the last 2 calls failed" in failure.text
    return True


@SHARED
@BOTH_WAYS
def test_it_opens_and_closes_and_whoever_watches_is_told() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        events = manager.events()
        await manager.start_child(failing(2, breaker(0.2)))
        await manager.connect_system("plc")
        opened = await open_circuit(manager, events)
        assert opened.reason is not None
        assert "2 of the last 2 calls failed, the last: ConnectorError" in opened.reason.text
        assert opened.delay is not None
        assert 0 <= opened.delay <= 0.2
        await happened(events, EventKind.CIRCUIT_HALF_OPEN)
        assert await manager.send_data_to_system("plc", "x")
        await happened(events, EventKind.CIRCUIT_CLOSED)
        circuit = (await status_of(manager, "plc")).circuit
        assert circuit is not None
        assert circuit.state is CircuitState.CLOSED

    with_shared_manager(work)


@SHARED
def test_a_system_that_is_killed_right_after_it_opened_comes_back_with_it_open() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        events = manager.events()
        await manager.start_child(failing("always", breaker(600.0)))
        await manager.connect_system("plc")
        await open_circuit(manager, events)
        os.kill(await pid_of(manager, "plc"), signal.SIGKILL)
        while (await happened(events, EventKind.CONNECTED)).incarnation != 2:
            pass
        assert await is_refused(manager)
        circuit = (await status_of(manager, "plc")).circuit
        assert circuit is not None
        assert circuit.state is CircuitState.OPEN
        assert circuit.next_try is not None
        assert 400 < circuit.next_try <= 600

    with_shared_manager(work)


@SHARED
def test_a_restart_by_hand_closes_it() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        events = manager.events()
        await manager.start_child(failing("always", breaker(600.0)))
        await manager.connect_system("plc")
        await open_circuit(manager, events)
        assert await is_refused(manager)
        await manager.restart_system("plc")
        await happened(events, EventKind.CIRCUIT_CLOSED)
        await manager.connect_system("plc")
        with pytest.raises(ConnectorFailedError):
            await manager.send_data_to_system("plc", "x")

    with_shared_manager(work)


@pytest.mark.usefixtures("nothing_left")
def test_it_is_open_as_well_after_a_kill_of_the_supervisor() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        events = manager.events()
        await manager.connect_system("plc")
        await open_circuit(manager, events)
        kill_part(manager, "supervisor")
        await until(partial(is_refused, manager))
        circuit = (await status_of(manager, "plc")).circuit
        assert circuit is not None
        assert circuit.state is CircuitState.OPEN

    with_manager(work, failing("always", breaker(600.0)))


@SHARED
@BOTH_WAYS
def test_a_send_is_tried_again_when_the_connection_is_back() -> None:
    """The mock loses its connection before the item goes out; its supervisor connects it again."""

    async def work(manager: ExternalSystemManager) -> None:
        retry = RetryPolicy(attempts=3, backoff_min=5.0, backoff_max=5.0, idempotent=True)
        faults = [{"operation": "send", "action": "lose_connection", "times": 1}]
        spec = mock("plc", faults=faults, options={"policy": Policy(retry=retry)})
        await manager.start_child(spec)
        await manager.connect_system("plc")
        async with asyncio.timeout(4.0):  # it does not wait the whole time
            assert await manager.send_data_to_system("plc", "x")
        await until_retried(manager, 1)

    with_shared_manager(work)


async def until_retried(manager: ExternalSystemManager, times: int) -> None:
    async def is_counted() -> bool:
        return (await status_of(manager, "plc")).retried == times

    await until(is_counted)
