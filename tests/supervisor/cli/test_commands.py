"""The standalone process and its command line, as somebody at a shell uses them."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from supervisor import ExternalSystemManager
from tests.helpers.commands import (
    PLANT,
    extsys,
    extsys_process,
    program,
    running,
    statuses,
    until_connected,
    write_config,
)
from tests.helpers.support import PATIENCE

pytestmark = pytest.mark.usefixtures("nothing_left")

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
SLOW = """
    [[system]]
    name = "slow"
    kind = "mock"
    connection_details = {faults = [{operation = "construct", action = "delay", seconds = 0.7}]}
"""


def test_questions_are_asked_one_after_the_other_and_their_answers_printed(plant: Path) -> None:
    done = extsys(plant, "query", "plc-1", "*IDN?", "-", stdin="a\nb\n")
    assert (done.returncode, done.stdout) == (0, "*IDN?\na\nb\n")
    done = extsys(plant, "query", "plc-1", "--as", "json", '{"get": "speed"}', "--json")
    assert json.loads(done.stdout) == {"get": "speed"}


def test_the_first_question_without_an_answer_ends_it(plant: Path) -> None:
    assert extsys(plant, "query", "plc-2", "x").returncode == 1
    extsys(plant, "connect", "plc-2")
    done = extsys(plant, "query", "plc-2", "a", "b", "--wait", "0.05")
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        done.stderr
        == "extsys: plc-2: no answer within 0.05 s [timeout, unknown whether it was done]\n"
    )
    sent = extsys(plant, "call", "plc-2", "sent_items", "--json")
    assert json.loads(sent.stdout) == ["a"]


def test_the_commands_do_what_they_say(plant: Path) -> None:
    table = extsys(plant, "status").stdout.splitlines()
    assert table[0].split()[:3] == ["NAME", "STATE", "INCARNATION"]
    assert [line.split()[0] for line in table[1:]] == ["plc-1", "plc-2"]

    assert extsys(plant, "send", "plc-1", "one", "two").returncode == 0
    assert extsys(plant, "receive", "plc-1", "--count", "2").stdout == "one\ntwo\n"
    assert extsys(plant, "send", "plc-1", "-", stdin="a\nb\n").returncode == 0
    assert extsys(plant, "receive", "plc-1", "--count", "9").stdout == "a\nb\n"
    extsys(plant, "send", "plc-1", "--as", "json", '{"speed": 3}')
    assert json.loads(extsys(plant, "receive", "plc-1", "--json").stdout) == {"speed": 3}
    extsys(plant, "send", "plc-1", "--as", "hex", "ff00")
    received = extsys(plant, "receive", "plc-1", "--json").stdout
    assert json.loads(received) == {"base64": "/wA="}

    assert extsys(plant, "connect", "plc-2").returncode == 0
    assert statuses(plant)["plc-2"]["state"] == "connected"
    assert extsys(plant, "disconnect", "--all").returncode == 0
    assert statuses(plant)["plc-1"]["state"] == "disconnected"
    assert extsys(plant, "connect", "--all").returncode == 0

    assert extsys(plant, "call", "plc-2", "mock_incoming_data", "7").stdout == ""
    assert extsys(plant, "receive", "plc-2").stdout == "7\n"
    assert extsys(plant, "call", "plc-2", "sent_count", "--json").stdout == "0\n"

    assert extsys(plant, "restart", "plc-2").returncode == 0
    assert statuses(plant)["plc-2"]["incarnation"] == 2


def test_commands_are_programs_as_well(runtime_dir: Path) -> None:
    with running(runtime_dir) as process:
        asyncio.run(until_connected(runtime_dir, "plc-1"))
        for args, code, stdout, stderr in [
            (("send", "plc-1", "one"), 0, "", ""),
            (("receive", "plc-1"), 0, "one\n", ""),
            (("receive", "plc-1"), 5, "", "extsys: plc-1: nothing came"),
            (("connect",), 2, "", "Usage: "),
            (("stop",), 0, "", ""),
        ]:
            done = extsys_process(runtime_dir, *args)
            assert (done.returncode, done.stdout) == (code, stdout)
            assert done.stderr.startswith(stderr)
            assert stderr or not done.stderr
        assert process.wait(PATIENCE) == 0
    assert not runtime_dir.exists()


def test_a_system_that_cannot_be_connected_now_is_tried_again_unless_told_not_to(
    plant: Path,
) -> None:
    assert extsys(plant, "disconnect", "plc-2").returncode == 0
    for times in (1, 2):
        fault = ("inject_fault", "connect", "fail", f"times={times}")
        assert extsys(plant, "call", "plc-2", *fault).returncode == 0
        args = ("connect", "plc-2") if times == 1 else ("connect", "--all")
        done = extsys(plant, *args)
        assert done.returncode == 1
        failed, trying = done.stderr.splitlines()
        assert failed.endswith("[connector_error, not sent]")
        name = "plc-2" if times == 1 else "--all"
        hint = f"tried again until it works; to end that: extsys disconnect {name}"
        assert trying == f"extsys: plc-2: {hint}"
        asyncio.run(until_connected(plant, "plc-2"))
        assert extsys(plant, "disconnect", "plc-2").returncode == 0

    assert extsys(plant, "call", "plc-2", "inject_fault", "connect", "fatal").returncode == 0
    done = extsys(plant, "connect", "plc-2")
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("then restart or connect it [failed, not sent]\n")
    assert extsys(plant, "disconnect", "plc-2").returncode == 0

    assert extsys(plant, "call", "plc-2", "inject_fault", "connect", "fail").returncode == 0
    done = extsys(plant, "connect", "plc-2", "--no-keep-trying")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    one = statuses(plant)["plc-2"]
    assert (one["state"], one["desired"]) == ("disconnected", "disconnected")


def test_failures_have_one_line_and_an_exit_code(plant: Path) -> None:
    for args, code, text in [
        (("send", "plc-2", "x"), 1, "plc-2: not connected; its status says why"),
        (("send", "plc-9", "x"), 1, "plc-9: no such system; did you mean 'plc-"),
        (("receive", "plc-1"), 5, "plc-1: nothing came"),
        (("call", "plc-1", "reset"), 1, "no command 'reset'"),
        (("status", "plc-9"), 1, "plc-9: no such system"),
    ]:
        done = extsys(plant, *args)
        assert done.returncode == code, done
        assert done.stdout == ""
        assert done.stderr.startswith(f"extsys: {text}") or text in done.stderr
        assert done.stderr.count("\n") == 1
    assert extsys(plant, "connect").returncode == 2
    assert extsys(plant, "send", "plc-1", "--as", "hex", "xyz").returncode == 2


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


def test_a_second_start_is_refused_and_the_first_serves_on(runtime_dir: Path) -> None:
    with running(runtime_dir) as process:
        second = extsys_process(runtime_dir, "run", str(write_config(runtime_dir)))
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
    done = extsys_process(runtime_dir, "run", str(write_config(runtime_dir)))
    assert done.returncode == 4
    assert "chmod 700" in done.stderr


def test_a_path_too_long_for_a_socket_is_refused(runtime_dir: Path) -> None:
    done = extsys_process(runtime_dir / ("x" * 100), "run", str(write_config(runtime_dir)))
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


def test_check_warns_of_what_is_hardly_meant(runtime_dir: Path) -> None:
    mixed = """
        [supervisor]
        strategy = "one_for_all"
        give_up = "quarantine"
    """
    done = extsys(runtime_dir, "check", str(write_config(runtime_dir, mixed + PLANT)))
    assert done.returncode == 0
    assert 'warning: supervisor: give_up = "quarantine"' in done.stderr
    assert "2 systems, no mistakes" in done.stdout


def test_a_system_that_cannot_be_built_leaves_the_others_running(runtime_dir: Path) -> None:
    with running(runtime_dir, RETRYING + PLANT + BROKEN):
        asyncio.run(until_state(runtime_dir, "broken", "quarantined"))
        assert statuses(runtime_dir)["plc-1"]["state"] == "connected"


def test_a_system_that_cannot_be_built_ends_the_start_of_all_as_in_otp(runtime_dir: Path) -> None:
    done = extsys_process(runtime_dir, "run", str(write_config(runtime_dir, PLANT + BROKEN)))
    assert done.returncode == 70
    last = done.stderr.splitlines()[-1]
    why = "the systems could not be started: broken: InjectedBug"
    assert last.startswith(f"extsys: ended (exit code 70): {why}")
    assert not runtime_dir.exists()


def test_it_says_supervising_when_all_are_started(runtime_dir: Path) -> None:
    slow = PLANT + SLOW + SLOW.replace("slow", "slower")
    with running(runtime_dir, slow):
        assert {each["state"] for each in statuses(runtime_dir).values()} <= {
            *("connecting", "connected", "disconnected"),
        }


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
            program(runtime_dir, "watch", "plc-1", "--data", "--json"),
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


def test_any_bytes_can_be_sent_and_only_a_line_feed_ends_a_line(plant: Path) -> None:
    data = b"\xff\xfe\x00\r\na\xc2\x85b\x0bc\n\nlast"
    sent = extsys(plant, "send", "plc-1", "--as", "bytes", "-", stdin=data)
    assert (sent.returncode, sent.stderr) == (0, "")
    received = extsys(plant, "receive", "plc-1", "--count", "9", "--json")
    items = [base64.b64decode(json.loads(line)["base64"]) for line in received.stdout.splitlines()]
    assert items == [b"\xff\xfe\x00", b"a\xc2\x85b\x0bc", b"", b"last"]

    refused = extsys(plant, "send", "plc-1", "-", stdin=b"caf\xe9\n")
    assert refused.returncode == 2
    assert "is not UTF-8; --as bytes takes anything" in refused.stderr


def test_what_the_terminal_cannot_show_is_printed_escaped(plant: Path) -> None:
    item = json.dumps("\udce9 \u20ac")
    assert extsys(plant, "send", "plc-1", "--as", "json", item).returncode == 0
    strict = {"PYTHONIOENCODING": "ascii:strict"}
    received = extsys_process(plant, "receive", "plc-1", environ=strict)
    assert (received.returncode, received.stdout) == (0, "\\udce9 \\u20ac\n")


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


def test_output_that_cannot_be_written_is_not_an_absent_supervisor(plant: Path) -> None:
    with open("/dev/full", "wb") as full:
        failed = extsys_process(plant, "status", stdout=full)
    assert failed.returncode == 1
    assert failed.stderr == "extsys: cannot write the output: No space left on device\n"
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    with os.fdopen(write_fd, "wb") as pipe:
        unread = extsys_process(plant, "status", stdout=pipe)
    assert (unread.returncode, unread.stderr) == (1, "")


def test_watch_says_that_a_name_is_not_known(plant: Path) -> None:
    watch = subprocess.Popen(
        program(plant, "watch", "root", "plc-3"), stderr=subprocess.PIPE, text=True
    )
    assert watch.stderr is not None
    told = "extsys: plc-3: no such system or group yet; waiting for it\n"
    assert watch.stderr.readline() == told
    watch.terminate()
    watch.wait(PATIENCE)
    watch.stderr.close()


def test_watch_ends_in_silence_when_its_reader_has_left(plant: Path) -> None:
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    with os.fdopen(write_fd, "wb") as pipe:
        for arguments in (("watch", "--since", "0"), ("watch", "--since", "0", "--data")):
            unread = extsys_process(plant, *arguments, stdout=pipe)
            assert (unread.returncode, unread.stderr) == (1, "")


def test_the_same_systems_serve_several_clients_at_once(plant: Path) -> None:
    async def work() -> None:
        async with (
            ExternalSystemManager.attach(plant, strict=True) as one,
            ExternalSystemManager.attach(plant, strict=True) as two,
        ):
            await one.send_data_to_system("plc-1", "from one")
            assert await two.receive_data_from_system("plc-1", timeout=5.0) == "from one"
            assert one.is_connected("plc-1")

    asyncio.run(work())
    assert statuses(plant)["plc-1"]["state"] == "connected"


def test_an_attached_client_is_told_when_the_supervisor_stops(runtime_dir: Path) -> None:
    async def work() -> None:
        async with ExternalSystemManager.attach(runtime_dir) as manager:
            receive = asyncio.ensure_future(
                manager.receive_data_from_system("plc-1", timeout=600.0)
            )
            await manager.status("plc-1")
            await asyncio.to_thread(extsys_process, runtime_dir, "stop")
            assert await receive is None

    with running(runtime_dir):
        asyncio.run(work())
