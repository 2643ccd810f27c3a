"""How a manager begins and ends, and what is left then: nothing."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import textwrap
from typing import Any

import psutil
import pytest

from supervisor import (
    ExternalSystemManager,
    UnavailableError,
)
from tests.conftest import MARK, marked_processes, wait_until_none
from tests.helpers.support import (
    PATIENCE,
    QUIET,
    mock,
    pid_of,
    with_manager,
)
from tests.helpers.thermostat import Thermostat

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not tell elsewhere")
def test_a_manager_knows_its_supervisors_process() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        assert manager.supervisor_pid == psutil.Process(await pid_of(manager, "a")).ppid()
        await manager.close()
        assert manager.supervisor_pid is None

    with_manager(work, mock("a"))


def test_calls_after_close_say_that_it_is_closed() -> None:
    async def main() -> None:
        manager = ExternalSystemManager(strict=True, options=QUIET)
        manager.register_system(mock("a"))
        await manager.start()
        await manager.close()
        await manager.close()
        with pytest.raises(UnavailableError, match="the manager is closed"):
            await manager.send_data_to_system("a", 1)
        with pytest.raises(UnavailableError, match="the manager is closed"):
            manager.register_system(mock("b"))

    asyncio.run(main())


def test_events_of_a_closed_manager_end_at_once() -> None:
    async def main() -> list[Any]:
        manager = ExternalSystemManager(options=QUIET)
        await manager.close()
        async with asyncio.timeout(PATIENCE):
            return [event async for event in manager.events()]

    assert asyncio.run(main()) == []


def test_events_end_when_the_supervisor_is_stopped() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        events = manager.events()
        await manager.stop_supervisor()
        async with asyncio.timeout(PATIENCE):
            assert [event async for event in events]

    with_manager(work, mock("a"))


def test_two_managers_have_runtimes_of_their_own() -> None:
    async def main() -> None:
        async with (
            ExternalSystemManager(strict=True, options=QUIET) as one,
            ExternalSystemManager(strict=True, options=QUIET) as two,
        ):
            one.register_system(mock("a", echo=True))
            two.register_system(mock("a", echo=True))
            await one.connect_all()
            await two.connect_all()
            await one.send_data_to_system("a", "for one")
            assert await two.receive_data_from_system("a") is None
            assert await one.receive_data_from_system("a") == "for one"

    asyncio.run(main())


def test_systems_disconnect_when_the_manager_closes(tmp_path: Any) -> None:
    marker = tmp_path / "disconnected"

    class Writes(Thermostat):
        async def disconnect(self) -> bool:
            marker.write_text("yes")
            return await super().disconnect()

    async def work(manager: ExternalSystemManager) -> None:
        await manager.connect_all()

    with_manager(work, Writes("w", 1.0))
    assert marker.read_text() == "yes"


def test_a_host_that_never_closes_ends_cleanly() -> None:
    program = """
        import asyncio
        from actors import MockExternalSystem
        from supervisor import ExternalSystemManager

        class Mine(MockExternalSystem):
            pass

        async def main():
            manager = ExternalSystemManager()
            manager.register_system(Mine("a", {"echo": True}))
            await manager.connect_all()
            await manager.send_data_to_system("a", "hello")
            print(await manager.receive_data_from_system("a"))

        asyncio.run(main())
    """
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello\n", "")


def test_a_runtime_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXTSYS_BASE", "noSuchBase")

    async def main() -> None:
        manager = ExternalSystemManager(options=QUIET)
        with pytest.raises(RuntimeError, match="the bases that work are"):
            await manager.start()

    asyncio.run(main())


def test_a_start_that_is_cancelled_and_then_fails_says_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def host() -> None:
        manager = ExternalSystemManager(strict=True, options=QUIET)
        await manager.start()
        manager.register_system(mock("a", faults=[SLOW_TO_BUILD]))
        starting = asyncio.create_task(manager.start())
        await asyncio.sleep(0.1)
        starting.cancel()
        await manager.close()

    asyncio.run(host())
    gc.collect()
    assert caplog.messages == []


SLOW_TO_BUILD = {"operation": "construct", "action": "hang_loop", "seconds": 1.0}


def test_a_manager_ends_with_its_event_loop() -> None:
    manager = ExternalSystemManager(strict=True, options=QUIET)
    asyncio.run(manager.start())
    with pytest.raises(UnavailableError, match="event loop has ended"):
        asyncio.run(manager.connect_all())
    asyncio.run(manager.close())


def test_a_manager_closed_while_it_starts_leaves_nothing() -> None:
    async def main() -> None:
        manager = ExternalSystemManager(strict=True, options=QUIET)
        starting = asyncio.create_task(manager.start())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await manager.close()
        assert not marked_processes(os.environ[MARK])
        with pytest.raises(UnavailableError, match="the manager is closed"):
            await starting

    asyncio.run(main())


def test_a_loop_that_ends_while_a_manager_starts_ends_the_runtime() -> None:
    async def main() -> None:
        starting = asyncio.create_task(ExternalSystemManager(options=QUIET).start())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not starting.done()

    asyncio.run(main())
    assert not wait_until_none(lambda: marked_processes(os.environ[MARK]))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_loop_that_is_closed_under_a_manager_does_not_keep_the_runtime() -> None:
    manager = ExternalSystemManager(options=QUIET)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(manager.start())
    loop.close()
    asyncio.run(manager.close())
    assert not marked_processes(os.environ[MARK])
    del manager, loop
    gc.collect()  # nobody but the garbage collector can close a socket of a closed loop


def test_a_second_close_waits_for_the_first_and_does_not_hurry_it(tmp_path: Any) -> None:
    marker = tmp_path / "disconnected"

    class Slow(Thermostat):
        async def disconnect(self) -> bool:
            await asyncio.sleep(1.0)  # longer than the systems of a dead host get
            marker.write_text("yes")
            return await super().disconnect()

    async def main() -> None:
        manager = ExternalSystemManager(options=QUIET)
        manager.register_system(Slow("s", 1.0))
        await manager.connect_all()

        async def close() -> None:
            await manager.close()
            assert not marked_processes(os.environ[MARK])

        await asyncio.gather(close(), close())

    asyncio.run(main())
    assert marker.read_text() == "yes"
