"""Real processes, really killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Awaitable
from typing import Any

import psutil
import pytest

from actors.messages import Outcome
from supervisor import (
    ExternalSystemError,
    ExternalSystemManager,
    RequestTimeoutError,
    SupervisorOptions,
    SystemCrashedError,
    UnavailableError,
)
from supervisor.client import recovery
from supervisor.messages import EventKind, SystemState
from supervisor.specs.options import LogLevel
from tests.conftest import MARK, marked_processes, wait_until_none
from tests.helpers.processes import parts_of, until_gone
from tests.helpers.shared import with_shared_manager
from tests.helpers.support import (
    PATIENCE,
    mock,
    pid_of,
    status_of,
    until,
    until_open,
    until_state,
    with_manager,
)

pytestmark = pytest.mark.usefixtures("shared_runtime")
BOTH_WAYS = pytest.mark.usefixtures("way")

IMPATIENT = SupervisorOptions(request_timeout=0.5, log_level=LogLevel.CRITICAL)


async def untouched(manager: ExternalSystemManager) -> None:
    status = await status_of(manager, "other")
    assert (status.state, status.incarnation) == (SystemState.CONNECTED, 1)


async def answered(call: Awaitable[Any]) -> Any:
    """The result, or the error it ended with."""
    try:
        return await call
    except ExternalSystemError as error:
        return error


@BOTH_WAYS
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_system_killed_while_idle_comes_back_connected_once(number: signal.Signals) -> None:
    async def work(manager: ExternalSystemManager) -> None:
        await until_state(manager, "victim", SystemState.CONNECTED)
        await until_state(manager, "other", SystemState.CONNECTED)
        os.kill(await pid_of(manager, "victim"), number)
        status = await until_state(manager, "victim", SystemState.CONNECTED, incarnation=2)
        assert await manager.send_data_to_system("victim", 1)
        # A SIGTERM is reported twice by Thespian: a second restart would show by now.
        assert (await status_of(manager, "victim")).incarnation == 2
        assert status.restarts == 1
        assert status.last_crash is not None
        told = "its process was told to exit from outside, as by a SIGTERM"
        killed = f"its process was killed by {number.name}"
        assert status.last_crash.text == (told if number is signal.SIGTERM else killed)
        await untouched(manager)

    with_shared_manager(work, mock("victim"), mock("other"))


@BOTH_WAYS
def test_a_system_killed_while_sending_answers_with_an_unknown_outcome() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        await manager.call_command("victim", "inject_fault", "send", "delay", seconds=300.0)
        sends = [
            asyncio.ensure_future(answered(manager.send_data_to_system("victim", n)))
            for n in range(10)
        ]
        await until_open(manager, "victim", 10)
        os.kill(await pid_of(manager, "victim"), signal.SIGKILL)
        for error in await asyncio.gather(*sends):
            assert isinstance(error, SystemCrashedError)
            assert error.failure.outcome is Outcome.UNKNOWN
        await until_state(manager, "victim", SystemState.CONNECTED, incarnation=2)
        await untouched(manager)

    with_shared_manager(work, mock("victim"), mock("other"))


@BOTH_WAYS
def test_a_system_killed_while_a_receive_waits_answers_it() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        receive = asyncio.ensure_future(
            answered(manager.receive_data_from_system("victim", timeout=300.0))
        )
        await until_open(manager, "victim")
        os.kill(await pid_of(manager, "victim"), signal.SIGKILL)
        assert isinstance(await receive, SystemCrashedError)
        await until_state(manager, "victim", SystemState.CONNECTED, incarnation=2)

    with_shared_manager(work, mock("victim"))


@BOTH_WAYS
def test_every_request_around_a_kill_is_answered_exactly_once() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        async def traffic() -> int:
            count = 0
            while not over.is_set():
                await answered(manager.send_data_to_system("victim", count))
                await answered(manager.receive_data_from_system("victim", timeout=0.01))
                count += 1
            return count

        over = asyncio.Event()
        tasks = [asyncio.ensure_future(traffic()) for _ in range(20)]
        for incarnation in (1, 2, 3):
            status = await until_state(
                manager, "victim", SystemState.CONNECTED, incarnation=incarnation
            )
            assert status.pid is not None
            os.kill(status.pid, signal.SIGKILL)
        await until_state(manager, "victim", SystemState.CONNECTED, incarnation=4)
        over.set()
        assert all(await asyncio.gather(*tasks))
        assert (await status_of(manager, "victim")).waiting == 0
        await untouched(manager)

    with_shared_manager(work, mock("victim", echo=True), mock("other"))


@BOTH_WAYS
def test_an_unexpected_exception_is_a_crash_with_its_traceback() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        receive = asyncio.ensure_future(
            answered(manager.receive_data_from_system("victim", timeout=300.0))
        )
        await until_open(manager, "victim")
        await manager.call_command("victim", "inject_fault", "send", "bug")
        with pytest.raises(SystemCrashedError, match="InjectedBug"):
            await manager.send_data_to_system("victim", 1)
        assert isinstance(await receive, SystemCrashedError)
        status = await until_state(manager, "victim", SystemState.CONNECTED, incarnation=2)
        assert status.last_crash is not None
        assert "in send_data" in status.last_crash.traceback
        await untouched(manager)

    with_shared_manager(work, mock("victim"), mock("other"))


@pytest.mark.parametrize("keep_trying", [True, False])
def test_an_exit_inside_connect_is_a_crash_and_the_system_comes_back_as_it_is_meant_to_be(
    keep_trying: bool,
) -> None:
    async def work(manager: ExternalSystemManager) -> None:
        await manager.call_command("victim", "inject_fault", "connect", "exit")
        with pytest.raises(SystemCrashedError, match="exit code 1"):
            await manager.connect_system("victim", keep_trying=keep_trying)
        state = SystemState.CONNECTED if keep_trying else SystemState.DISCONNECTED
        await until_state(manager, "victim", state, incarnation=2)
        assert await manager.connect_system("victim")

    with_shared_manager(work, mock("victim", connect=False))


@BOTH_WAYS
def test_a_system_that_crashes_over_a_disconnect_comes_back_disconnected() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        await manager.call_command("victim", "inject_fault", "disconnect", "exit")
        with pytest.raises(SystemCrashedError, match="exit code 1"):
            await manager.disconnect_system("victim")
        await until_state(manager, "victim", SystemState.DISCONNECTED, incarnation=2)

    with_shared_manager(work, mock("victim"))


def test_a_system_that_always_crashes_does_not_spin() -> None:
    fault = {"operation": "connect", "action": "exit", "times": "always"}

    async def work(manager: ExternalSystemManager) -> None:
        status = await until_state(manager, "victim", SystemState.QUARANTINED)
        assert (status.incarnation, status.restarts, status.pid) == (4, 3, None)
        await untouched(manager)

    with_shared_manager(work, mock("victim", faults=[fault]), mock("other"))


@BOTH_WAYS
def test_a_hung_event_loop_costs_only_its_own_callers() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        await manager.call_command("victim", "inject_fault", "send", "hang_loop")
        with pytest.raises(RequestTimeoutError):
            await manager.send_data_to_system("victim", 1)
        with pytest.raises(RequestTimeoutError):
            await manager.call_command("victim", "sent_count")
        await untouched(manager)
        assert await manager.restart_system("victim")
        await until_state(manager, "victim", SystemState.CONNECTED, incarnation=2)

    victim = mock("victim", options={"shutdown": 0.1})
    with_shared_manager(work, victim, mock("other"), options=IMPATIENT)


@BOTH_WAYS
def test_many_stopped_processes_do_not_stop_the_supervisor() -> None:
    """Thespian stops sending to everybody after 20 messages that nobody takes."""
    names = [f"stopped-{number}" for number in range(15)]

    async def work(manager: ExternalSystemManager) -> None:
        for name in names:
            os.kill(await pid_of(manager, name), signal.SIGSTOP)
        tasks = [
            asyncio.ensure_future(answered(manager.call_command(name, "sent_count")))
            for name in names
            for _ in range(3)
        ]
        for number in range(20):
            assert await manager.send_data_to_system("other", number)
        assert all(isinstance(each, RequestTimeoutError) for each in await asyncio.gather(*tasks))
        assert all(await asyncio.gather(*(manager.restart_system(name) for name in names)))
        assert await manager.call_command(names[0], "sent_count") == 0
        await untouched(manager)

    specs = [mock(name, options={"shutdown": 0.1}) for name in names]
    with_shared_manager(work, *specs, mock("other"), options=IMPATIENT)


def test_many_systems_killed_at_once_all_come_back() -> None:
    """Thespian loses some of the notices when many processes end at once."""
    names = {f"victim-{number}" for number in range(100)}

    async def work(manager: ExternalSystemManager) -> None:
        await manager.connect_all()
        events = manager.events()
        for status in await manager.status_all():
            assert status.pid is not None
            os.kill(status.pid, signal.SIGKILL)
        gone = set(names)
        while gone:
            event = await anext(events)
            if event.kind is EventKind.CONNECTED and event.incarnation == 2:
                gone.discard(event.system_name)

    with_shared_manager(work, *map(mock, names), patience=100.0)


# ---- the runtime's own processes -------------------------------------------------------------

HOST = """
    import asyncio, sys
    from supervisor import ExternalSystemManager, SystemSpec
    async def main():
        async with ExternalSystemManager() as manager:
            for name in "abc":
                manager.register_system(SystemSpec(name, "mock", connect=True))
            await manager.connect_all()
            print("up", flush=True)
            await asyncio.sleep(600)
    asyncio.run(main())
