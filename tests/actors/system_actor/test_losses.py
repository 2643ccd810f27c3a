"""Why a connection was lost goes out with the report that it is."""

from __future__ import annotations

import asyncio
import threading

import pytest

from actors.errors import ConnectorError
from actors.messages import (
    CallCommand,
    CheckHealth,
    ConnectSystem,
    DisconnectSystem,
    Failure,
    ReceiveData,
    SendData,
    SendMany,
)
from tests.helpers.bench import Bench, BulkPuppet, Puppet


def run(main):
    async def capped():
        async with asyncio.timeout(20):
            return await main()

    return asyncio.run(capped())


async def connected(system=None):
    bench = Bench(system or Puppet(connected=False))
    await bench.ask(ConnectSystem("plc"))
    return bench


def losing(bench, error):
    """An operation that finds the connection gone."""

    async def lose(*_):
        bench.system.is_connected = False
        raise error

    return lose


async def lost(bench):
    """The reasons reported, once the connection is reported to be gone."""
    await bench.until(lambda: bench.reports and not bench.reports[-1].is_connected)
    return [report.lost for report in bench.reports if report.lost is not None]


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("send", SendData("plc", "x")),
        ("send", SendMany("plc", ("x",))),
        ("receive", ReceiveData("plc")),
        ("health", CheckHealth("plc")),
        ("call", CallCommand("plc", "call")),
    ],
    ids=str,
)
def test_an_error_by_which_the_connection_went_is_the_reason(operation, request_):
    async def main():
        bench = await connected()
        bench.system.on[operation] = losing(bench, ConnectionResetError("reset by peer"))
        bench.submit(request_)
        [reason] = await lost(bench)
        assert (reason.kind, reason.text) == (
            "ConnectionResetError",
            "ConnectionResetError: reset by peer",
        )

    run(main)


def test_an_error_of_a_bulk_send_is_a_reason_too():
    async def main():
        bench = await connected(BulkPuppet(connected=False))
        bench.system.on["send_many"] = losing(bench, ConnectorError("gone"))
        bench.submit(SendMany("plc", ("x",)))
        [reason] = await lost(bench)
        assert reason.text == "ConnectorError: gone"

    run(main)


def test_an_error_that_leaves_the_connection_as_it_is_is_none():
    async def main():
        bench = await connected()

        async def fail(*_):
            raise ConnectorError("busy")

        bench.system.on["send"] = fail
        assert isinstance(await bench.ask(SendData("plc", "x")), Failure)
        assert [report.lost for report in bench.reports if report.lost] == []

    run(main)


@pytest.mark.parametrize("why", ["plc:1 closed the connection", EOFError("the end")])
def test_a_connector_that_learns_of_a_loss_by_itself_says_why_and_is_heard_at_once(why):
    async def main():
        bench = await connected()
        bench.system.report_loss(why)
        assert bench.system.is_connected is False
        [reason] = await lost(bench)
        assert reason.kind == ("lost" if isinstance(why, str) else "EOFError")
        assert reason.text == (why if isinstance(why, str) else "EOFError: the end")

    run(main)


def test_a_loss_may_be_said_in_another_thread():
    async def main():
        bench = await connected()
        thread = threading.Thread(target=bench.system.report_loss, args=("in a thread",))
        thread.start()
        [reason] = await lost(bench)
        assert reason.text == "in a thread"
        thread.join()

    run(main)


def test_the_first_reason_of_a_loss_is_the_one():
    async def main():
        bench = await connected()

        async def lose(*_):
            bench.system.report_loss("the cause")
            raise ConnectorError("what comes of it")

        bench.system.on["send"] = lose
        bench.submit(SendData("plc", "x"))
        await bench.ask(CheckHealth("plc"))
        assert [reason.text for reason in await lost(bench)] == ["the cause"]

    run(main)


def test_a_reason_that_shows_after_the_loss_was_reported_is_reported_too():
    async def main():
        bench = await connected()
        bench.system.is_connected = False
        bench.to_supervisor.flush()
        assert await lost(bench) == []
        bench.engine.background_failed(ConnectionResetError("reset"))
        await bench.until(lambda: bench.reports[-1].lost is not None)

    run(main)


def test_who_waits_for_data_when_a_connector_says_that_it_is_lost_is_told():
    async def main():
        bench = await connected()
        received = asyncio.Event()

        async def nothing():
            await received.wait()

        bench.system.on["receive"] = nothing
        ref = bench.submit(ReceiveData("plc"))
        await asyncio.sleep(0)
        bench.system.report_loss("gone")
        received.set()
        assert (await bench.answer(ref)).code == "not_connected"

    run(main)


def test_an_order_to_disconnect_is_no_loss_whatever_is_said_of_it():
    async def main():
        bench = await connected()

        async def disconnect():
            bench.system.report_loss("told to")
            return True

        bench.system.on["disconnect"] = disconnect
        await bench.ask(DisconnectSystem("plc"))
        await lost(bench)
        bench.engine.background_failed(ConnectionResetError("reset"))
        bench.to_supervisor.flush()
        assert [report.lost for report in bench.reports[2:] if report.lost] == []

    run(main)


def test_a_connect_that_fails_is_no_loss():
    async def main():
        bench = Bench(Puppet(connected=False))

        async def refuse():
            raise ConnectionRefusedError("refused")

        bench.system.on["connect"] = refuse
        await bench.ask(ConnectSystem("plc"))
        bench.engine.background_failed(ConnectionResetError("reset"))
        bench.to_supervisor.flush()
        assert [report.lost for report in bench.reports if report.lost] == []

    run(main)


def test_a_connect_that_worked_and_was_lost_at_once_fails_with_the_reason():
    class Accepted(Puppet):
        async def connect(self):
            self.is_connected = True
            self.report_loss("plc:1 closed the connection")
            return True

    async def main():
        bench = Bench(Accepted(connected=False))
        failure = await bench.ask(ConnectSystem("plc"))
        assert failure.text == ("plc: the connection was lost at once: plc:1 closed the connection")

    run(main)


def test_a_connect_that_raised_leaves_no_connection_that_nobody_knows_of():
    class Late(Puppet):
        async def connect(self):
            self.is_connected = True
            raise ConnectorError("the login was refused")

    async def main():
        bench = Bench(Late(connected=False))
        failure = await bench.ask(ConnectSystem("plc"))
        assert failure.text == "plc: ConnectorError: the login was refused"
        assert bench.system.begun("disconnect")
        assert bench.system.is_connected is False
        assert not bench.reports[-1].is_connected

    run(main)
