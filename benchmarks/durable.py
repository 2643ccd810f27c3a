"""Durable sends beside a bare SQLite loop, and what a flooded journal costs another system."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import attrs

from benchmarks.grid import Comparison, Grid, Line, Target
from benchmarks.rounds import Way, interleave, timed
from supervisor import ExternalSystemManager, SupervisorOptions, SystemSpec
from supervisor.specs.options import LogLevel

T = TypeVar("T")

_ITEM: Final = b"x" * 100
_DURABLE: Final = "durable"
_PLAIN: Final = "plain"
_WARM_UPS: Final = 20


@attrs.frozen
class Sizes:
    """How much one run does; counts are per round."""

    seconds: float
    """No further round begins after so many seconds, for each of the two halves."""
    rounds: int
    alone: int
    """Sends that are made one after the other."""
    at_once: int
    """Of the widest; the other has 64."""
    repeats: int
    """Times that so many are sent at once."""


def measure_durable(sizes: Sizes) -> Grid:
    """Sends that are accepted on the disk, and sends that are not beside them."""
    with (
        tempfile.TemporaryDirectory(prefix="extsys-bench-") as directory,
        _Bare(Path(directory)) as bare,
        _Runtime(Path(directory) / "state") as runtime,
    ):
        sides: dict[str, Way] = {
            "bare loop": timed(lambda: bare.insert(sizes.alone), sizes.alone),
            "one": timed(lambda: runtime.send_each(sizes.alone), sizes.alone, runtime.settle),
            "64 at once": runtime.at_once(64, sizes.repeats),
            f"{sizes.at_once:,} at once": runtime.at_once(sizes.at_once, sizes.repeats),
        }
        sent = interleave([sides], sizes.rounds, sizes.seconds)
        calm = timed(lambda: runtime.ask(sizes.alone), sizes.alone, runtime.settle)
        flooded = timed(lambda: runtime.ask(sizes.alone), sizes.alone, runtime.flood)
        routed = interleave([{"calm": calm, "flooded": flooded}], sizes.rounds, sizes.seconds)
    one, some, many = (sent[side] for side in list(sent)[1:])
    return Grid(
        "Durable: sends that are accepted, and the way of others beside them",
        [
            Line.of("accepted on the disk", "1/s", sent, lambda seconds: 1 / seconds),
            Line.of("routed send, not durable", "ms", routed, lambda seconds: seconds * 1e3),
        ],
        [
            Comparison.of("bare loop / one at a time", sent["bare loop"], one),
            Comparison.of(
                "bare loop / 64 at once", sent["bare loop"], some, Target(5, at_least=True)
            ),
            Comparison.of(
                f"bare loop / {sizes.at_once:,} at once",
                *(sent["bare loop"], many),
                Target(30, at_least=True),
            ),
            Comparison.of(
                "routed, journal flooded / calm", routed["flooded"], routed["calm"], Target(1.1)
            ),
        ],
    )


class _Bare:
    """Inserts and commits, as safely as the journal does."""

    def __init__(self, directory: Path) -> None:
        self._db = sqlite3.connect(directory / "bare.db", isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, data BLOB)")

    def insert(self, count: int) -> None:
        for _ in range(count):
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("INSERT INTO items (data) VALUES (?)", (_ITEM,))
            self._db.execute("COMMIT")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()


class _Runtime:
    """An embedded runtime with a durable system and a plain one; every method blocks. All goes
    through the supervisor."""

    def __init__(self, state: Path) -> None:
        self._runner = asyncio.Runner()
        options = SupervisorOptions(state_dir=str(state), log_level=LogLevel.CRITICAL)
        self._manager = ExternalSystemManager(strict=True, options=options, direct=False)
        self._manager.register_system(SystemSpec(_DURABLE, "mock", connect=True, durable=True))
        self._manager.register_system(SystemSpec(_PLAIN, "mock", connect=True))
        self._flood: subprocess.Popen[bytes] | None = None
        self.send_each(_WARM_UPS)
        self.ask(_WARM_UPS)

    def send_each(self, count: int) -> None:
        """Send durably, one after the other."""

        async def send() -> None:
            for _ in range(count):
                await self._manager.send_data_to_system(_DURABLE, _ITEM)

        self._run(send())

    def at_once(self, count: int, repeats: int) -> Way:
        """Send durably, so many at once."""

        async def send() -> None:
            for _ in range(repeats):
                await asyncio.gather(
                    *(self._manager.send_data_to_system(_DURABLE, _ITEM) for _ in range(count))
                )

        return timed(lambda: self._run(send()), count * repeats, self.settle)

    def ask(self, count: int) -> None:
        """Send to the plain system, one after the other."""

        async def send() -> None:
            for _ in range(count):
                await self._manager.send_data_to_system(_PLAIN, _ITEM)

        self._run(send())

    def settle(self) -> None:
        """Have nothing else under way."""
        self._end_flood()

        async def delivered() -> None:
            while (status := await self._manager.status(_DURABLE)) and status.outbox != 0:
                await asyncio.sleep(0.01)

        self._run(delivered())

    def flood(self) -> None:
        """Have another program send durably all the time, one after the other, so that the disk
        is never idle."""
        if self._flood is None:
            runtime = self._manager._dialog.session._recovery.runtime
            assert runtime is not None
            directory = str(Path(runtime.socket_path).parent)
            self._flood = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.durable", directory], stdout=subprocess.PIPE
            )
            assert self._flood.stdout is not None
            self._flood.stdout.readline()  # it has begun

    def _end_flood(self) -> None:
        flood, self._flood = self._flood, None
        if flood is not None:
            flood.kill()
            flood.wait()
            assert flood.stdout is not None
            flood.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_flood()
        try:
            self._run(self._manager.close())
        finally:
            self._runner.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)


async def _send_for_ever(directory: str) -> None:
    async with ExternalSystemManager.attach(directory, strict=True, direct=False) as manager:
        begun = False
        while True:
            await manager.send_data_to_system(_DURABLE, _ITEM)
            if not begun:
                begun = True
                print("begun", flush=True)


if __name__ == "__main__":
    asyncio.run(_send_for_ever(sys.argv[1]))
