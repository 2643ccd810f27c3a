"""The standalone process and its command line, as somebody at a shell uses them."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from supervisor import ExternalSystemManager
from tests.helpers.support import PATIENCE

pytestmark = pytest.mark.usefixtures("nothing_left")

PLANT = """
    [[system]]
    name = "plc-1"
    kind = "mock"
    connect = true
    connection_details = {echo = true}

    [[system]]
    name = "plc-2"
    kind = "mock"
"""


RETRYING = """
    [supervisor]
    on_start_failure = "retry"
"""
BROKEN = """
    [[system]]
    name = "broken"
    kind = "mock"
    connection_details = {faults = [{operation = "construct", action = "bug"}]}
"""


def extsys(directory: Path, *args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "supervisor", "--runtime-dir", str(directory), *args],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=PATIENCE * 2,
        check=False,
    )


def extsys_bytes(
    directory: Path,
    *args: str,
    stdin: bytes = b"",
    stdout: Any = subprocess.PIPE,
    environ: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "supervisor", "--runtime-dir", str(directory), *args],
        input=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, **(environ or {})},
        timeout=PATIENCE * 2,
        check=False,
    )


def write_config(directory: Path, text: str = PLANT) -> Path:
    path = directory.parent / "plant.toml"
    path.write_text(textwrap.dedent(text))
    return path


@contextmanager
def running(directory: Path, text: str = PLANT) -> Iterator[subprocess.Popen[str]]:
    """A supervisor that serves, until the test ends it or the block does."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "supervisor", "--runtime-dir", str(directory)),
            *("run", str(write_config(directory, text))),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if line.startswith("extsys: supervising"):
                break
        else:
            raise AssertionError("the supervisor did not start")
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.stderr.close()
        process.wait(PATIENCE)


def statuses(directory: Path) -> dict[str, dict[str, Any]]:
    done = extsys(directory, "status", "--json")
    assert done.returncode == 0, done.stderr
    return {status["name"]: status for status in json.loads(done.stdout)}


def test_the_commands_do_what_they_say(runtime_dir: Path) -> None:
    with running(runtime_dir) as process:
        table = extsys(runtime_dir, "status").stdout.splitlines()
        assert table[0].split()[:3] == ["NAME", "STATE", "INCARNATION"]
        assert [line.split()[0] for line in table[1:]] == ["plc-1", "plc-2"]

        assert extsys(runtime_dir, "send", "plc-1", "one", "two").returncode == 0
        assert extsys(runtime_dir, "receive", "plc-1", "--count", "2").stdout == "one\ntwo\n"
        assert extsys(runtime_dir, "send", "plc-1", "-", stdin="a\nb\n").returncode == 0
        assert extsys(runtime_dir, "receive", "plc-1", "--count", "9").stdout == "a\nb\n"
        extsys(runtime_dir, "send", "plc-1", "--as", "json", '{"speed": 3}')
        assert json.loads(extsys(runtime_dir, "receive", "plc-1", "--json").stdout) == {"speed": 3}
        extsys(runtime_dir, "send", "plc-1", "--as", "hex", "ff00")
        received = extsys(runtime_dir, "receive", "plc-1", "--json").stdout
        assert json.loads(received) == {"base64": "/wA="}

        assert extsys(runtime_dir, "connect", "plc-2").returncode == 0
        assert statuses(runtime_dir)["plc-2"]["state"] == "connected"
        assert extsys(runtime_dir, "disconnect", "--all").returncode == 0
        assert statuses(runtime_dir)["plc-1"]["state"] == "disconnected"
        assert extsys(runtime_dir, "connect", "--all").returncode == 0

        assert extsys(runtime_dir, "call", "plc-2", "mock_incoming_data", "7").stdout == ""
        assert extsys(runtime_dir, "receive", "plc-2").stdout == "7\n"
        assert extsys(runtime_dir, "call", "plc-2", "sent_count", "--json").stdout == "0\n"

        assert extsys(runtime_dir, "restart", "plc-2").returncode == 0
        assert statuses(runtime_dir)["plc-2"]["incarnation"] == 2

        stop = extsys(runtime_dir, "stop")
        assert (stop.returncode, stop.stderr) == (0, "")
        assert process.wait(PATIENCE) == 0
    assert not runtime_dir.exists()


