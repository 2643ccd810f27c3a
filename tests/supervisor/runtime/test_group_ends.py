"""How groups start, shut down and end, in real processes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from supervisor import (
    AutoShutdown,
    ConnectorFailedError,
    ExternalSystemManager,
    GroupSpec,
    OnStartFailure,
    RestartType,
    SystemCrashedError,
    SystemSpec,
)
from supervisor.messages import EventKind, SystemState
from tests.helpers.ends import (
    STOPS_AND_STARTS,
    kill,
    raise_system_exit,
    scripted,
)
from tests.helpers.shared import with_shared_manager
from tests.helpers.support import until_state, with_manager
from tests.helpers.watch import Watch, lives, states

pytestmark = pytest.mark.usefixtures("shared_runtime")


# ---- significant children ------------------------------------------------------------------


@pytest.mark.parametrize("restart_type", RestartType)
def test_the_end_of_a_significant_child_ends_its_group(restart_type: RestartType) -> None:
    """What becomes of the group then follows from its own restart type."""
    significant = scripted("b", restart_type="transient", significant=True)
    group = GroupSpec(
        "group",
        (scripted("a"), significant, scripted("c")),
        auto_shutdown=AutoShutdown.ANY_SIGNIFICANT,
        restart_type=restart_type,
    )

    async def work(manager: ExternalSystemManager) -> None:
        watch = Watch(manager)
        assert await manager.start_child(group)
        await kill(manager, "b")  # no end for good: it is transient
        await watch.until(EventKind.STARTED, "b", incarnation=2)
        assert (await lives(manager))["group"] == 1
        watch.forget()
        await raise_system_exit(manager, "b")
        await watch.until(EventKind.STOPPED, "group")
        stops = watch.order([EventKind.STOPPING, EventKind.STOPPED], ["group", "a", "b", "c"])
        assert stops == [
            *("stopped b", "stopping group"),
            *("stopping c", "stopped c", "stopping a", "stopped a", "stopped group"),
        ]
        match restart_type:
            case RestartType.PERMANENT:
                await watch.until(EventKind.STARTED, "group", incarnation=2)
                assert await lives(manager) == {"root": 1, "group": 2, "a": 2, "b": 3, "c": 2}
            case RestartType.TRANSIENT:
                assert set((await states(manager)).values()) == {
                    SystemState.UP,
                    SystemState.TERMINATED,
                }
            case RestartType.TEMPORARY:
                assert set(await lives(manager)) == {"root"}

    with_shared_manager(work)


def test_a_group_may_wait_for_the_end_of_its_last_significant_child() -> None:
    children = (
        scripted("a", restart_type="transient", significant=True),
        scripted("b", restart_type="temporary", significant=True),
        scripted("c"),
    )
    group = GroupSpec("group", children, auto_shutdown="all_significant", restart_type="temporary")

    async def work(manager: ExternalSystemManager) -> None:
        watch = Watch(manager)
        assert await manager.start_child(group)
        await raise_system_exit(manager, "a")
        await watch.until(EventKind.STOPPED, "a")
        state = await states(manager)
        assert (state["group"], state["b"]) == (SystemState.UP, SystemState.CONNECTED)
        await kill(manager, "b")  # temporary: any end is for good
        await watch.until(EventKind.UNREGISTERED, "group")
        assert set(await lives(manager)) == {"root"}

    with_shared_manager(work)


# ---- shutdown ------------------------------------------------------------------------------


def stubborn(name: str, directory: Path, **options: Any) -> SystemSpec:
    """A system that disconnects only once the file ``release`` is there."""
    details = {"diary": str(directory / "diary"), "release": str(directory / "release")}
    return scripted(name, details, **options)


def diary(directory: Path) -> list[str]:
    path = directory / "diary"
    return path.read_text().splitlines() if path.exists() else []


def test_a_brutal_kill_gives_no_time_to_disconnect(tmp_path: Path) -> None:
    async def work(manager: ExternalSystemManager) -> None:
        assert await manager.start_child(stubborn("a", tmp_path, shutdown="brutal_kill"))
        await until_state(manager, "a", SystemState.CONNECTED)
        assert await manager.terminate_child("a")
        assert diary(tmp_path) == []
        assert (await states(manager))["a"] == SystemState.TERMINATED

    with_shared_manager(work)


def test_after_its_seconds_a_system_that_hangs_in_its_disconnect_is_killed(tmp_path: Path) -> None:
    async def work(manager: ExternalSystemManager) -> None:
        assert await manager.start_child(stubborn("a", tmp_path, shutdown=0.1))
        await until_state(manager, "a", SystemState.CONNECTED)
        assert await manager.terminate_child("a")
        assert diary(tmp_path) == ["a begin"]

    with_shared_manager(work)


def test_with_infinity_a_disconnect_has_all_the_time_it_needs(tmp_path: Path) -> None:
    async def work(manager: ExternalSystemManager) -> None:
        watch = Watch(manager)
        assert await manager.start_child(stubborn("a", tmp_path, shutdown="infinity"))
        # Another one, whose limit the first outlives.
        assert await manager.start_child(stubborn("b", tmp_path, shutdown=0.1))
        await until_state(manager, "a", SystemState.CONNECTED)
        await until_state(manager, "b", SystemState.CONNECTED)
        unregistered = manager.unregister_system("a")
        task = asyncio.create_task(unregistered)
        await watch.until(EventKind.STOPPING, "a")
        assert await manager.terminate_child("b")
        assert (await states(manager))["a"] == SystemState.STOPPING
        (tmp_path / "release").touch()
        assert await task
        assert sorted(diary(tmp_path)) == ["a begin", "a end", "b begin"]

    with_shared_manager(work)


@pytest.mark.parametrize("shutdown", [0.1, "brutal_kill"])
def test_the_limit_of_a_group_holds_for_all_that_is_in_it(
    tmp_path: Path, shutdown: float | str
) -> None:
    inner = GroupSpec("inner", (stubborn("a", tmp_path, shutdown="infinity"),))
    group = GroupSpec(
        "group", (stubborn("b", tmp_path, shutdown="infinity"), inner), shutdown=shutdown
    )

    async def work(manager: ExternalSystemManager) -> None:
        assert await manager.start_child(group)
        for name in "ab":
            await until_state(manager, name, SystemState.CONNECTED)
        assert await manager.terminate_child("group")
        # Only the first to be stopped had a chance to begin.
        assert diary(tmp_path) in ([], ["a begin"])
        assert (await states(manager))["b"] == SystemState.TERMINATED

    with_shared_manager(work)


@pytest.mark.usefixtures("nothing_left")
def test_closing_the_manager_stops_all_in_reverse_order(tmp_path: Path) -> None:
    def told(name: str) -> SystemSpec:
        return scripted(name, {"diary": str(tmp_path / "diary")})

    inner = GroupSpec("inner", (told("b"), told("c")))

    async def work(manager: ExternalSystemManager) -> None:
        assert await manager.start_child(told("a"))
        assert await manager.start_child(inner)
        assert await manager.start_child(told("d"))
        for name in "abcd":
            await until_state(manager, name, SystemState.CONNECTED)

    with_manager(work)
    assert diary(tmp_path) == [f"{name} {line}" for name in "dcba" for line in ("begin", "end")]


# ---- children that cannot be started -------------------------------------------------------


def lame(directory: Path, lacking: str) -> SystemSpec:
    """A system that cannot be built until the file ``crutch`` is there."""
    return scripted("lame", {"needs": str(directory / "crutch"), "lacking": lacking})


@pytest.mark.parametrize(
    ("policy", "lacking"),
    [
        (OnStartFailure.FAIL, "RuntimeError"),
        (OnStartFailure.FAIL, "ConnectionRefusedError"),
        (OnStartFailure.RETRY_CONNECTION_ERRORS, "RuntimeError"),
    ],
)
def test_a_group_with_a_child_that_cannot_be_started_fails_and_leaves_nothing(
    tmp_path: Path, policy: OnStartFailure, lacking: str
) -> None:
    children = (scripted("a"), lame(tmp_path, lacking), scripted("c"))
    group = GroupSpec("group", children, on_start_failure=policy)

    async def work(manager: ExternalSystemManager) -> None:
        watch = Watch(manager)
        with pytest.raises((ConnectorFailedError, SystemCrashedError), match="crutch is not there"):
            await manager.start_child(group)
        assert set(await lives(manager)) == {"root"}
        assert watch.order(STOPS_AND_STARTS | {EventKind.CRASHED}, ["a", "lame", "c", "group"]) == [
            *("starting group", "starting a", "started a", "starting lame", "crashed lame"),
            *("stopping group", "stopping a", "stopped a"),
        ]

    with_shared_manager(work)


@pytest.mark.parametrize(
    ("policy", "lacking"),
    [
        (OnStartFailure.RETRY, "RuntimeError"),
        (OnStartFailure.RETRY, "ConnectionRefusedError"),
        (OnStartFailure.RETRY_CONNECTION_ERRORS, "ConnectionRefusedError"),
    ],
)
def test_a_child_that_cannot_be_started_may_be_tried_again_while_the_others_run(
    tmp_path: Path, policy: OnStartFailure, lacking: str
) -> None:
    children = (scripted("a"), lame(tmp_path, lacking), scripted("c"))
    group = GroupSpec("group", children, on_start_failure=policy, strategy="one_for_all")

    async def work(manager: ExternalSystemManager) -> None:
        watch = Watch(manager)
        assert await manager.start_child(group)
        await watch.until(EventKind.CRASHED, "lame", incarnation=2)
        (tmp_path / "crutch").touch()
        # What comes after it was started too early.
        await watch.until(EventKind.STARTED, "c", incarnation=2)
        now = await lives(manager)
        assert (now["group"], now["a"], now["c"]) == (1, 1, 2)
        assert watch.order([EventKind.STARTED], ["a", "c", "lame", "group"]) == [
            *("started a", "started c", "started group", "started lame", "started c"),
        ]
        # Once it is up it is one of them.
        await kill(manager, "lame")
        await watch.until(EventKind.STARTED, "c", incarnation=3)
        assert (await lives(manager))["a"] == 2

    with_shared_manager(work)


def test_a_group_that_cannot_start_any_more_is_tried_again_by_the_group_it_is_in(
    tmp_path: Path,
) -> None:
    """OTP: a supervisor whose restart fails is restarted again, as if it had crashed."""
    crutch = tmp_path / "crutch"
    crutch.touch()
    inner = GroupSpec(
        "inner", (scripted("a"), lame(tmp_path, "RuntimeError")), on_start_failure="fail"
    )

    async def work(manager: ExternalSystemManager) -> None:
        watch = Watch(manager)
        assert await manager.start_child(GroupSpec("outer", (inner, scripted("o"))))
        crutch.unlink()
        assert await manager.terminate_child("inner")
        with pytest.raises((ConnectorFailedError, SystemCrashedError), match="crutch"):
            await manager.restart_child("inner")
        assert (await states(manager))["inner"] == SystemState.TERMINATED  # its spec is kept
        restart = manager.restart_system("inner")
        task = asyncio.create_task(restart)
        await watch.until(EventKind.RESTARTING, "inner")
        crutch.touch()
        assert await task
        state = await states(manager)
        assert state["inner"] == SystemState.UP
        assert (await lives(manager))["o"] == 1

    with_shared_manager(work)
