"""Which exceptions that nobody takes are a crash."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from actors.errors import FatalError
from actors.system_actor import unheeded
from actors.system_actor.unheeded import Unheeded


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No time to take an exception, but the turns of the loop it takes."""
    monkeypatch.setattr(unheeded, "GRACE", 0.0)
    hook = threading.excepthook
    yield
    threading.excepthook = hook


async def fail(error: BaseException) -> None:
    raise error


def crashes_of(work: Callable[[], Awaitable[Any]], *, connected: bool = True) -> list[str]:
    """The crashes that come of a connector's work, as their texts."""
    found: list[str] = []

    async def main() -> Any:
        watcher = Unheeded(
            lambda error: found.append(str(error)),
            lambda: not connected,
            lambda error: found.append(f"lost: {error}"),
        )
        watcher.watch(asyncio.get_running_loop())
        kept = await work()
        for _ in range(5):
            await asyncio.sleep(0)
        return kept

    asyncio.run(main())
    return found


def test_a_task_that_dies_of_an_exception_is_a_crash_though_somebody_holds_it() -> None:
    async def work() -> Any:
        return asyncio.create_task(fail(ValueError("reader")))

    assert crashes_of(work) == ["reader"]


def test_a_task_that_is_collected_is_a_crash_once() -> None:
    async def work() -> None:
        task = asyncio.create_task(fail(ValueError("reader")))
        await asyncio.sleep(0)
        del task
        gc.collect()

    assert crashes_of(work) == ["reader"]


def test_a_future_whose_exception_nobody_takes_is_a_crash() -> None:
    async def work() -> None:
        asyncio.get_running_loop().create_future().set_exception(ValueError("future"))
        gc.collect()

    assert crashes_of(work) == ["future"]


def test_a_callback_that_raises_is_a_crash() -> None:
    async def work() -> None:
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)

    assert crashes_of(work) == ["division by zero"]


def test_a_thread_that_dies_of_an_exception_is_a_crash(capfd: pytest.CaptureFixture[str]) -> None:
    def run() -> None:
        raise ValueError("thread")

    async def work() -> None:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()

    assert crashes_of(work) == ["thread"]
    assert "ValueError: thread" in capfd.readouterr().err


def test_a_thread_may_end_itself() -> None:
    def run() -> None:
        raise SystemExit(3)

    async def work() -> None:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()

    assert crashes_of(work) == []


async def gathers() -> None:
    with pytest.raises(ValueError, match="one"):
        await asyncio.gather(fail(ValueError("one")), fail(ValueError("two")))


async def groups() -> None:
    with pytest.raises(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(fail(ValueError("one")))


async def asks_later() -> Any:
    task = asyncio.create_task(fail(ValueError("one")))
    task.add_done_callback(lambda done: done.exception())
    return task


async def cancels() -> None:
    task = asyncio.create_task(asyncio.sleep(60))
    await asyncio.sleep(0)
    task.cancel()


@pytest.mark.parametrize("work", [gathers, groups, asks_later, cancels])
def test_what_somebody_takes_is_none(work: Callable[[], Awaitable[Any]]) -> None:
    assert crashes_of(work) == []


def test_a_reader_that_loses_the_connection_is_a_loss_if_the_system_says_that_it_is_lost() -> None:
    async def work() -> Any:
        return asyncio.create_task(fail(ConnectionResetError("gone")))

    assert crashes_of(work, connected=False) == ["lost: gone"]
    assert crashes_of(work, connected=True) == ["gone"]


def test_a_bug_is_a_crash_also_when_the_connection_is_lost() -> None:
    async def work() -> Any:
        return asyncio.create_task(fail(ValueError("reader")))

    assert crashes_of(work, connected=False) == ["reader"]


def test_a_task_that_finds_that_nothing_more_can_be_done_costs_a_connection_that_stands() -> None:
    async def work() -> Any:
        return asyncio.create_task(fail(FatalError("revoked")))

    for connected in (True, False):
        assert crashes_of(work, connected=connected) == ["lost: revoked"]