def test_failures_have_one_line_and_an_exit_code(runtime_dir: Path) -> None:
    with running(runtime_dir):
        for args, code, text in [
            (("send", "plc-2", "x"), 1, "plc-2: not connected; its status says why"),
            (("send", "plc-9", "x"), 1, "plc-9: no such system; did you mean 'plc-"),
            (("receive", "plc-1"), 5, "plc-1: nothing came"),
            (("call", "plc-1", "reset"), 1, "no command 'reset'"),
            (("status", "plc-9"), 1, "plc-9: no such system"),
        ]:
            done = extsys(runtime_dir, *args)
            assert done.returncode == code, done
            assert done.stdout == ""
            assert done.stderr.startswith(f"extsys: {text}") or text in done.stderr
            assert done.stderr.count("\n") == 1
        assert extsys(runtime_dir, "connect").returncode == 2
        assert extsys(runtime_dir, "send", "plc-1", "--as", "hex", "xyz").returncode == 2


def test_without_a_supervisor_commands_say_how_to_start_one(runtime_dir: Path) -> None:
    done = extsys(runtime_dir, "status")
    assert done.returncode == 3
    assert "no supervisor runs at" in done.stderr
    assert "extsys run" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_it_cleanly(runtime_dir: Path, number: signal.Signals) -> None:
    with running(runtime_dir) as process:
        process.send_signal(number)
        assert process.wait(PATIENCE) == 0
    assert not runtime_dir.exists()


def test_a_second_signal_stops_it_at_once(runtime_dir: Path) -> None:
    plant = """
        [[system]]
        name = "stuck"
        kind = "mock"
        connect = true
        shutdown = 600
        [system.connection_details]
        faults = [{operation = "disconnect", action = "delay", seconds = 600}]
    """
    with running(runtime_dir, plant) as process:
        asyncio.run(until_connected(runtime_dir, "stuck"))
        assert process.stderr is not None
        process.send_signal(signal.SIGINT)
        assert "once more to stop at once" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0


async def until_connected(directory: Path, name: str) -> None:
    async with (
        asyncio.timeout(PATIENCE),
        ExternalSystemManager.attach(directory, strict=True) as manager,
    ):
        while not manager.is_connected(name):
            await asyncio.sleep(0.01)


def test_a_second_start_is_refused_and_the_first_serves_on(runtime_dir: Path) -> None:
    with running(runtime_dir) as process:
        second = extsys(runtime_dir, "run", str(write_config(runtime_dir)))
        assert second.returncode == 4
        assert f"a supervisor (pid {process.pid}) runs in" in second.stderr
        assert "extsys stop" in second.stderr
        assert set(statuses(runtime_dir)) == {"plc-1", "plc-2"}


def test_a_directory_left_by_a_killed_supervisor_is_taken_over(runtime_dir: Path) -> None:
    with running(runtime_dir) as process:
        process.kill()
        process.wait()
    assert (runtime_dir / "supervisor.sock").exists()
    with running(runtime_dir) as process:
        assert set(statuses(runtime_dir)) == {"plc-1", "plc-2"}


def test_a_directory_that_others_may_enter_is_refused(runtime_dir: Path) -> None:
    runtime_dir.mkdir(mode=0o755)
    done = extsys(runtime_dir, "run", str(write_config(runtime_dir)))
    assert done.returncode == 4
    assert "chmod 700" in done.stderr


def test_a_path_too_long_for_a_socket_is_refused(runtime_dir: Path) -> None:
    done = extsys(runtime_dir / ("x" * 100), "run", str(write_config(runtime_dir)))
    assert done.returncode == 4
    assert "shorter --runtime-dir" in done.stderr


