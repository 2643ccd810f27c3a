"""What tests of a running supervisor have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from actors import ExternalSystemInterface
from supervisor import ExternalSystemError, ExternalSystemManager, SystemSpec
from supervisor.messages import SystemState, SystemStatus
from supervisor.specs.options import LogLevel, SupervisorOptions

T = TypeVar("T")

PATIENCE = 20.0
"""Seconds that anything may take on a busy machine before a test gives up."""
TAKING_REQUESTS = (
    *(SystemState.DISCONNECTED, SystemState.CONNECTING, SystemState.CONNECTED),
    SystemState.FAILED,
)
QUIET = SupervisorOptions(log_level=LogLevel.CRITICAL)


def with_manager(
    work: Callable[[ExternalSystemManager], Coroutine[Any, Any, T]],
    *systems: SystemSpec | ExternalSystemInterface,
    options: SupervisorOptions = QUIET,
    strict: bool = True,
    patience: float = PATIENCE * 2,
) -> T:
    """Run a coroutine with a manager on a runtime of its own, with these systems.

    Args:
        patience: seconds that it may take.
    """

    async def main() -> T:
        async with ExternalSystemManager(strict=strict, options=options) as manager:
            for system in systems:
                assert manager.register_system(system)
            await manager.start()
            await until_linked(manager)
            return await asyncio.wait_for(work(manager), patience)

    return asyncio.run(main())


async def until_linked(manager: ExternalSystemManager) -> None:
    """Wait, with a cap, until requests go straight to the systems that run, if they may."""
    links = manager._dialog.links
    if not links.is_direct or manager.ended is not None:
        return
    for status in await manager.status_all():
        if status.pid is not None:
            links.prepare(status.name)

    async def linked() -> bool:
        statuses = await manager.status_all()
        running = [each.name for each in statuses if each.state in TAKING_REQUESTS]
        return links._links.keys() >= set(running)

    await until(linked)


def mock(name: str, **details: Any) -> SystemSpec:
    """A mock system; ``connect=False`` among the details leaves it disconnected."""
    connect = details.pop("connect", True)
    options = details.pop("options", {})
    return SystemSpec(name, "mock", details, connect=connect, **options)


async def status_of(manager: ExternalSystemManager, name: str) -> SystemStatus:
    status = await manager.status(name)
    assert status is not None
    return status


async def pid_of(manager: ExternalSystemManager, name: str) -> int:
    pid = (await status_of(manager, name)).pid
    assert pid is not None
    return pid


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait, with a cap, until a condition holds."""
    async with asyncio.timeout(PATIENCE):
        while not await condition():
            await asyncio.sleep(0.01)


async def answers(manager: ExternalSystemManager, name: str, item: Any) -> bool:
    try:
        await manager.send_data_to_system(name, item)
        return await manager.receive_data_from_system(name, timeout=1.0) is not None
    except ExternalSystemError:
        return False


async def until_lost(manager: ExternalSystemManager) -> None:
    async with asyncio.timeout(PATIENCE):
        await manager._dialog.session._recovery.lost.wait()


async def until_open(manager: ExternalSystemManager, name: str, count: int = 1) -> None:
    """Wait, with a cap, until a system itself has so many requests: what only the manager or the
    supervisor has outlives the system's process."""
    links = manager._dialog.links

    async def there() -> bool:
        return links.untaken(name) == 0 and (await status_of(manager, name)).waiting == count

    await until(there)
    await manager.check_health(name)  # asked later, so what was asked before has arrived


async def until_state(
    manager: ExternalSystemManager, name: str, state: SystemState, incarnation: int | None = None
) -> SystemStatus:
    """Wait, with a cap, until a system is in a state, and in a certain life if given."""

    async def there() -> bool:
        status = await status_of(manager, name)
        return status.state is state and incarnation in (None, status.incarnation)

    await until(there)
    return await status_of(manager, name)
