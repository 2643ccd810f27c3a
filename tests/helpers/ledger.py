"""Numbered messages on their way through an outbox to a server that keeps a ledger.

Three programs: the server, ``python -m tests.helpers.ledger serve``; a host, that sends for as long
as it is let; and the test, which kills them. What each has done is in files, which outlive it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import psutil

from actors import ExternalSystemInterface, current_delivery
from supervisor import (
    DuplicateSystemError,
    DurablePolicy,
    ExternalSystemError,
    ExternalSystemManager,
    SystemSpec,
)
from supervisor.messages import SystemStatus
from supervisor.specs.options import LogLevel, SupervisorOptions
from tests.helpers.programs import ROOT

PATIENT = DurablePolicy(
    window=16, max_attempts=1000, max_crashes=1000, backoff_min=0.05, backoff_max=0.2
)
_MODULE = "tests.helpers.ledger"
"""Whatever it is run as."""
_AT_ONCE = 20
"""Messages of one system that are asked to be accepted at a time."""


@attrs.frozen
class Entered:
    """One line of the server's ledger."""

    system: str
    number: int
    id: str
    attempt: int


# ---- the connector -------------------------------------------------------------------------


class Teller(ExternalSystemInterface):
    """Sends a line for each item, and waits for the server's word that it is in the ledger."""

    async def connect(self) -> bool:
        port = self.connection_details["port"]
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        self.is_connected = True
        return True

    async def disconnect(self) -> bool:
        self.is_connected = False
        self._writer.close()
        return True

    async def send_data(self, data: Any) -> bool:
        delivery = current_delivery()
        assert delivery is not None
        line = [self.system_name, data, delivery.id, delivery.attempt]
        try:
            self._writer.write(json.dumps(line).encode() + b"\n")
            if await self._reader.readline() != b"ok\n":
                raise ConnectionResetError("the server hung up")
        except OSError:
            self.is_connected = False
            raise
        return True

    async def receive_data(self) -> Any | None:
        await asyncio.sleep(1)
        return None


# ---- the server ----------------------------------------------------------------------------


async def _serve(ledger: Path, port: int) -> None:
    with open(ledger, "ab", buffering=0) as file:

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                while line := await reader.readline():
                    if line.endswith(b"\n"):
                        file.write(line)  # in the kernel, and so not lost with this process
                        writer.write(b"ok\n")
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", port)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


def start_server(ledger: Path, port: int = 0) -> tuple[subprocess.Popen[str], int]:
    """A server, and its port. It ends with a SIGKILL."""
    process = _start("serve", str(ledger), str(port), stdout=subprocess.PIPE)
    assert process.stdout is not None
    line = process.stdout.readline()
    return process, int(line)


def entered(ledger: Path) -> list[Entered]:
    """What is in a ledger, in order."""
    return [Entered(*json.loads(line)) for line in _lines(ledger)]


# ---- the host ------------------------------------------------------------------------------


async def _host(directory: Path, port: int, names: list[str]) -> None:
    """Send numbers to each system, and note which were accepted, until there is a file ``stop``;
    then wait until all are delivered."""
    options = SupervisorOptions(state_dir=str(directory / "state"), log_level=LogLevel.ERROR)
    async with ExternalSystemManager(strict=True, options=options) as manager:
        for name in names:
            await _register(manager, spec(name, port))
        await asyncio.gather(*(_send(manager, directory, name) for name in names))
        statuses: tuple[SystemStatus, ...] = ()
        while len(statuses) < len(names) or any(each.outbox != 0 for each in statuses):
            await asyncio.sleep(0.02)
            with contextlib.suppress(ExternalSystemError):  # somebody is killed still
                statuses = await manager.status_all()
                (directory / "status").write_text("\n".join(map(str, statuses)))
    (directory / "drained").touch()


async def _register(manager: ExternalSystemManager, system: SystemSpec) -> None:
    """Its process may be killed while it is built: then there is no such system."""
    while True:
        assert manager.register_system(system)
        try:
            return await manager.start()
        except DuplicateSystemError:
            return None
        except ExternalSystemError:
            continue


def spec(name: str, port: int, **options: Any) -> SystemSpec:
    details = {"port": port}
    options.setdefault("durable", PATIENT)
    return SystemSpec(name, f"{_MODULE}:Teller", details, connect=True, **options)


async def _send(manager: ExternalSystemManager, directory: Path, name: str) -> None:
    asked = directory / f"{name}.asked"
    number = sum(1 for _ in _lines(asked)) if asked.exists() else 0
    with (
        open(asked, "ab", buffering=0) as asking,
        open(directory / f"{name}.accepted", "ab", buffering=0) as accepted,
    ):

        async def send(number: int) -> None:
            try:
                await manager.accept_data(name, number)
            except ExternalSystemError:
                return  # or it was, and nobody could say so
            accepted.write(b"%d\n" % number)

        while not (directory / "stop").exists():
            numbers = range(number, number + _AT_ONCE)
            asking.write(b"".join(b"%d\n" % each for each in numbers))
            await asyncio.gather(*map(send, numbers))
            number += _AT_ONCE


def start_host(directory: Path, port: int, names: list[str]) -> subprocess.Popen[str]:
    return _start("host", str(directory), str(port), *names)


def accepted_of(directory: Path, name: str) -> list[int]:
    """The numbers that were accepted for a system."""
    path = directory / f"{name}.accepted"
    return [int(line) for line in _lines(path)] if path.exists() else []


# ---- what is to be true --------------------------------------------------------------------


def check(ledger: list[Entered], accepted: dict[str, list[int]]) -> int:
    """Nothing that was accepted is missing, order holds for each system, and what came twice was
    in another attempt each time.

    Returns:
        how many came more than once.
    """
    twice = 0
    for name, numbers in accepted.items():
        mine = [each for each in ledger if each.system == name]
        first = list(dict.fromkeys(each.number for each in mine))
        assert set(numbers) - set(first) == set(), "accepted, and not in the ledger"
        assert first == sorted(first), "not in order"
        ids = {each.number: each.id for each in mine}
        assert len(set(ids.values())) == len(ids), "an id of two messages"
        attempts: dict[str, int] = {}
        for each in mine:
            assert ids[each.number] == each.id, "a message of two ids"
            assert each.attempt > attempts.get(each.id, 0), "twice in one attempt"
            twice += each.id in attempts
            attempts[each.id] = each.attempt
    return twice


def journal_of(supervisor: psutil.Process) -> psutil.Process | None:
    """The process of its journal."""
    for each in supervisor.children(recursive=True):
        try:
            if any(file.path.endswith("/journal.db") for file in each.open_files()):
                return each
        except psutil.Error:
            continue
    return None


# ---- details -------------------------------------------------------------------------------


def _lines(path: Path) -> Iterator[bytes]:
    for line in path.read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):  # its writer may have been killed
            yield line


def _start(*args: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", _MODULE, *args],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        text=True,
        **options,
    )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", ledger, port]:
            asyncio.run(_serve(Path(ledger), int(port)))
        case ["host", directory, port, *names]:
            asyncio.run(_host(Path(directory), int(port), names))
