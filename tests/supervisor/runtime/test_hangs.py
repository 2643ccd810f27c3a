"""Systems that hang, in processes of their own: found, killed, restarted, and said why."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import Any

import psutil
import pytest

from actors import MockExternalSystem, command
from actors.messages import FailureCode, Outcome, Reason
from supervisor import ExternalSystemManager, SystemCrashedError, SystemSpec
from supervisor.messages import EventKind
from tests.helpers.support import PATIENCE, pid_of, status_of, with_manager

pytestmark = pytest.mark.usefixtures("nothing_left")

LIMIT = 1.5
"""Seconds of silence that a system is allowed."""


class Slow(MockExternalSystem):
    """Takes its time in one way or another."""

    @command
    async def block_the_loop(self, seconds: float) -> None:
        time.sleep(seconds)  # this is what no connector should do

    @command
    async def wait(self, seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "waited"

    @command
    async def block_a_thread(self, seconds: float) -> str:
        await asyncio.to_thread(time.sleep, seconds)
        return "slept"


def slow(name: str = "a") -> SystemSpec:
    kind = "tests.supervisor.runtime.test_hangs:Slow"
    return SystemSpec(name, kind, {}, connect=True, hang_timeout=LIMIT)


async def the_hang(events: Any) -> Reason:
    """Why a system was found to hang, after it crashed for that and was started again."""
    reasons: dict[EventKind, Reason | None] = {}
    async with asyncio.timeout(PATIENCE):
        async for event in events:
            reasons[event.kind] = event.reason
            if event.kind is EventKind.STARTED and EventKind.HUNG in reasons:
                break
    reason = reasons[EventKind.HUNG]
    assert reason is not None
    assert reason.kind == "hang"
    assert reasons[EventKind.CRASHED] == reason
    return reason


async def assert_never_restarted(manager: ExternalSystemManager, name: str = "a") -> None:
    status = await status_of(manager, name)
    assert (status.incarnation, status.last_crash) == (1, None)


def test_a_blocked_event_loop_is_killed_and_restarted_and_what_was_asked_is_answered() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        events = manager.events()
        blocking = asyncio.ensure_future(manager.call_command("a", "block_the_loop", 3600.0))
        reason = await the_hang(events)
        with pytest.raises(SystemCrashedError, match="its event loop was silent") as caught:
            await blocking
        assert caught.value.failure.code is FailureCode.SYSTEM_CRASHED
        assert caught.value.failure.outcome is Outcome.UNKNOWN
        assert reason.text.startswith("its event loop was silent for 1.5")
        assert "hang_timeout 1.5 s" in reason.text
        assert (await status_of(manager, "a")).incarnation == 2
        await assert_never_restarted(manager, "b")

    with_manager(work, slow(), slow("b"))


def test_a_stopped_process_is_killed_and_restarted() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        events = manager.events()
        os.kill(await pid_of(manager, "a"), signal.SIGSTOP)
        reason = await the_hang(events)
        assert "its message thread and its event loop were silent" in reason.text
        assert (await status_of(manager, "a")).incarnation == 2

    with_manager(work, slow())


def test_a_long_call_that_keeps_its_loop_alive_is_no_hang() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        calls = [("a", "wait"), ("b", "block_a_thread")]
        said = await asyncio.gather(
            *(manager.call_command(name, call, LIMIT * 2.5) for name, call in calls)
        )
        assert said == ["waited", "slept"]
        for name in "ab":
            await assert_never_restarted(manager, name)

    with_manager(work, slow("a"), slow("b"))


def test_a_stall_of_the_supervisor_hangs_nobody() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        supervisor = psutil.Process(await pid_of(manager, "a")).ppid()
        os.kill(supervisor, signal.SIGSTOP)
        try:
            await asyncio.sleep(LIMIT * 1.5)  # the stall itself
        finally:
            os.kill(supervisor, signal.SIGCONT)
        # Long enough to be judged after it.
        assert await manager.call_command("a", "wait", LIMIT * 1.6) == "waited"
        await assert_never_restarted(manager)

    with_manager(work, slow())