"""


@pytest.mark.usefixtures("nothing_left")
def test_when_the_host_is_killed_nothing_stays() -> None:
    host = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOST)], stdout=subprocess.PIPE, text=True
    )
    assert host.stdout is not None
    with host.stdout:
        assert host.stdout.readline() == "up\n"
        left = marked_processes(os.environ[MARK])
        assert len(left) >= 7  # host, root, admin, logger, supervisor, three systems
        host.kill()
        host.wait()
    assert not wait_until_none(lambda: marked_processes(os.environ[MARK]), 5.0)


@BOTH_WAYS
@pytest.mark.usefixtures("nothing_left")
def test_a_hung_supervisor_is_killed_and_the_next_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(manager: ExternalSystemManager) -> None:
        await until_state(manager, "victim", SystemState.CONNECTED)
        supervisor = parts_of(manager)["supervisor"]
        supervisor.suspend()
        monkeypatch.setattr(recovery, "PING_EVERY", 0.05)
        monkeypatch.setattr(recovery, "PING_PATIENCE", 0.2)
        receive = manager.receive_data_from_system("victim", timeout=300.0)
        with pytest.raises(UnavailableError, match="the supervisor does not answer"):
            await asyncio.wait_for(receive, PATIENCE)
        monkeypatch.setattr(recovery, "PING_PATIENCE", PATIENCE)
        await until_state(manager, "victim", SystemState.CONNECTED)
        await until_gone(supervisor.pid)

    # The first round of pings still has the usual interval.
    monkeypatch.setattr(recovery, "PING_EVERY", 0.5)
    with_manager(work, mock("victim"))


def test_no_descriptor_of_a_client_stays_open_in_a_restarted_system() -> None:
    """A forked child that held the supervisor's sockets would keep clients from seeing its end."""

    async def work(manager: ExternalSystemManager) -> None:
        await manager.restart_system("victim")
        await until_state(manager, "victim", SystemState.CONNECTED, incarnation=2)
        process = psutil.Process(await pid_of(manager, "victim"))
        assert [
            each for each in process.net_connections("unix") if "supervisor.sock" in each.laddr
        ] == []

    with_shared_manager(work, mock("victim"))


@BOTH_WAYS
def test_a_lost_connection_is_made_again() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        await until_state(manager, "victim", SystemState.CONNECTED)
        await manager.call_command("victim", "inject_fault", "send", "lose_connection")
        await answered(manager.send_data_to_system("victim", 1))
        status = await until_state(manager, "victim", SystemState.CONNECTED, incarnation=1)
        assert await manager.send_data_to_system("victim", 2)
        assert (status.restarts, status.last_error) == (0, None)

    with_shared_manager(work, mock("victim"))


def test_a_system_that_cannot_be_connected_says_why_until_it_can() -> None:
    fault = {"operation": "connect", "action": "fail", "times": 3}

    async def work(manager: ExternalSystemManager) -> None:
        async def told() -> bool:
            return (await status_of(manager, "victim")).last_error is not None

        await until(told)
        status = await until_state(manager, "victim", SystemState.CONNECTED)
        assert (status.incarnation, status.last_error) == (1, None)

    with_shared_manager(work, mock("victim", faults=[fault]))
