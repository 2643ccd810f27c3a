"""Two runtimes never hold one directory at once, whatever is removed, and when."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from actors.unix_base.kernel.path_claim import HAS_CLAIMS
from supervisor.runtime.belongings import MARKER
from tests.helpers.programs import ROOT

pytestmark = pytest.mark.process
WORKERS = 3
SECONDS = 3.0
WORKER = """
import fcntl, os, random, sys, time
from pathlib import Path
from supervisor.runtime.directory import DirectoryError, RuntimeDirectory
place, witness, seed, seconds = sys.argv[1:]
chance, until, times = random.Random(seed), time.monotonic() + float(seconds), 0
with open(witness) as file:
    while not times or time.monotonic() < until:
        directory = RuntimeDirectory(Path(place))
        try:
            directory.take()
        except DirectoryError:
            continue
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails if another one is in here
        for _ in range(chance.randrange(20)):
            directory.look(time.time())
            time.sleep(chance.random() / 500)
        fcntl.flock(file, fcntl.LOCK_UN)
        directory.release(remove=chance.random() < 0.5)
        times += 1
print(times)
"""


def remove_marker(place: Path) -> None:
    (place / MARKER).unlink()


def move_away(place: Path) -> None:
    place.rename(place.with_name(os.urandom(4).hex()))


def make_again(place: Path) -> None:
    shutil.rmtree(place)
    place.mkdir(0o700)


HARMS: list[Callable[[Path], None]] = [shutil.rmtree, remove_marker, move_away, make_again]


@pytest.mark.skipif(not HAS_CLAIMS, reason="there are no claims to paths here")
def test_two_never_hold_a_directory_at_once_while_it_is_removed_at_random_times(
    runtime_dir: Path,
) -> None:
    witness = runtime_dir.with_name("witness")
    witness.touch()
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, runtime_dir, witness, str(seed), str(SECONDS)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in range(WORKERS)
    ]
    chance, harms = random.Random(1), 0
    while any(each.poll() is None for each in workers):
        with suppress(OSError):
            chance.choice(HARMS)(runtime_dir)
            harms += 1
        time.sleep(chance.random() / 100)
    for each in workers:
        out, err = each.communicate()
        assert "Traceback" not in err, err
        assert int(out) > 0
    assert harms > 0
