"""What is sent durably: real processes, really killed, and a disk that is really full."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors import MockExternalSystem, current_delivery
from supervisor import (
    DeadLetterError,
    DurablePolicy,
    ExternalSystemError,
    ExternalSystemManager,
    InvalidSpecError,
    PartlyFailedError,
    RequestTimeoutError,
    SupervisorOptions,
    SynchronousManager,
    SystemSpec,
    UnavailableError,
)
from supervisor.messages import EventKind, SystemState
from supervisor.specs.options import LogLevel
from tests.helpers.ledger import (
    accepted_of,
    check,
    entered,
    journal_of,
    spec,
    start_host,
    start_server,
)
from tests.helpers.processes import parts_of
from tests.helpers.support import PATIENCE, pid_of, until, until_state

COUNT = 300


class Plant:
    """A server with a ledger, and where all else is."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ledger = directory / "ledger"
        self.server, self.port = start_server(self.ledger)

    def manager(self, **options: object) -> ExternalSystemManager:
        return ExternalSystemManager(strict=True, options=self.options(**options))

    def options(self, **options: object) -> SupervisorOptions:
        options.setdefault("log_level", LogLevel.CRITICAL)
        return SupervisorOptions(state_dir=str(self.directory / "state"), **options)

    def stop_server(self) -> None:
        self.server.kill()
        self.server.wait()
        assert self.server.stdout is not None
        self.server.stdout.close()

    def numbers(self) -> list[int]:
        return [each.number for each in entered(self.ledger)]


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    made = Plant(tmp_path)
    yield made
    made.stop_server()


async def until_delivered(manager: ExternalSystemManager, name: str = "plc") -> None:
    async def delivered() -> bool:
        try:
            status = await manager.status(name)
        except ExternalSystemError:
            return False  # its supervisor is being restarted
        return status is not None and status.outbox == 0

    await until(delivered)


@pytest.mark.parametrize(
    "victim", ["system", "supervisor", "guardian", "admin", "root", "reaper", "journal"]
)
def test_nothing_accepted_is_lost_with_a_process(plant: Plant, victim: str) -> None:
    async def main() -> None:
        async with plant.manager() as manager:
            manager.register_system(spec("plc", plant.port))
            await until_state(manager, "plc", SystemState.CONNECTED)
            pid = await pid_of(manager, "plc")
            accepted: list[int] = []

            async def send(number: int) -> None:
                try:
                    await manager.accept_data("plc", number)
                except ExternalSystemError:
                    return  # nobody could say that it was
                accepted.append(number)

            sending = asyncio.gather(*map(send, range(COUNT)))
            await until(lambda: _is_true(len(accepted) >= 50))
            parts = parts_of(manager, pid)
            process = journal_of(parts["supervisor"]) if victim == "journal" else parts[victim]
            assert process is not None
            process.kill()
            await sending
            await until_delivered(manager)
            assert len(accepted) >= 50
            check(entered(plant.ledger), {"plc": accepted})

    asyncio.run(main())


async def _is_true(value: bool) -> bool:
    return value


def test_nothing_accepted_is_lost_with_its_host_and_all_of_its_runtime(plant: Plant) -> None:
    host = start_host(plant.directory, plant.port, ["plc"])
    try:
        _wait_until(lambda: len(accepted_of(plant.directory, "plc")) >= 50)
    finally:
        host.kill()
        host.wait()
    (plant.directory / "stop").touch()
    assert start_host(plant.directory, plant.port, ["plc"]).wait(PATIENCE) == 0
    check(entered(plant.ledger), {"plc": accepted_of(plant.directory, "plc")})


def _wait_until(condition: object) -> None:
    async def true() -> bool:
        assert callable(condition)
        return bool(condition())

    asyncio.run(until(true))


def test_it_is_accepted_while_nothing_is_there_and_delivered_when_it_comes(plant: Plant) -> None:
    async def main() -> None:
        plant.stop_server()
        async with plant.manager() as manager:
            manager.register_system(spec("plc", plant.port))
            for number in range(10):
                assert await manager.send_data_to_system("plc", number)
            status = await manager.status("plc")
            assert status is not None
            assert status.outbox == 10
            plant.server, _ = start_server(plant.ledger, plant.port)
            await until_delivered(manager)
            assert plant.numbers() == list(range(10))

    asyncio.run(main())


def test_it_is_accepted_while_its_system_hangs_past_all_that_waits_for_it(plant: Plant) -> None:
    async def main() -> None:
        async with plant.manager() as manager:
            manager.register_system(SystemSpec("plc", "mock", connect=True))
            await until_state(manager, "plc", SystemState.CONNECTED)
            assert await manager.send_data_to_system("plc", 0)
            pid = await pid_of(manager, "plc")
            os.kill(pid, signal.SIGSTOP)
            try:
                waiting = [
                    asyncio.create_task(manager.send_data_to_system("plc", number))
                    for number in range(5000)
                ]
                await asyncio.sleep(0)  # they are on their way
                async with asyncio.timeout(PATIENCE):
                    assert await manager.accept_data("plc", 1) is not None
            finally:
                os.kill(pid, signal.SIGCONT)
            assert all(await asyncio.gather(*waiting))
            await until_delivered(manager)

    asyncio.run(main())


def test_an_object_that_was_registered_sends_durably_too(plant: Plant) -> None:
    async def main() -> None:
        async with plant.manager() as manager:
            system = MockExternalSystem("plc", {})
            manager.register_system(system, durable=True, connect=True)
            assert await system.send_data(1)
            assert await system.send_data(2, wait=True)  # type: ignore[call-arg]
            assert await system.send_many([3], durable=False) == [True]  # type: ignore[call-arg]
            assert await system.sent_items() == [1, 2, 3]

    asyncio.run(main())


