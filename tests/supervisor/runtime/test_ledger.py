"""A host writes numbered messages through the outbox to a real server with a ledger of its own,
while processes are killed at random: nothing that was accepted is missing, order holds, and what
came twice is counted."""

from __future__ import annotations

import os
import random
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.helpers.ledger import (
    accepted_of,
    check,
    entered,
    journal_of,
    start_host,
    start_server,
)
from tests.helpers.processes import actors_of, parts_of

NAMES = ["one", "two"]
CAP = 60.0
"""Seconds in which all must be delivered when nothing is killed any more."""
VICTIMS = (
    *("system", "system", "supervisor", "journal", "journal", "guardian", "root", "reaper"),
    *("host", "server"),
)


class Chaos:
    """Who runs, and is killed."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.directory = directory
        self.ledger = directory / "ledger"
        self.random = random.Random(seed)
        self.server, self.port = start_server(self.ledger)
        self.host = start_host(directory, self.port, NAMES)
        self.next: list[str] = []
        self.killed = dict.fromkeys(VICTIMS, 0)

    def kill_one(self) -> None:
        if not self.next:
            self.next = self.random.sample(VICTIMS, len(VICTIMS))
        victim = self.next.pop()
        if victim == "server":
            _end(self.server)
            time.sleep(self.random.random() * 0.3)
            self.server, _ = start_server(self.ledger, self.port)
        elif victim == "host":
            _end(self.host)
            self.host = start_host(self.directory, self.port, NAMES)
        else:
            try:
                process = self.find(victim)
            except (psutil.Error, ValueError, StopIteration):
                return  # it is being restarted
            if process is None:
                return
            process.kill()
        self.killed[victim] += 1

    def find(self, victim: str) -> psutil.Process | None:
        reaper = next(iter(psutil.Process(self.host.pid).children()), None)
        if reaper is None:
            return None
        parts = parts_of(reaper)
        if victim == "journal":
            return journal_of(parts["supervisor"])
        if victim == "system":
            actors = actors_of(parts["supervisor"])
            return self.random.choice(actors) if actors else None
        return parts[victim]

    def drain(self) -> None:
        """Have all be delivered."""
        (self.directory / "stop").touch()
        deadline = time.monotonic() + CAP
        while not (self.directory / "drained").exists():
            assert time.monotonic() < deadline, (
                f"not all was delivered: {(self.directory / 'status').read_text()}"
            )
            if self.host.poll() is not None:
                self.host = start_host(self.directory, self.port, NAMES)
            time.sleep(0.05)
        assert self.host.wait(CAP) == 0

    def end(self) -> None:
        _end(self.host)
        _end(self.server)


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def run(directory: Path, seconds: float, seed: int) -> None:
    chaos = Chaos(directory, seed)
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.05 + chaos.random.random() * 0.5)
            chaos.kill_one()
        chaos.drain()
    finally:
        chaos.end()
    accepted = {name: accepted_of(directory, name) for name in NAMES}
    lines = entered(chaos.ledger)
    twice = check(lines, accepted)
    count = sum(map(len, accepted.values()))
    print(f"seed {seed}: {count} accepted, {len(lines)} in the ledger, {twice} of them again")
    print(f"killed: {chaos.killed}")
    assert count > 100
    # Of each system a window is under way when something is killed, and no more comes again.
    assert twice <= 16 * len(NAMES) * (sum(chaos.killed.values()) + 1)


def test_nothing_accepted_is_missing_for_a_few_seconds(tmp_path: Path) -> None:
    run(tmp_path, 6.0, seed=1)


@pytest.mark.long
@pytest.mark.timeout(400)
def test_nothing_accepted_is_missing_for_two_minutes(tmp_path: Path) -> None:
    run(tmp_path, 120.0, seed=int(os.environ.get("EXTSYS_SEED", "2")))
