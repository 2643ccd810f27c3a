"""Systems that end in one way or another, by the will of a test."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from supervisor import ExternalSystemError, ExternalSystemManager, RestartPolicy, SystemSpec
from supervisor.messages import EventKind
from tests.helpers.support import pid_of

STOPS_AND_STARTS = {EventKind.STOPPING, EventKind.STOPPED, EventKind.STARTING, EventKind.STARTED}
BRISK = RestartPolicy(max_restarts=10, period=60.0, backoff_min=0.01, backoff_max=0.02)


def scripted(name: str, details: dict[str, Any] | None = None, **options: Any) -> SystemSpec:
    options = {"restart": BRISK, "connect": True, **options}
    return SystemSpec(name, "tests.helpers.scripted:Scripted", details or {}, **options)


async def kill(manager: ExternalSystemManager, name: str) -> None:
    os.kill(await pid_of(manager, name), signal.SIGKILL)


async def meet_a_bug(manager: ExternalSystemManager, name: str) -> None:
    await manager.call_command(name, "inject_fault", "health", "bug")
    with pytest.raises(ExternalSystemError):
        await manager.check_health(name)


async def exit_with_0(manager: ExternalSystemManager, name: str) -> None:
    with pytest.raises(ExternalSystemError):
        await manager.call_command(name, "leave_at_once")


async def exit_with_3(manager: ExternalSystemManager, name: str) -> None:
    with pytest.raises(ExternalSystemError):
        await manager.call_command(name, "leave_at_once", 3)


async def raise_system_exit(manager: ExternalSystemManager, name: str) -> None:
    with pytest.raises(ExternalSystemError):
        await manager.call_command(name, "leave")


ABNORMAL = {"killed": kill, "bug": meet_a_bug, "exit-3": exit_with_3}
NORMAL = {"exit-0": exit_with_0, "system-exit": raise_system_exit}
