"""``extsys demo`` as somebody at a shell sees it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.usefixtures("nothing_left")


def test_the_demo_loses_nothing_and_recovers() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "supervisor", "demo", "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert report["lost"] == 0
    assert report["recovered_in_ms"] > 0
    states = {name: each["state"] for name, each in report["systems"].items()}
    assert states == {"valve": "connected", "pump": "connected", "instrument": "connected"}
    assert [each["incarnation"] for each in report["systems"].values()] == [1, 2, 1]
    for each in report["systems"].values():
        assert each["sent"] >= 40
        assert each["received"] >= 40


def test_the_demo_tells_its_story() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "supervisor", "demo"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "kill -9" in done.stdout
    assert "Questions never answered: 0." in done.stdout
