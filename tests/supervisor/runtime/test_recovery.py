"""Whichever one process of a runtime is killed, its systems come back without the host's help."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import psutil
import pytest

from actors import MockExternalSystem
from actors.messages import Outcome
from supervisor import (
    ExternalSystemError,
    ExternalSystemManager,
    SystemSpec,
    UnavailableError,
)
from supervisor.client import waiting
from supervisor.messages import DesiredState, EventKind, SystemState
from tests.helpers.processes import PARTS, kill_part, parts_of, runs, until_gone
from tests.helpers.support import (
    PATIENCE,
    QUIET,
    answers,
    mock,
    pid_of,
    status_of,
    until,
    until_linked,
    until_lost,
    until_open,
    until_state,
)

pytestmark = pytest.mark.usefixtures("nothing_left")
BOTH_WAYS = pytest.mark.usefixtures("way")

RECOVERED_WITHIN = 15.0
"""Seconds; it is promised in five, on a machine with nothing else to do."""


@asynccontextmanager
async def runtime() -> AsyncIterator[tuple[ExternalSystemManager, MockExternalSystem]]:
    """Two specs and an object that are connected, and a system that is not any more."""
    async with ExternalSystemManager(strict=True, options=QUIET) as manager:
        thing = MockExternalSystem("object", {"echo": True})
        manager.register_system(thing)
        manager.register_system(mock("spec-1", echo=True))
        manager.register_system(mock("spec-2", echo=True))
        manager.register_system(mock("off"))
        await manager.connect_all()
        await manager.disconnect_system("off")
        await until_linked(manager)
        yield manager, thing


async def system_pids(manager: ExternalSystemManager) -> dict[str, int | None]:
    return {status.name: status.pid for status in await manager.status_all()}


async def seconds_until_answered(
    manager: ExternalSystemManager, before: dict[str, int | None] | None = None
) -> float:
    """Until all that are meant to be connected answer, by the only means of asking them.

    Args:
        before: their processes, from which it is not to be: a runtime dies in steps.
    """
    began = time.monotonic()

    async def answers_again(name: str) -> bool:
        if not await answers(manager, name, "again"):
            return False
        if before is None:
            return True
        try:
            return (await system_pids(manager))[name] != before[name]
        except (ExternalSystemError, KeyError):
            return False

    for name in ("object", "spec-1", "spec-2"):
        await until(partial(answers_again, name))
    return time.monotonic() - began


@BOTH_WAYS
@pytest.mark.parametrize("part", PARTS)
def test_systems_answer_again_whichever_process_is_killed(
    part: str, record_property: Callable[[str, object], None]
) -> None:
    async def main() -> float:
        async with runtime() as (manager, thing):
            victim = parts_of(manager, system=await pid_of(manager, "spec-1"))[part]
            incarnation = (await status_of(manager, "spec-1")).incarnation
            before = await system_pids(manager)
            victim.kill()
            # With the others' processes as they were.
            goes_on = part in ("system", "nursery", "logger")
            seconds = await seconds_until_answered(manager, None if goes_on else before)
            await until_gone(victim.pid)
            assert await thing.send_data("by its handle")
            assert thing.is_connected
            assert not manager.is_connected("off")
            assert not (await status_of(manager, "off")).is_connected
            names = [status.name for status in await manager.status_all()]
            assert names == ["object", "spec-1", "spec-2", "off"]
            assert not manager.ended
            if part == "system":
                assert (await status_of(manager, "spec-1")).incarnation == incarnation + 1
            return seconds

    seconds = asyncio.run(main())
    record_property("seconds", seconds)
    print(f"{part}: {seconds:.3f} s")
    assert seconds < RECOVERED_WITHIN


def test_a_system_that_is_killed_with_the_nursery_is_started_again_as_ever() -> None:
    async def main() -> None:
        async with runtime() as (manager, thing):
            before = await system_pids(manager)
            for incarnation in (2, 3):
                parts = parts_of(manager, system=await pid_of(manager, "spec-1"))
                # A nursery that was killed while it forked is replaced at the next need only.
                victims = [parts[part] for part in ("nursery", "system") if part in parts]
                for victim in victims:
                    victim.kill()
                for victim in victims:
                    await until_gone(victim.pid)
                await seconds_until_answered(manager)
                assert (await status_of(manager, "spec-1")).incarnation == incarnation
            after = await system_pids(manager)
            assert {**after, "spec-1": 0} == {**before, "spec-1": 0}
            supervisor = parts_of(manager)["supervisor"]
            assert psutil.Process(after["spec-1"]).ppid() == supervisor.pid
            assert await thing.send_data("by its handle")

    asyncio.run(main())


def test_a_killed_logger_is_replaced_and_takes_nothing_with_it() -> None:
    async def main() -> None:
        async with runtime() as (manager, thing):
            before = await system_pids(manager)
            receive = asyncio.ensure_future(
                manager.receive_data_from_system("object", timeout=300.0)
            )
            parts = parts_of(manager)
            parts["logger"].kill()

            async def replaced() -> bool:
                known = (parts["logger"], parts["guardian"])
                return any(each not in known for each in parts["admin"].children())

            await until(replaced)
            assert not receive.done()
            assert await thing.send_data("after it")
            assert await receive == "after it"
            assert await system_pids(manager) == before

    asyncio.run(main())


@BOTH_WAYS
@pytest.mark.parametrize("part", ["supervisor", "guardian", "admin", "root"])
def test_each_request_in_flight_is_answered_once(part: str) -> None:
    async def main() -> None:
        async with runtime() as (manager, _):
            receives = [
                asyncio.ensure_future(manager.receive_data_from_system(name, timeout=300.0))
                for name in ("object", "spec-1", "spec-2")
                for _ in range(5)
            ]

            for name in ("object", "spec-1", "spec-2"):
                await until_open(manager, name, 5)
            kill_part(manager, part)
            done, pending = await asyncio.wait(receives, timeout=PATIENCE)
            assert not pending
            for each in done:
                error = each.exception()
                assert isinstance(error, UnavailableError)
                assert error.failure.outcome is Outcome.UNKNOWN
            await seconds_until_answered(manager)

    asyncio.run(main())


@BOTH_WAYS
def test_requests_made_meanwhile_wait_for_the_recovery() -> None:
    async def main() -> None:
        async with runtime() as (manager, _):
            parts_of(manager)["supervisor"].kill()
            await until_lost(manager)
            sends = [manager.send_data_to_system("off", number) for number in range(3)]
            asks = [manager.status(name) for name in ("object", "spec-1")]
            results = await asyncio.gather(*sends, *asks, return_exceptions=True)
            # Of a system that is not connected: what matters is that it is there to ask.
            assert not any(isinstance(each, UnavailableError) for each in results), results
            for status, name in zip(results[3:], ("object", "spec-1"), strict=True):
                assert getattr(status, "name", None) == name

    asyncio.run(main())


def test_a_request_waits_for_the_recovery_no_longer_than_its_own_timeout() -> None:
    async def main() -> None:
        async with runtime() as (manager, _):
            parts = parts_of(manager)
            parts["guardian"].suspend()
            parts["supervisor"].kill()
            await until_lost(manager)
            with pytest.raises(UnavailableError, match="being restarted") as caught:
                await manager.receive_data_from_system("object", timeout=0.1)
            assert caught.value.failure.outcome is Outcome.NOT_SENT
            parts["guardian"].resume()
            await seconds_until_answered(manager)

    asyncio.run(main())


def test_what_was_registered_and_unregistered_later_is_remembered() -> None:
    async def main() -> None:
        async with runtime() as (manager, _):
            manager.register_system(mock("late", echo=True))
            await manager.start()
            await manager.unregister_system("spec-2")
            for part in ("supervisor", "root"):
                kill_part(manager, part)
                await until(lambda: answers(manager, "late", "again"))
                names = [status.name for status in await manager.status_all()]
                assert names == ["object", "spec-1", "off", "late"]

    asyncio.run(main())


def test_what_was_answered_just_before_a_kill_is_remembered() -> None:
    async def main() -> None:
        async with runtime() as (manager, _):
            for number in range(4):
                supervisor = parts_of(manager)["supervisor"]
                manager.register_system(mock(f"new-{number}", connect=False))
                if number == 0:
                    await manager.unregister_system("off")
                assert await manager.connect_system(f"new-{number}")
                supervisor.kill()  # at once: the record must be there already
                supervisor.wait(PATIENCE)
                await until(partial(answers_to, manager, f"new-{number}"))
            names = [status.name for status in await manager.status_all()]
            assert names == ["object", "spec-1", "spec-2", "new-0", "new-1", "new-2", "new-3"]

    asyncio.run(main())


@BOTH_WAYS
def test_a_disconnect_that_was_answered_just_before_a_kill_is_remembered() -> None:
    async def main() -> None:
        async with runtime() as (manager, _):
            for name in ("spec-1", "spec-2", "object"):
                supervisor = parts_of(manager)["supervisor"]
                assert await manager.disconnect_system(name)
                supervisor.kill()  # at once: the record must have it already
                supervisor.wait(PATIENCE)
                await until_lost(manager)
                await until_state(manager, name, SystemState.DISCONNECTED)
                assert (await status_of(manager, name)).desired is DesiredState.DISCONNECTED

    asyncio.run(main())


async def answers_to(manager: ExternalSystemManager, name: str) -> bool:
    try:
        return await manager.send_data_to_system(name, "again")
    except ExternalSystemError:
        return False


@pytest.mark.parametrize("part", ["supervisor", "root"])
def test_streams_of_events_and_data_go_on(part: str) -> None:
    async def main() -> None:
        async with runtime() as (manager, _):
            events = manager.events()
            data = manager.data_from("spec-1")
            first = asyncio.ensure_future(anext(data))
            await until_tapped(manager, first)
            kill_part(manager, part)
            async with asyncio.timeout(PATIENCE):
                async for event in events:
                    if event.kind is EventKind.CONNECTED and event.system_name == "spec-1":
                        break
                following = asyncio.ensure_future(anext(data))
                while not following.done():
                    await manager.send_data_to_system("spec-1", "after")
                    await asyncio.wait([following], timeout=0.05)
                assert await following == ("spec-1", "after")
            await data.aclose()  # type: ignore[attr-defined]

    asyncio.run(main())


async def until_tapped(manager: ExternalSystemManager, item: asyncio.Future[Any]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not item.done():
            await manager.send_data_to_system("spec-1", "before")
            await asyncio.wait([item], timeout=0.05)


def test_killed_again_and_again_it_comes_back() -> None:
    async def main() -> None:
        async with runtime() as (manager, _):
            for part in ("supervisor", "guardian", "root", "supervisor", "admin", "guardian"):
                before = await system_pids(manager)
                kill_part(manager, part)
                await seconds_until_answered(manager, before)
            assert not (await status_of(manager, "off")).is_connected

    asyncio.run(main())


def test_a_runtime_that_ends_too_often_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with runtime() as (manager, _):
            events = manager.events()
            while manager.ended is None:
                runtime_ = manager._dialog.session._recovery.runtime
                if runtime_ is not None and runtime_.socket_path:
                    runtime_.kill()
                try:
                    await manager.status("object")
                except UnavailableError:
                    pass
            with pytest.raises(UnavailableError):
                await manager.status("object")
            async with asyncio.timeout(PATIENCE):
                async for _ in events:
                    pass

    monkeypatch.setattr(waiting, "RECOVERY_PATIENCE", PATIENCE)
    asyncio.run(main())


def test_a_manager_closed_while_it_recovers_leaves_nothing() -> None:
    async def main(part: str) -> None:
        async with runtime() as (manager, _):
            kill_part(manager, part)
            await until_lost(manager)
            waiting = asyncio.ensure_future(manager.status("object"))
            await asyncio.sleep(0)
        with pytest.raises(UnavailableError):
            await waiting

    for part in ("supervisor", "admin", "root"):
        asyncio.run(main(part))


def test_a_connectors_own_subprocess_ends_with_the_supervisor() -> None:
    async def main() -> None:
        async with runtime() as (manager, _):
            spawner = SystemSpec("spawner", "tests.supervisor.runtime.test_embedded:Spawner")
            manager.register_system(spawner)
            pid = await manager.call_command("spawner", "spawn")
            parts_of(manager)["supervisor"].kill()
            await seconds_until_answered(manager)

            async def gone() -> bool:
                return not runs(pid)

            await until(gone)

    asyncio.run(main())