def test_what_one_host_left_the_next_delivers(plant: Plant) -> None:
    async def main() -> None:
        async with plant.manager() as manager:
            manager.register_system(SystemSpec("plc", "mock", durable=True))
            assert await manager.accept_data("plc", 0) is not None
            assert await manager.unregister_system("plc")
        async with plant.manager() as manager:
            manager.register_system(spec("plc", plant.port))
            await until_delivered(manager)
            assert plant.numbers() == [0]

    asyncio.run(main())


def test_whoever_waits_is_answered_when_it_has_arrived(plant: Plant) -> None:
    async def main() -> None:
        async with plant.manager() as manager:
            manager.register_system(spec("plc", plant.port))
            assert await manager.send_data_to_system("plc", 1, wait=True)
            assert plant.numbers() == [1]
            assert await manager.send_many_to_system("plc", [2, 3], wait=True) == [True, True]
            assert plant.numbers() == [1, 2, 3]

    asyncio.run(main())


def test_or_when_its_time_is_over_and_it_goes_on(plant: Plant) -> None:
    async def main() -> None:
        async with plant.manager(request_timeout=1.0) as manager:
            manager.register_system(SystemSpec("plc", "mock", durable=True))
            assert await manager.accept_data("plc", 0) is not None  # the journal is open
            with pytest.raises(RequestTimeoutError, match="is accepted, and goes on") as raised:
                await manager.send_data_to_system("plc", 1, wait=True)
            assert raised.value.failure.outcome == "unknown"
            await manager.connect_system("plc")
            await until_delivered(manager)

    asyncio.run(main())


class Poisoned(MockExternalSystem):
    """Ends its process at "poison", and refuses "bad"."""

    async def send_data(self, data: object) -> bool:
        if data == "poison":
            os._exit(3)
        delivery = current_delivery()
        with open(self.connection_details["seen"], "a") as file:
            file.write(f"{data} {delivery and delivery.attempt}\n")
        return data != "bad"


def test_a_message_that_ends_its_process_leaves_the_way_free_for_the_next(tmp_path: Path) -> None:
    async def main() -> None:
        seen = tmp_path / "seen"
        options = SupervisorOptions(state_dir=str(tmp_path / "s"), log_level=LogLevel.CRITICAL)
        policy = DurablePolicy(max_crashes=2, max_attempts=3, backoff_min=0.05)
        kind = f"{__name__}:Poisoned"
        async with ExternalSystemManager(strict=True, options=options) as manager:
            manager.register_system(
                SystemSpec("plc", kind, {"seen": str(seen)}, connect=True, durable=policy)
            )
            events = manager.events()
            dead = asyncio.create_task(_next(events, EventKind.DEAD_LETTER))
            with pytest.raises(DeadLetterError, match="process ended in 2 attempts"):
                await manager.send_data_to_system("plc", "poison", wait=True)
            async with asyncio.timeout(PATIENCE):
                await dead
            with pytest.raises(DeadLetterError, match="3 attempts failed"):
                await manager.send_data_to_system("plc", "bad", wait=True)
            assert await manager.send_data_to_system("plc", "good", wait=True)
            assert seen.read_text().split("\n")[:-1] == ["bad 1", "bad 2", "bad 3", "good 1"]

    asyncio.run(main())


async def _next(events: object, kind: EventKind) -> None:
    async for event in events:  # type: ignore[attr-defined]
        if event.kind is kind:
            return


def test_a_system_is_not_durable_without_a_place_for_it() -> None:
    async def main() -> None:
        async with ExternalSystemManager(strict=True) as manager:
            manager.register_system(SystemSpec("plc", "mock", durable=True))
            with pytest.raises(InvalidSpecError, match="SupervisorOptions"):
                await manager.start()

    asyncio.run(main())


def test_two_runtimes_do_not_share_a_journal(plant: Plant) -> None:
    async def main() -> None:
        async with plant.manager() as first, plant.manager() as second:
            first.register_system(SystemSpec("plc", "mock", durable=True))
            second.register_system(SystemSpec("plc", "mock", durable=True))
            assert await first.accept_data("plc", 1) is not None
            with pytest.raises(UnavailableError, match="has the journal"):
                await second.accept_data("plc", 1)

    asyncio.run(main())


def test_hosts_without_asyncio_send_durably_too(plant: Plant) -> None:
    with SynchronousManager(strict=True, options=plant.options()) as manager:
        manager.register_system(spec("plc", plant.port))
        assert manager.accept_data("plc", 1) is not None
        assert manager.send_data_to_system("plc", 2, wait=True)
    assert plant.numbers() == [1, 2]


def test_a_full_disk_refuses_and_costs_nothing_that_was_accepted(plant: Plant) -> None:
    async def main() -> None:
        async with plant.manager() as manager:
            manager.register_system(SystemSpec("plc", "mock", durable=True))
            assert await manager.accept_data("plc", 0) is not None
            journal = journal_of(parts_of(manager)["supervisor"])
            assert journal is not None
            # No file of it may grow: what a full disk does, to the process that writes it alone.
            log = plant.directory / "state" / "journal.db-wal"
            size = log.stat().st_size
            resource.prlimit(journal.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
            big = [b"x" * 10_000] * 100
            with pytest.raises(PartlyFailedError) as all_of_them:
                await manager.accept_many("plc", big)
            raised = all_of_them.value.exceptions[0]
            assert isinstance(raised, ExternalSystemError)
            assert raised.failure.outcome == "not_sent"
            resource.prlimit(
                journal.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            )
            status = await manager.status("plc")
            assert status is not None
            await manager.connect_system("plc")
            assert await manager.send_data_to_system("plc", 2, wait=True)

    asyncio.run(main())
