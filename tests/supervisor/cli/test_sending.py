"""``extsys send --durable``."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.helpers.commands import extsys, running, statuses

pytestmark = pytest.mark.usefixtures("nothing_left")

PLANT = """
    [supervisor]
    state_dir = "{state}"

    [[system]]
    name = "plc"
    kind = "mock"
"""


def test_what_is_sent_durably_outlives_a_kill_of_everything(runtime_dir: Path) -> None:
    runtime_dir.parent.mkdir(exist_ok=True)
    plant = PLANT.format(state=runtime_dir.parent / "state")
    with running(runtime_dir, plant) as process:
        sent = extsys(runtime_dir, "send", "plc", "--durable", "one", "two")
        assert sent.returncode == 0, sent.stderr
        first, second = sent.stdout.split()
        assert first.rpartition("-")[0] == second.rpartition("-")[0]
        assert statuses(runtime_dir)["plc"]["outbox"] == 2
        process.send_signal(signal.SIGKILL)
        process.wait()
    with running(runtime_dir, plant):
        extsys(runtime_dir, "connect", "plc")
        waited = extsys(runtime_dir, "send", "plc", "--durable", "--wait", "three")
        assert (waited.returncode, waited.stdout) == (0, "")
        assert statuses(runtime_dir)["plc"]["outbox"] == 0
        assert extsys(runtime_dir, "call", "plc", "sent_items").stdout.split() == [
            *("['one',", "'two',", "'three']"),
        ]
