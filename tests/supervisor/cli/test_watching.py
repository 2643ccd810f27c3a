"""What shows things until somebody ends it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.helpers.commands import extsys, program
from tests.helpers.support import PATIENCE


def test_a_watched_status_is_shown_again_when_something_happens(plant: Path) -> None:
    watch = subprocess.Popen(
        program(plant, "status", "--watch", "--json"), stdout=subprocess.PIPE, text=True
    )
    assert watch.stdout is not None
    try:
        first = json.loads(watch.stdout.readline())
        assert [each["name"] for each in first] == ["plc-1", "plc-2"]
        extsys(plant, "restart", "plc-2")
        while [each["incarnation"] for each in json.loads(watch.stdout.readline())] != [1, 2]:
            pass
    finally:
        watch.kill()
        watch.communicate()


def test_a_watch_whose_reader_has_enough_ends_quietly(plant: Path) -> None:
    watch = subprocess.Popen(
        program(plant, "watch", "--since", "0", "plc-1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert watch.stdout is not None
    assert watch.stderr is not None
    try:
        watch.stdout.readline()
        watch.stdout.close()  # as "| head -1" does
        extsys(plant, "restart", "plc-1")
        watch.wait(PATIENCE)
        assert watch.stderr.read() == ""
    finally:
        watch.kill()
        watch.wait()
        watch.stderr.close()