def test_mistakes_in_the_configuration_are_told_all_at_once(runtime_dir: Path) -> None:
    config = write_config(
        runtime_dir,
        """
        [[system]]
        name = "a"
        knid = "mock"
        [[system]]
        name = "b"
        kind = "plc"
        """,
    )
    for command in ("check", "run"):
        done = extsys(runtime_dir, command, str(config))
        assert done.returncode == 2
        assert done.stdout == ""
        assert "knid" in done.stderr
        assert "plc" in done.stderr
        assert "Traceback" not in done.stderr


def test_check_accepts_a_good_configuration(runtime_dir: Path) -> None:
    done = extsys(runtime_dir, "check", str(write_config(runtime_dir)))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("root: group, one_for_one\n  ")
    assert "2 systems, no mistakes" in done.stdout


def test_a_system_that_cannot_be_built_leaves_the_others_running(runtime_dir: Path) -> None:
    with running(runtime_dir, RETRYING + PLANT + BROKEN):
        asyncio.run(until_state(runtime_dir, "broken", "quarantined"))
        assert statuses(runtime_dir)["plc-1"]["state"] == "connected"


def test_a_system_that_cannot_be_built_ends_the_start_of_all_as_in_otp(runtime_dir: Path) -> None:
    done = extsys(runtime_dir, "run", str(write_config(runtime_dir, PLANT + BROKEN)))
    assert done.returncode == 70
    assert "the systems could not be started: InjectedBug" in done.stderr
    assert not runtime_dir.exists()


async def until_state(directory: Path, name: str, state: str) -> None:
    async with (
        asyncio.timeout(PATIENCE),
        ExternalSystemManager.attach(directory, strict=True) as manager,
    ):
        while True:
            status = await manager.status(name)
            if status is not None and status.state == state:
                return
            await asyncio.sleep(0.01)


