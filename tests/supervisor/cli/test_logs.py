"""``extsys logs``, and the log of a standalone supervisor."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.helpers.commands import extsys, program, running
from tests.helpers.support import PATIENCE

pytestmark = pytest.mark.usefixtures("nothing_left")

PLANT = """
    [supervisor]
    log_level = "error"

    [[system]]
    name = "talker"
    kind = "tests.helpers.talking:Talking"
    connect = true
    connection_details = {hello = "hello there"}
"""


def test_it_shows_the_last_lines_and_follows(runtime_dir: Path) -> None:
    with running(runtime_dir, PLANT) as process:
        assert process.stderr is not None
        first = extsys(runtime_dir, "logs", "talker").stdout
        assert first.endswith(" stdout  extsys.system.talker[1]: hello there\n")
        for text in ("one", "two"):
            assert extsys(runtime_dir, "call", "talker", "out", text).returncode == 0
            assert process.stderr.readline().endswith(f" extsys.system.talker[1]: {text}\n")
        extsys(runtime_dir, "call", "talker", "log", "30", "hidden")
        extsys(runtime_dir, "call", "talker", "log", "40", "shown")
        assert process.stderr.readline().endswith(
            " ERROR   extsys.system.talker[1]: talking: shown\n"
        )

        shown = extsys(runtime_dir, "logs", "talker", "-n", "3").stdout.splitlines()
        assert [line.split("[1]: ")[1] for line in shown] == [
            *("two", "talking: hidden", "talking: shown")
        ]
        [last] = extsys(runtime_dir, "logs", "talker", "-n1", "--json").stdout.splitlines()
        assert json.loads(last)["text"] == "shown"
        assert json.loads(last)["level"] == "ERROR"

        done = extsys(runtime_dir, "logs", "nobody")
        assert (done.returncode, done.stdout) == (1, "")
        assert "no such system" in done.stderr
        assert extsys(runtime_dir, "logs", "nobody", "-f").returncode == 1

        follower = subprocess.Popen(
            program(runtime_dir, "logs", "talker", "-f", "-n", "1"),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert follower.stdout is not None
        assert follower.stdout.readline().endswith("talking: shown\n")
        extsys(runtime_dir, "call", "talker", "out", "now")
        assert follower.stdout.readline().endswith("]: now\n")
        process.terminate()
        assert follower.stdout.read() == ""
        assert follower.wait(PATIENCE) == 0
        follower.stdout.close()
