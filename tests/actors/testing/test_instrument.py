"""The instrument simulator answers as documented, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys

import pytest

from actors.connectors.tcp.system import TcpSystem
from actors.errors import ConnectorError
from actors.testing.instrument import MAX_SETTINGS, Instrument, InstrumentSimulator, main
from tests.helpers.net import CAP, eventually, run

# ---- what it answers ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("*IDN?", "EXTSYS,Simulated Instrument,7,1.0"),
        ("*idn? ", "EXTSYS,Simulated Instrument,7,1.0"),
        ("ECHO  two  spaces ", " two  spaces "),
        ("ECHO", ""),
        ("SET range 10 V", "OK"),
        ("SET range", "ERR expected SET name value"),
        ("GET gain", "ERR no setting 'gain'"),
        ("FLY", "ERR unknown command 'FLY'"),
        ("", "ERR unknown command ''"),
    ],
)
def test_each_command_has_its_answer(command, answer):
    assert Instrument(seed=7).answer(command) == answer


def test_a_setting_is_kept():
    instrument = Instrument()
    instrument.answer("SET range 10 V")
    instrument.answer("SET range 20 V")
    assert instrument.answer("GET range") == "20 V"


def test_the_same_seed_gives_the_same_readings():
    first, second, other = Instrument(1), Instrument(1), Instrument(2)
    readings = [first.answer("MEAS:VOLT?") for _ in range(5)]
    assert readings == [second.answer("meas:volt?") for _ in range(5)]
    assert readings != [other.answer("MEAS:VOLT?") for _ in range(5)]
    assert all(4.9 < float(reading) < 5.1 for reading in readings)


def test_settings_are_bounded():
    instrument = Instrument()
    for number in range(MAX_SETTINGS):
        assert instrument.answer(f"SET {number} x") == "OK"
    assert instrument.answer("SET more x").startswith("ERR no room")
    assert instrument.answer("SET 0 y") == "OK"


# ---- behind a port --------------------------------------------------------------------


@contextlib.asynccontextmanager
async def client(simulator: InstrumentSimulator, **details):
    host = {"host": "127.0.0.1", "port": simulator.port}
    system = TcpSystem("dut", {**host, "read_timeout": 10, **details})
    assert await system.connect()
    try:
        yield system
    finally:
        await system.disconnect()


def test_two_clients_share_one_instrument():
    async def body():
        async with (
            InstrumentSimulator() as simulator,
            client(simulator) as one,
            client(simulator) as two,
        ):
            await one.send_data("SET range 10")
            assert await one.receive_data() == "OK"
            await two.send_data("GET range")
            assert await two.receive_data() == "10"
            assert simulator.commands == 2
            assert simulator.connections == 2

    run(body)


def test_a_line_that_is_no_text_or_too_long_is_an_error_answer():
    async def body():
        async with (
            InstrumentSimulator() as simulator,
            client(simulator, encoding="bytes") as system,
        ):
            await system.send_data(b"\xff")
            assert await system.receive_data() == b"ERR not utf-8"
            await system.send_data(b"x" * 65_537)
            assert await system.receive_data() == b"ERR line too long"
            with pytest.raises(ConnectorError):
                await system.receive_data()

    run(body)


def test_it_drops_a_connection_after_as_many_commands_as_asked():
    async def body():
        async with InstrumentSimulator(drop_after=2) as simulator, client(simulator) as system:
            await system.send_data("ECHO 1")
            assert await system.receive_data() == "1"
            await system.send_data("ECHO 2")
            with pytest.raises(ConnectorError):
                await system.receive_data()
            assert await system.connect()
            await system.send_data("ECHO 3")
            assert await system.receive_data() == "3"

    run(body)


def test_a_mute_instrument_takes_commands_and_answers_none():
    async def body():
        async with (
            InstrumentSimulator(mute=True) as simulator,
            client(simulator, read_timeout=0.01) as system,
        ):
            await system.send_data("*IDN?")
            await eventually(lambda: simulator.commands == 1)
            assert await system.receive_data() is None

    run(body)


def test_who_does_not_read_answers_is_not_read_either():
    async def body():
        async with (
            InstrumentSimulator() as simulator,
            client(simulator, encoding="bytes") as system,
        ):
            (session,) = await _sessions(simulator)
            line = b"ECHO " + b"x" * 60_000
            sending = asyncio.create_task(system.send_many([line] * 1000))
            await eventually(lambda: not session._transport.is_reading())
            got = 0
            while got < 1000:
                got += len(await system.receive_many(1000, 10.0))
            assert await sending == [True] * 1000

    run(body)


async def _sessions(simulator):
    await eventually(lambda: simulator.connections > 0)
    return list(simulator._sessions)


def test_stopping_closes_connections_and_port():
    async def body():
        simulator = InstrumentSimulator()
        async with simulator, client(simulator) as system:
            port = simulator.port
            await eventually(lambda: simulator.connections == 1)
            await simulator.stop()
            assert simulator.connections == 0
            with pytest.raises(ConnectorError):
                await system.receive_data()
            with pytest.raises(ConnectorError, match=f":{port}: connection refused"):
                await system.connect()
            with pytest.raises(RuntimeError, match="does not run"):
                _ = simulator.port

    run(body)


# ---- as a process ---------------------------------------------------------------------


@contextlib.contextmanager
def process(*arguments: str):
    child = subprocess.Popen(
        [sys.executable, "-m", "actors.testing.instrument", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with child:
        try:
            yield child
        finally:
            child.kill()


def ask(port: int, command: str) -> object:
    async def body():
        system = TcpSystem("dut", {"host": "127.0.0.1", "port": port, "read_timeout": 10})
        await system.connect()
        await system.send_data(command)
        answer = await system.receive_data()
        await system.disconnect()
        return answer

    return run(body)


@pytest.mark.parametrize("ending", ["stdin", signal.SIGTERM, signal.SIGINT])
def test_the_process_prints_its_port_answers_and_ends_cleanly(ending):
    with process("--port", "0", "--seed", "3") as child:
        port = int(child.stdout.readline())
        assert ask(port, "*IDN?") == "EXTSYS,Simulated Instrument,3,1.0"
        if ending != "stdin":
            child.send_signal(ending)
            assert child.wait(CAP) == 0
        output, errors = child.communicate(timeout=CAP)
        assert (child.returncode, output, errors) == (0, "", "")


def test_the_process_does_not_wait_for_an_input_that_cannot_be_waited_for():
    done = subprocess.run(
        [sys.executable, "-m", "actors.testing.instrument"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=CAP,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_port_that_is_taken_is_one_clear_error(capsys):
    async def body():
        async with InstrumentSimulator() as simulator:
            port = str(simulator.port)
            assert await asyncio.to_thread(main, ["--port", port]) == 1

    with pytest.MonkeyPatch.context() as patch:
        # Signals are for the main thread, and the test's own input is not to be read.
        patch.setattr("asyncio.unix_events._UnixSelectorEventLoop.add_signal_handler", _ignore)
        asyncio.run(body())
    assert "cannot listen on 127.0.0.1:" in capsys.readouterr().err


def _ignore(*_arguments: object) -> None:
    pass
