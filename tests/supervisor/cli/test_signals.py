"""Signals while a supervisor starts, and those that whoever started it had it ignore."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from supervisor.cli.client import EXIT_INTERRUPTED
from supervisor.runtime.limits import EXIT_SUPERVISOR_DIED
from tests.helpers.commands import program, until_connected, write_config
from tests.helpers.processes import parts_of
from tests.helpers.support import PATIENCE

pytestmark = pytest.mark.usefixtures("nothing_left")

STARTED = "extsys: supervising"
STOPS_IN = 1.0
SLOW_TO_STOP = f"""
    [[system]]
    name = "slow"
    kind = "mock"
    connect = true
    shutdown = 20
    [system.connection_details]
    faults = [{{operation = "disconnect", action = "delay", seconds = {STOPS_IN}}}]
"""
LONGEST_START = 1.5
"""Seconds; a start seldom takes as long."""


def interrupted_after(runtime_dir: Path, seconds: float, number: signal.Signals) -> tuple[int, str]:
    """Exit code and output of a supervisor that gets a signal some time after its start."""
    process = subprocess.Popen(
        program(runtime_dir, "run", str(write_config(runtime_dir))),
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(seconds)  # any moment will do
    process.send_signal(number)
    _, text = process.communicate(timeout=PATIENCE)
    return process.returncode, text


def see_that_it_ends_cleanly(
    runtime_dir: Path, seed: int, number: signal.Signals, codes: tuple[int, ...]
) -> None:
    after = random.Random(seed).uniform(0.0, LONGEST_START)
    code, text = interrupted_after(runtime_dir, after, number)
    assert code in codes, text
    assert "Traceback" not in text
    assert not runtime_dir.exists()


@pytest.mark.parametrize("seed", range(5))
def test_a_sigterm_at_any_moment_of_the_start_ends_it_cleanly(runtime_dir: Path, seed: int) -> None:
    """Before it has begun with anything, the signal itself ends it."""
    see_that_it_ends_cleanly(runtime_dir, seed, signal.SIGTERM, (0, -signal.SIGTERM))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(5, 100))
def test_a_sigterm_at_many_moments(runtime_dir: Path, seed: int) -> None:
    see_that_it_ends_cleanly(runtime_dir, seed, signal.SIGTERM, (0, -signal.SIGTERM))


def test_an_interrupted_start_says_so(runtime_dir: Path) -> None:
    process = subprocess.Popen(
        program(runtime_dir, "run", str(write_config(runtime_dir))),
        stderr=subprocess.PIPE,
        text=True,
    )
    while not runtime_dir.exists():  # which is made after it has begun to hear signals
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    _, text = process.communicate(timeout=PATIENCE)
    if STARTED not in text:
        assert process.returncode == EXIT_INTERRUPTED
        assert text == "extsys: interrupted before the supervisor was up\n"
    assert not runtime_dir.exists()


def test_a_hangup_that_is_ignored_stays_ignored(runtime_dir: Path) -> None:
    line = program(runtime_dir, "run", str(write_config(runtime_dir)))
    process = subprocess.Popen(["nohup", *line], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    with process.stderr:
        while STARTED not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.terminate()
        assert process.wait(PATIENCE) == 0
    assert not runtime_dir.exists()


def test_a_root_that_obeys_no_signal_is_killed_at_the_third(runtime_dir: Path) -> None:
    process = subprocess.Popen(
        program(runtime_dir, "run", str(write_config(runtime_dir))),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    with process.stderr:
        while STARTED not in process.stderr.readline():
            assert process.poll() is None
        parts_of(psutil.Process(process.pid))["root"].suspend()
        for _ in range(3):
            process.terminate()
            time.sleep(0.05)  # or the kernel makes one of two
        assert process.wait(PATIENCE) == EXIT_SUPERVISOR_DIED


def test_a_signal_to_all_processes_is_heard_once(runtime_dir: Path) -> None:
    """As a service manager sends it, and a pkill: also to the root."""
    process = subprocess.Popen(
        program(runtime_dir, "run", str(write_config(runtime_dir, SLOW_TO_STOP))),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    with process.stderr:
        while STARTED not in process.stderr.readline():
            assert process.poll() is None
        asyncio.run(until_connected(runtime_dir, "slow"))
        root = parts_of(psutil.Process(process.pid))["root"]
        before = time.monotonic()
        root.terminate()
        process.terminate()
        root.terminate()
        assert "once more to stop at once" in process.stderr.readline()
        assert process.wait(PATIENCE) == 0
        assert time.monotonic() - before >= STOPS_IN
