"""Rate limits that systems share, each in its process, whoever is killed; the server counts."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from actors import Policy, RateLimit
from actors.messages import Outcome
from actors.wire.level_file import LevelFile
from supervisor import ExternalSystemError, ExternalSystemManager, RateLimitedError, SystemSpec
from supervisor.runtime.belongings import LEVELS
from supervisor.runtime.levels import Levels
from tests.helpers.processes import kill_part
from tests.helpers.support import pid_of, until, with_manager

pytestmark = pytest.mark.usefixtures("nothing_left")

RATE, BURST = 20.0, 3
GATEWAY = RateLimit(rate=RATE, burst=BURST, shared="gateway")


class Ledger:
    """A server that notes when each line came."""

    def __init__(self) -> None:
        self.lines: list[tuple[float, str]] = []
        self.port = 0

    async def __aenter__(self) -> Ledger:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            self.lines.append((time.monotonic(), line.decode().strip()))
        writer.close()

    def excess(self, began: float) -> float:
        """By how many items there were ever more than a burst and what the rate allows.

        Args:
            began: before the first was sent. Whatever came late is no item too many.
        """
        counted = enumerate(self.lines, 1)
        return max(count - RATE * (when - began) - BURST for count, (when, _) in counted)

    def system(self, name: str, limit: RateLimit) -> SystemSpec:
        details = {"host": "127.0.0.1", "port": self.port, "framing": "line"}
        return SystemSpec(name, "tcp", details, connect=True, policy=Policy(rate_limit=limit))


async def send_all(manager: ExternalSystemManager, name: str, items: list[str]) -> list[str]:
    """Send, again what was certainly not sent; what was sent, as far as anybody knows."""
    done = []
    for item in items:
        while True:
            try:
                await manager.send_data_to_system(name, item)
            except ExternalSystemError as error:
                if error.failure.outcome is Outcome.NOT_SENT:
                    await asyncio.sleep(0.01)
                    continue
            else:
                done.append(item)
            break
    return done


def test_two_systems_share_a_limit_though_one_is_killed_and_the_supervisor_too() -> None:
    async def main() -> None:
        async with Ledger() as ledger, ExternalSystemManager(strict=True) as manager:
            for name in ("a", "b"):
                manager.register_system(ledger.system(name, GATEWAY))
                await manager.connect_system(name)
            items = {name: [f"{name}{n}" for n in range(30)] for name in ("a", "b")}
            began = time.monotonic()
            tasks = {
                name: asyncio.create_task(send_all(manager, name, items[name])) for name in items
            }
            await until(lambda: has(ledger, 10))
            psutil.Process(await pid_of(manager, "a")).kill()
            await until(lambda: has(ledger, 25))
            await asyncio.to_thread(kill_part, manager, "supervisor")
            done = {name: await task for name, task in tasks.items()}
            lines = [line for _, line in ledger.lines]
            assert ledger.excess(began) <= 0
            for name in ("a", "b"):
                assert set(done[name]) <= set(lines)
                mine = [line for line in lines if line.startswith(name)]
                assert mine == sorted(mine, key=items[name].index)

    async def has(ledger: Ledger, count: int) -> bool:
        return len(ledger.lines) >= count

    asyncio.run(asyncio.wait_for(main(), 60))


def test_a_system_that_was_killed_begins_where_it_ended() -> None:
    async def main() -> None:
        async with Ledger() as ledger, ExternalSystemManager(strict=True) as manager:
            limit = RateLimit(rate=0.01, burst=2, overflow="refuse")
            manager.register_system(ledger.system("a", limit))
            await manager.connect_system("a")
            for item in ("one", "two"):
                assert await manager.send_data_to_system("a", item)
            for kill in ("system", "supervisor"):
                if kill == "system":
                    psutil.Process(await pid_of(manager, "a")).kill()
                else:
                    await asyncio.to_thread(kill_part, manager, "supervisor")
                await asyncio.sleep(0)
                await until(lambda: refused(manager))
            assert len(ledger.lines) == 2

    async def refused(manager: ExternalSystemManager) -> bool:
        with pytest.raises(ExternalSystemError) as caught:
            await manager.send_data_to_system("a", "three")
        return isinstance(caught.value, RateLimitedError)

    asyncio.run(asyncio.wait_for(main(), 60))


def test_the_file_of_a_limit_is_there_with_the_first_system_that_has_one() -> None:
    async def main(manager: ExternalSystemManager) -> None:
        runtime = manager._dialog.session._recovery.runtime
        assert runtime is not None
        levels = Path(runtime._directory) / LEVELS
        assert not levels.exists()
        limited = SystemSpec("m", "mock", policy=Policy(rate_limit=RateLimit(rate=1000)))
        manager.register_system(limited)
        await manager.connect_system("m")
        await manager.send_data_to_system("m", 1)
        [level] = levels.iterdir()
        level.unlink()

        async def is_made_again() -> bool:
            await manager.send_data_to_system("m", 1)
            return level.exists()

        await until(is_made_again)

    with_manager(main, SystemSpec("plain", "mock"))


def test_a_file_is_removed_once_it_says_nothing(runtime_dir: Path) -> None:
    runtime_dir.mkdir(0o700)
    levels = Levels(runtime_dir)
    limit = RateLimit(rate=0.001)
    paths = [levels.path_for(limit, name) for name in ("one", "other")]
    assert levels.path_for(None, "none") is None
    now = time.monotonic()
    for path, when in zip(paths, (now, now - 2000), strict=True):
        file = LevelFile(path, limit, partial(float, when))
        assert file.change(lambda level, at: limit.ask(level, at)) == 0.0
        file.close()
    levels.look()
    assert [str(each) for each in (runtime_dir / LEVELS).iterdir()] == paths[:1]


def test_those_who_share_a_limit_have_one_file_and_others_have_their_own(runtime_dir: Path) -> None:
    runtime_dir.mkdir(0o700)
    levels = Levels(runtime_dir)
    own, gateway = RateLimit(rate=1), RateLimit(rate=1, shared="gateway")
    assert levels.path_for(own, "a") != levels.path_for(own, "b")
    assert levels.path_for(gateway, "a") == levels.path_for(gateway, "b")
    assert levels.path_for(gateway, "a") != levels.path_for(own, "gateway")
