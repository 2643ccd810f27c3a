"""``extsys demo --chaos``, with real processes."""

import json
import os
import pty
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kills supervisors")

PATIENCE = 120
"""Seconds that a run may take on a busy machine."""


def chaos(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "supervisor", "demo", "--chaos", *arguments]


def test_nothing_is_lost_in_the_chaos_and_all_come_back() -> None:
    done = subprocess.run(
        chaos("--seconds", "6", "--seed", "3", "--json"),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.stderr == ""
    assert done.returncode == 0, done.stdout
    found = json.loads(done.stdout)
    assert found["seed"] == 3
    assert found["requests"]["lost"] == 0
    assert found["requests"]["answered"] > 100
    assert {system["state"] for system in found["systems"].values()} == {"connected"}
    assert sum(deed["times"] for deed in found["deeds"].values()) >= 3


def test_in_a_pipe_it_prints_lines_without_escape_codes() -> None:
    done = subprocess.run(
        chaos("--seconds", "4", "--seed", "5"), capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\x1b" not in done.stdout
    assert "again after" in done.stdout
    assert "Nothing was lost" in done.stdout


def test_on_a_terminal_the_tree_is_drawn_in_place() -> None:
    ours, theirs = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    process = subprocess.Popen(
        chaos("--seconds", "3"), stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            data = os.read(ours, 65536)
        except OSError:  # how a terminal tells that nobody has it open any more
            break
        shown += data
    os.close(ours)
    text = shown.decode()
    assert process.wait(PATIENCE) == 0, text
    frames = text.split("\x1b[H")
    assert len(frames) > 3
    for name in ("press", "one_for_all", "voltmeter", "\x1b[32mconnected", "requests:"):
        assert name in frames[-1]
    assert text.count("\x1b[?25h") == 1, "the cursor is shown again"
