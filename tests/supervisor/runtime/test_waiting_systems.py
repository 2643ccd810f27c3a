"""Systems that are down, by crashes and by a server that is not there: what is asked waits, in
order, and is answered once; both ways."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psutil
import pytest

from actors import Policy
from actors.messages import Failure, FailureCode, Outcome
from supervisor import (
    ExternalSystemError,
    ExternalSystemManager,
    NotConnectedError,
    OverloadedError,
    RestartPolicy,
    SystemSpec,
    UnavailableError,
)
from supervisor.messages import SystemState
from supervisor.specs.policies import ReconnectPolicy
from tests.helpers.support import pid_of, status_of, until, until_linked, until_state, with_manager

pytestmark = [pytest.mark.usefixtures("nothing_left"), pytest.mark.usefixtures("way")]

WAITS = Policy(when_down="wait")
OFTEN = ReconnectPolicy(backoff_min=0.05, backoff_max=0.2)
RESTARTED = RestartPolicy(
    max_restarts=100, period=600.0, backoff_min=0.3, backoff_max=0.3, stable_after=600.0
)


class Echo:
    """A server that may be gone for a while; it gives back each line, and notes it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def come(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def go(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        while line := await reader.readline():
            self.lines.append(line.decode().strip())
            writer.write(line)

    def system(self, **options: Any) -> SystemSpec:
        details = {"host": "127.0.0.1", "port": self.port, "framing": "line"}
        usual = {"connect": True, "reconnect": OFTEN, "restart": RESTARTED, "policy": WAITS}
        return SystemSpec("plc", "tcp", details, **{**usual, **options})


@asynccontextmanager
async def plant(**options: Any) -> AsyncIterator[tuple[Echo, ExternalSystemManager]]:
    echo = Echo()
    await echo.come()
    try:
        async with ExternalSystemManager(strict=True) as manager:
            manager.register_system(echo.system(**options))
            await until_state(manager, "plc", SystemState.CONNECTED)
            await until_linked(manager)
            yield echo, manager
    finally:
        await echo.go()


async def until_lost(manager: ExternalSystemManager) -> None:
    async def lost() -> bool:
        return (await status_of(manager, "plc")).state is not SystemState.CONNECTED

    await until(lost)


def test_what_is_asked_while_the_server_is_gone_is_done_in_order_when_it_is_back() -> None:
    async def main() -> None:
        async with plant() as (echo, manager):
            await manager.send_data_to_system("plc", "first")
            await echo.go()
            await until_lost(manager)
            asked = [
                asyncio.create_task(manager.send_data_to_system("plc", f"send {n}"))
                for n in range(20)
            ]
            many = asyncio.create_task(manager.send_many_to_system("plc", ["a", "b"]))
            question = asyncio.create_task(manager.query_system("plc", "question"))
            await asyncio.sleep(0.2)
            assert not any(task.done() for task in (*asked, many, question))
            await echo.come()
            assert await asyncio.gather(*asked) == [True] * 20
            assert await many == [True, True]
            assert await question is not None
            expected = ["first", *(f"send {n}" for n in range(20)), "a", "b", "question"]
            assert echo.lines == expected

    asyncio.run(asyncio.wait_for(main(), 60))


def test_what_waits_outlives_crashes_of_the_system() -> None:
    async def main() -> None:
        async with plant() as (echo, manager):
            await echo.go()
            await until_lost(manager)
            asked = [
                asyncio.create_task(manager.send_data_to_system("plc", f"send {n}"))
                for n in range(10)
            ]

            async def waits() -> bool:
                return (await status_of(manager, "plc")).waiting == 10

            await until(waits)
            for incarnation in (1, 2):
                await until_state(manager, "plc", SystemState.DISCONNECTED, incarnation)
                psutil.Process(await pid_of(manager, "plc")).kill()
            later = asyncio.create_task(manager.send_data_to_system("plc", "later"))
            await echo.come()
            assert await asyncio.gather(*asked, later) == [True] * 11
            await manager.query_system("plc", "all before it was read")
            assert echo.lines[:-1] == [*(f"send {n}" for n in range(10)), "later"]

    asyncio.run(asyncio.wait_for(main(), 60))


def test_under_kills_and_a_server_that_comes_and_goes_all_is_answered_once_and_in_order() -> None:
    async def main() -> None:
        async with plant() as (echo, manager):
            answers: dict[int, bool | Failure] = {}

            async def send(number: int) -> None:
                try:
                    answers[number] = await manager.send_data_to_system("plc", str(number))
                except ExternalSystemError as error:
                    answers[number] = error.failure

            async def disturb() -> None:
                for _ in range(3):
                    await asyncio.sleep(0.3)
                    await echo.go()
                    await asyncio.sleep(0.2)
                    pid = (await status_of(manager, "plc")).pid
                    if pid is not None:
                        psutil.Process(pid).kill()
                    await echo.come()

            disturbing = asyncio.create_task(disturb())
            sends = []
            number = 0
            while not disturbing.done():
                sends.append(asyncio.create_task(send(number)))
                number += 1
                await asyncio.sleep(0.005)
            await disturbing
            await asyncio.gather(*sends)
            assert sorted(answers) == list(range(number))
            got = [int(line) for line in echo.lines]
            assert got == sorted(set(got)), "each once at most, in order"
            for each, answer in answers.items():
                was_sent = answer is True or answer.outcome is Outcome.UNKNOWN
                assert was_sent, f"{each} was to wait: {answer}"

    asyncio.run(asyncio.wait_for(main(), 90))


def test_a_quarantine_ends_the_wait_with_its_reason() -> None:
    async def main() -> None:
        once = RestartPolicy(max_restarts=0)
        async with plant(restart=once) as (echo, manager):
            await echo.go()
            await until_lost(manager)
            task = asyncio.create_task(manager.send_data_to_system("plc", "x"))

            async def waits() -> bool:
                return (await status_of(manager, "plc")).waiting == 1

            await until(waits)
            psutil.Process(await pid_of(manager, "plc")).kill()
            with pytest.raises(UnavailableError, match="quarantined"):
                await task

    asyncio.run(asyncio.wait_for(main(), 60))


def test_no_more_waits_than_there_is_room_for() -> None:
    async def main() -> None:
        async with plant(mailbox_size=3) as (echo, manager):
            await echo.go()
            await until_lost(manager)
            tasks = [
                asyncio.create_task(manager.send_data_to_system("plc", str(n))) for n in range(3)
            ]

            async def wait() -> bool:
                return (await status_of(manager, "plc")).waiting == 3

            await until(wait)
            with pytest.raises(OverloadedError, match="3 items wait already") as caught:
                await manager.send_data_to_system("plc", "4")
            assert caught.value.failure.retry_after
            await echo.come()
            assert await asyncio.gather(*tasks) == [True] * 3

    asyncio.run(asyncio.wait_for(main(), 60))


def test_without_the_policy_it_fails_at_once() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        with pytest.raises(NotConnectedError) as caught:
            await manager.send_data_to_system("plc", "x")
        assert caught.value.failure.code is FailureCode.NOT_CONNECTED

    nobody = {"host": "127.0.0.1", "port": 9, "framing": "line"}
    with_manager(work, SystemSpec("plc", "tcp", nobody, connect=True))
