"""Where systems are reached directly, and that nothing of it is left."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

import pytest

from actors.messages import Outcome
from actors.wire.tally import tally_path
from supervisor import ExternalSystemManager, SystemCrashedError
from supervisor.messages import SystemState
from supervisor.runtime.directory import doors_directory
from supervisor.runtime.doors import DirectoryOfDoors
from tests.helpers.net import leave_dead_socket
from tests.helpers.processes import kill_part, parts_of
from tests.helpers.support import (
    PATIENCE,
    QUIET,
    mock,
    pid_of,
    status_of,
    until,
    until_linked,
    until_lost,
    until_open,
    until_state,
    with_manager,
)


@pytest.fixture
def runtime(runtime_dir: Path) -> Path:
    runtime_dir.mkdir(0o700)
    return runtime_dir


def test_each_incarnation_has_a_short_path_of_its_own_for_nobody_else(runtime: Path) -> None:
    doors = DirectoryOfDoors(str(runtime / "supervisor.sock"))
    paths = [doors.choose("a", 1), doors.choose("a", 2), doors.choose("b" * 200, 1)]
    assert len(set(paths)) == 3
    assert all(len(path) <= len(str(runtime / "supervisor.sock")) for path in paths)
    assert doors.path_of("a", 2) == paths[1]
    assert doors.path_of("a", 3) is None
    assert stat.S_IMODE(doors_directory(runtime).stat().st_mode) == 0o700


def test_the_files_of_an_incarnation_that_ended_are_removed(runtime: Path) -> None:
    doors = DirectoryOfDoors(str(runtime / "supervisor.sock"), has_scribe=True)
    for number in (1, 2):
        path = Path(doors.choose("a", number))
        path.touch()
        Path(tally_path(str(path))).touch()
    doors.remove("a", 1)
    assert len(files_in(runtime)) == 3
    doors.close()
    assert not doors_directory(runtime).exists()


def test_what_a_killed_supervisor_left_is_removed_by_the_next(runtime: Path) -> None:
    path = DirectoryOfDoors(str(runtime / "supervisor.sock"), has_scribe=True).choose("a", 1)
    leave_dead_socket(path)
    Path(tally_path(path)).touch()
    precious = doors_directory(runtime) / "precious"
    precious.touch()
    DirectoryOfDoors(str(runtime / "supervisor.sock"))
    assert files_in(runtime) == [precious]


def files_in(runtime: Path) -> list[Path]:
    return list(doors_directory(runtime).iterdir())


# ---- on a real runtime -----------------------------------------------------------------------


def files_of(manager: ExternalSystemManager) -> list[Path]:
    runtime = manager._dialog.session._recovery.runtime
    assert runtime is not None
    return files_in(Path(runtime.socket_path).parent)


async def until_files(manager: ExternalSystemManager, count: int) -> None:
    async def there() -> bool:
        return len(files_of(manager)) == count

    await until(there)


@pytest.mark.usefixtures("nothing_left")
def test_the_systems_that_run_have_files_and_no_others() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        await until_files(manager, 6)
        os.kill(await pid_of(manager, "a"), 9)
        await until_state(manager, "a", SystemState.CONNECTED, incarnation=2)
        await until_files(manager, 6)
        assert await manager.restart_system("a")
        await until_files(manager, 6)
        assert await manager.terminate_child("a")
        await until_files(manager, 3)
        assert await manager.unregister_system("b")
        await until_files(manager, 0)

    with_manager(work, mock("a"), mock("b"))


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("part", ["supervisor", "guardian"])
def test_a_killed_supervisors_files_go_with_it(part: str) -> None:
    async def work(manager: ExternalSystemManager) -> None:
        await manager.send_data_to_system("a", 1)
        kill_part(manager, part)
        await until_lost(manager)
        await until_state(manager, "a", SystemState.CONNECTED)
        await until_files(manager, 3)

    with_manager(work, mock("a"))


@pytest.mark.usefixtures("nothing_left")
def test_requests_reach_a_system_while_its_supervisor_stands_still() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        await go_straight(manager, "a")
        supervisor = parts_of(manager)["supervisor"]
        supervisor.suspend()
        try:
            async with asyncio.timeout(PATIENCE):
                assert await manager.send_data_to_system("a", "item")
                assert await manager.receive_data_from_system("a") == "item"
                assert await manager.call_command("a", "sent_count") == 2
                assert await manager.check_health("a")
        finally:
            supervisor.resume()
        status = await status_of(manager, "a")
        assert (status.sent, status.received, status.waiting) == (2, 2, 0)

    with_manager(work, mock("a", echo=True))


async def go_straight(manager: ExternalSystemManager, name: str) -> None:
    """After this, what is asked goes straight to an echo."""
    await until_linked(manager)
    assert await manager.send_data_to_system(name, "first")
    assert await manager.receive_data_from_system(name, timeout=PATIENCE) == "first"


@pytest.mark.usefixtures("nothing_left")
def test_all_without_direct_goes_through_the_supervisor() -> None:
    async def main() -> None:
        async with ExternalSystemManager(strict=True, options=QUIET, direct=False) as manager:
            manager.register_system(mock("a", echo=True))
            assert await manager.connect_all()
            supervisor = parts_of(manager)["supervisor"]
            supervisor.suspend()
            send = asyncio.ensure_future(manager.send_data_to_system("a", "item"))
            done, _ = await asyncio.wait([send], timeout=0.2)
            assert not done
            supervisor.resume()
            assert await send

    asyncio.run(main())


@pytest.mark.usefixtures("nothing_left")
def test_a_restart_by_hand_costs_no_request_whichever_way_it_goes() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        over = asyncio.Event()
        sent: list[int] = []

        async def traffic() -> None:
            while not over.is_set():
                sent.append(len(sent))
                assert await manager.send_data_to_system("a", sent[-1])

        await go_straight(manager, "a")
        tasks = [asyncio.ensure_future(traffic()) for _ in range(5)]
        for _ in range(3):
            assert await manager.restart_system("a")
            await until_state(manager, "a", SystemState.CONNECTED)
        over.set()
        await asyncio.gather(*tasks)
        assert (await status_of(manager, "a")).sent == len(sent) + 1

    with_manager(work, mock("a", echo=True))


@pytest.mark.usefixtures("nothing_left")
def test_sends_keep_their_order_while_the_way_changes() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        # Through the supervisor at first, and straight as soon as there is a link.
        sends = [manager.send_data_to_system("late", number) for number in range(300)]
        tasks = []
        for send in sends:
            tasks.append(asyncio.ensure_future(send))
            await asyncio.sleep(0.0005)
        assert all(await asyncio.gather(*tasks))
        assert await manager.receive_many_from_system("late", 300, 1.0) == list(range(300))

    async def main() -> None:
        async with ExternalSystemManager(strict=True, options=QUIET) as manager:
            manager.register_system(mock("late", echo=True))
            await manager.connect_all()
            await work(manager)

    asyncio.run(main())


@pytest.mark.usefixtures("nothing_left")
def test_a_kill_while_the_supervisor_stands_still_is_answered_when_it_is_back() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        await go_straight(manager, "a")
        pid = await pid_of(manager, "a")
        receive = asyncio.ensure_future(manager.receive_data_from_system("a", timeout=300.0))
        await until_open(manager, "a")
        supervisor = parts_of(manager)["supervisor"]
        supervisor.suspend()
        os.kill(pid, 9)
        done, _ = await asyncio.wait([receive], timeout=0.2)
        assert not done
        supervisor.resume()
        with pytest.raises(SystemCrashedError, match="SIGKILL") as caught:
            await asyncio.wait_for(receive, PATIENCE)
        assert caught.value.failure.outcome is Outcome.UNKNOWN

    with_manager(work, mock("a", echo=True))
