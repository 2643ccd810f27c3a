"""``extsys run`` with systems that cannot be connected when they are started."""

from __future__ import annotations

import subprocess
import time
from contextlib import closing
from pathlib import Path

from tests.helpers.commands import extsys, program, running, statuses, write_config
from tests.helpers.net import Peer
from tests.helpers.support import PATIENCE


def a_port() -> int:
    """One that nobody listens on."""
    with closing(Peer()) as peer:
        return peer.port


def until(directory: Path, name: str, **wanted: str) -> None:
    """Wait, with a cap, until a status says this."""
    end = time.monotonic() + PATIENCE
    while not wanted.items() <= statuses(directory)[name].items():
        assert time.monotonic() < end, statuses(directory)[name]


def test_a_run_whose_system_must_be_connected_and_cannot_be_ends_like_any_failed_start(
    nothing_left: None, tmp_path: Path
) -> None:
    port = a_port()
    config = write_config(
        tmp_path / "run",
        f"""
        [[system]]
        name = "other"
        kind = "mock"
        connect = true

        [[system]]
        name = "plc"
        kind = "tcp"
        connect = true
        startup = "error"
        connection_details = {{host = "127.0.0.1", port = {port}}}
        """,
    )
    done = subprocess.run(
        program(tmp_path / "run", "run", str(config)),
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE * 2,
        check=False,
    )
    assert done.returncode == 70
    why = f"plc: cannot be connected: ConnectorError: cannot connect to 127.0.0.1:{port}"
    assert f"the systems could not be started: {why}: connection refused" in done.stderr
    assert "supervising" not in done.stderr


def bad_morning(silent: int) -> str:
    """Four systems that cannot be connected, each in its own way, before one that can.

    Args:
        silent: the port of somebody who accepts connections and says nothing.
    """
    return f"""
        [[system]]
        name = "down"
        kind = "tcp"
        connect = true
        connection_details = {{host = "127.0.0.1", port = {a_port()}}}

        [[system]]
        name = "silent"
        kind = "tcp"
        connect = true
        [system.connection_details]
        host = "127.0.0.1"
        port = {silent}
        tls = true
        connect_timeout = 60

        [[system]]
        name = "ignored"
        kind = "tcp"
        connect = true
        startup = "ignore"
        connection_details = {{host = "127.0.0.1", port = {a_port()}}}

        [[system]]
        name = "refused"
        kind = "mock"
        connect = true
        connection_details = {{faults = [{{operation = "connect", action = "fatal"}}]}}

        [[system]]
        name = "well"
        kind = "mock"
        connect = true
        startup = "error"
        """


def test_systems_that_are_down_at_boot_hold_nobody_else_back(
    nothing_left: None, tmp_path: Path
) -> None:
    plant = tmp_path / "run"
    with closing(Peer()) as silent, running(plant, bad_morning(silent.port)):
        found = statuses(plant)
        assert found["well"]["state"] == "connected"
        assert found["silent"]["state"] == "connecting"
        assert found["down"]["desired"] == "connected"
        until(plant, "ignored", desired="disconnected")
        until(plant, "refused", state="failed")
        refused = extsys(plant, "send", "refused", "x")
        assert refused.returncode != 0
        assert "fatal failure in connect" in refused.stderr
        assert "mend the cause, then restart or connect it" in refused.stderr
        assert extsys(plant, "connect", "refused").returncode == 0
        assert extsys(plant, "send", "refused", "x").returncode == 0