def test_watch_shows_events_and_data_until_the_supervisor_ends(runtime_dir: Path) -> None:
    with running(runtime_dir):
        watch = subprocess.Popen(
            [
                *(sys.executable, "-u", "-m", "supervisor", "--runtime-dir", str(runtime_dir)),
                *("watch", "plc-1", "--data", "--json"),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert watch.stdout is not None
        with watch.stdout:
            asyncio.run(until_tapped(runtime_dir))
            extsys(runtime_dir, "send", "plc-1", "hello")
            os.kill(statuses(runtime_dir)["plc-1"]["pid"], signal.SIGKILL)
            seen = []
            while not seen or seen[-1].get("kind") != "connected":
                seen.append(json.loads(watch.stdout.readline()))
            assert {"system_name": "plc-1", "data": "hello"} in seen
            kinds = [each["kind"] for each in seen if "kind" in each]
            back = ["starting", "started", "connecting", "connected"]
            assert kinds == ["crashed", "restarting", *back]
            extsys(runtime_dir, "stop")
            assert watch.wait(PATIENCE) == 0


async def until_tapped(directory: Path) -> None:
    """Until the watching command has subscribed: then data does not wait to be received."""
    async with (
        asyncio.timeout(PATIENCE),
        ExternalSystemManager.attach(directory, strict=True) as manager,
    ):
        while True:
            await manager.send_data_to_system("plc-1", "probe")
            if await manager.receive_data_from_system("plc-1", timeout=0.05) is None:
                return


def test_any_bytes_can_be_sent_and_only_a_line_feed_ends_a_line(runtime_dir: Path) -> None:
    with running(runtime_dir):
        data = b"\xff\xfe\x00\r\na\xc2\x85b\x0bc\n\nlast"
        sent = extsys_bytes(runtime_dir, "send", "plc-1", "--as", "bytes", "-", stdin=data)
        assert (sent.returncode, sent.stderr) == (0, b"")
        received = extsys(runtime_dir, "receive", "plc-1", "--count", "9", "--json")
        items = [
            base64.b64decode(json.loads(line)["base64"]) for line in received.stdout.splitlines()
        ]
        assert items == [b"\xff\xfe\x00", b"a\xc2\x85b\x0bc", b"", b"last"]

        refused = extsys_bytes(runtime_dir, "send", "plc-1", "-", stdin=b"caf\xe9\n")
        assert refused.returncode == 2
        assert b"is not UTF-8; --as bytes takes anything" in refused.stderr


def test_what_the_terminal_cannot_show_is_printed_escaped(runtime_dir: Path) -> None:
    with running(runtime_dir):
        item = json.dumps("\udce9 \u20ac")
        assert extsys(runtime_dir, "send", "plc-1", "--as", "json", item).returncode == 0
        received = extsys_bytes(
            runtime_dir, "receive", "plc-1", environ={"PYTHONIOENCODING": "ascii:strict"}
        )
        assert (received.returncode, received.stdout) == (0, b"\\udce9 \\u20ac\n")


def test_a_send_of_more_than_the_mailbox_holds_says_how_many_went_out(runtime_dir: Path) -> None:
    plant = """
        [[system]]
        name = "plc-1"
        kind = "mock"
        connect = true
        mailbox_size = 150
        connection_details = {faults = [{operation = "send", action = "refuse", after = 249}]}
    """
    with running(runtime_dir, plant):
        lines = "".join(f"{number}\n" for number in range(1000))
        sent = extsys(runtime_dir, "send", "plc-1", "-", stdin=lines)
        assert sent.returncode == 1
        first, last = sent.stderr.splitlines()
        assert first.endswith("[connector_error, not sent]")
        assert last == "extsys: plc-1: 299 of 1000 items were sent"


def test_output_that_cannot_be_written_is_not_an_absent_supervisor(runtime_dir: Path) -> None:
    with running(runtime_dir):
        with open("/dev/full", "wb") as full:
            failed = extsys_bytes(runtime_dir, "status", stdout=full)
        assert failed.returncode == 1
        assert failed.stderr == b"extsys: cannot write the output: No space left on device\n"
        read_fd, write_fd = os.pipe()
        os.close(read_fd)
        with os.fdopen(write_fd, "wb") as pipe:
            unread = extsys_bytes(runtime_dir, "status", stdout=pipe)
        assert (unread.returncode, unread.stderr) == (1, b"")


def test_watch_says_that_a_name_is_not_known(runtime_dir: Path) -> None:
    with running(runtime_dir) as supervisor:
        watch = subprocess.Popen(
            [
                *(sys.executable, "-m", "supervisor", "--runtime-dir", str(runtime_dir)),
                *("watch", "root", "plc-3"),
            ],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert watch.stderr is not None
        told = "extsys: plc-3: no such system or group yet; waiting for it\n"
        assert watch.stderr.readline() == told
        supervisor.terminate()
        watch.wait(PATIENCE)
        watch.stderr.close()


def test_watch_ends_in_silence_when_its_reader_has_left(runtime_dir: Path) -> None:
    with running(runtime_dir):
        read_fd, write_fd = os.pipe()
        os.close(read_fd)
        with os.fdopen(write_fd, "wb") as pipe:
            for arguments in (("watch", "--since", "0"), ("watch", "--since", "0", "--data")):
                unread = extsys_bytes(runtime_dir, *arguments, stdout=pipe)
                assert (unread.returncode, unread.stderr) == (1, b"")


def test_the_same_systems_serve_several_clients_at_once(runtime_dir: Path) -> None:
    async def work() -> None:
        async with (
            ExternalSystemManager.attach(runtime_dir, strict=True) as one,
            ExternalSystemManager.attach(runtime_dir, strict=True) as two,
        ):
            await one.send_data_to_system("plc-1", "from one")
            assert await two.receive_data_from_system("plc-1", timeout=5.0) == "from one"
            assert one.is_connected("plc-1")
        assert statuses(runtime_dir)["plc-1"]["state"] == "connected"

    with running(runtime_dir):
        asyncio.run(work())


def test_an_attached_client_is_told_when_the_supervisor_stops(runtime_dir: Path) -> None:
    async def work() -> None:
        async with ExternalSystemManager.attach(runtime_dir) as manager:
            receive = asyncio.ensure_future(
                manager.receive_data_from_system("plc-1", timeout=600.0)
            )
            await manager.status("plc-1")
            await asyncio.to_thread(extsys, runtime_dir, "stop")
            assert await receive is None

    with running(runtime_dir):
        asyncio.run(work())


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
