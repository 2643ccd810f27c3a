"""What no second try can help: a connect is refused for good, or a connection given up, and
whoever asks is told why and what to do."""

from __future__ import annotations

import pytest

from actors.errors import AuthenticationRefusedError, ConnectorError, FatalError
from actors.messages import (
    CallCommand,
    CheckHealth,
    ConnectSystem,
    DisconnectSystem,
    FailureCode,
    QueryData,
    ReceiveData,
    SendData,
    SendMany,
    SystemConnected,
    SystemDisconnected,
)
from tests.helpers.bench import Bench, BulkPuppet, Held, Puppet, scenario

ADVICE = "it is not tried again: mend the cause, then restart or connect it"


def raising(error):
    async def fail(*_):
        raise error

    return fail


class Refused(Bench):
    """One whose system was refused."""

    @classmethod
    async def of(cls, system=None):
        bench = cls(system or Puppet(connected=False))
        bench.system.on["connect"] = raising(AuthenticationRefusedError("wrong password"))
        bench.refused = await bench.ask(ConnectSystem("plc"))
        return bench

    def __init__(self, system):
        super().__init__(system)
        self.refused = None
        """The answer to its connect."""


def losses(bench):
    return [report.lost for report in bench.reports if report.lost is not None]


@scenario
async def test_a_connect_that_is_refused_for_good_says_so_and_what_to_do():
    bench = await Refused.of()
    assert bench.refused.code is FailureCode.FAILED
    text = "plc: AuthenticationRefusedError: wrong password; "
    assert bench.refused.text == text + ADVICE
    assert losses(bench) == []  # it was never there
    assert bench.crashes == []


@pytest.mark.parametrize(
    "request_",
    [SendData("plc", "x"), QueryData("plc", "x"), ReceiveData("plc"), ReceiveData("plc", 60.0)],
)
@scenario
async def test_a_failed_system_refuses_what_is_asked_at_once(request_):
    bench = await Refused.of()
    refused = await bench.ask(request_)
    assert (refused.code, refused.text) == (FailureCode.FAILED, bench.refused.text)
    assert refused.outcome == "not_sent"


@pytest.mark.parametrize("kind", [Puppet, BulkPuppet])
@scenario
async def test_a_failed_system_refuses_each_of_several_items(kind):
    bench = await Refused.of(kind(connected=False))
    sent = await bench.ask(SendMany("plc", ("x", "y")))
    assert [each.code for each in sent.results] == [FailureCode.FAILED] * 2


@scenario
async def test_commands_of_a_failed_system_go_on():
    bench = await Refused.of()
    assert (await bench.ask(CallCommand("plc", "add", (1,)))).load() == 2


@scenario
async def test_a_failed_system_that_is_mended_is_connected_when_somebody_asks():
    bench = await Refused.of()
    del bench.system.on["connect"]
    assert isinstance(await bench.ask(ConnectSystem("plc")), SystemConnected)
    await bench.ask(SendData("plc", "x"))
    bench.system.is_connected = False
    refused = await bench.ask(SendData("plc", "x"))
    assert refused.code is FailureCode.NOT_CONNECTED


@scenario
async def test_a_failed_system_that_cannot_be_reached_any_more_has_not_failed():
    bench = await Refused.of()
    bench.system.on["connect"] = raising(ConnectorError("no route"))
    assert (await bench.ask(ConnectSystem("plc"))).code is FailureCode.CONNECTOR_ERROR
    assert (await bench.ask(SendData("plc", "x"))).code is FailureCode.NOT_CONNECTED


@scenario
async def test_a_failed_system_that_is_told_to_disconnect_is_disconnected():
    bench = await Refused.of()
    assert isinstance(await bench.ask(DisconnectSystem("plc")), SystemDisconnected)
    assert (await bench.ask(SendData("plc", "x"))).code is FailureCode.NOT_CONNECTED


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("send", SendData("plc", "x")),
        ("send", SendMany("plc", ("x",))),
        ("receive", ReceiveData("plc")),
        ("health", CheckHealth("plc")),
        ("call", CallCommand("plc", "call")),
        ("send", QueryData("plc", "x")),
    ],
)
@scenario
async def test_a_revoked_authentication_costs_the_connection_whatever_finds_it(operation, request_):
    bench = Bench(Puppet(connected=False))
    await bench.ask(ConnectSystem("plc"))
    bench.system.on[operation] = raising(AuthenticationRefusedError("revoked"))
    await bench.ask(request_)
    await bench.until(lambda: not bench.reports[-1].is_connected)
    [lost] = losses(bench)
    assert lost.is_fatal
    assert (lost.kind, lost.text) == (
        "AuthenticationRefusedError",
        f"AuthenticationRefusedError: revoked; {ADVICE}",
    )
    assert bench.system.begun("disconnect") == [()]
    assert (await bench.ask(SendData("plc", "y"))).code is FailureCode.FAILED
    assert bench.crashes == []


@scenario
async def test_what_waits_behind_the_send_that_was_refused_for_good_is_refused_too():
    bench = Bench(Puppet(connected=False))
    await bench.ask(ConnectSystem("plc"))
    held = bench.system.on["send"] = Held()
    first, second = bench.submit(SendData("plc", 1)), bench.submit(SendData("plc", 2))
    waits = bench.submit(ReceiveData("plc", 60.0))
    await held.begun()
    held.release(FatalError("revoked"))
    await bench.until(lambda: all(bench.replies[ref] for ref in (first, second, waits)))
    codes = [bench.replies[ref][0].code for ref in (first, second, waits)]
    assert codes == [FailureCode.CONNECTOR_ERROR, FailureCode.FAILED, FailureCode.FAILED]
    assert held.calls == [(1,)]


@scenario
async def test_a_connector_tells_by_itself_that_its_authentication_was_revoked():
    bench = Bench(Puppet(connected=False))
    await bench.ask(ConnectSystem("plc"))
    bench.system.report_loss(AuthenticationRefusedError("revoked"))
    await bench.until(lambda: not bench.reports[-1].is_connected)
    assert [lost.is_fatal for lost in losses(bench)] == [True]
    assert (await bench.ask(SendData("plc", "y"))).code is FailureCode.FAILED


@scenario
async def test_a_disconnect_that_was_asked_for_first_is_no_failure():
    bench = Bench(Puppet(connected=False))
    await bench.ask(ConnectSystem("plc"))
    held = bench.system.on["send"] = Held()
    bench.submit(SendData("plc", 1))
    await held.begun()
    disconnect = bench.submit(DisconnectSystem("plc"))
    held.release(FatalError("revoked"))
    await bench.until(lambda: bench.replies[disconnect])
    assert losses(bench) == []
    assert (await bench.ask(SendData("plc", 1))).code is FailureCode.NOT_CONNECTED


@scenario
async def test_a_connection_that_cannot_be_closed_is_given_up_all_the_same():
    bench = Bench(Puppet(connected=False))
    await bench.ask(ConnectSystem("plc"))
    bench.system.on["send"] = raising(FatalError("revoked"))
    bench.system.on["disconnect"] = raising(ConnectorError("it will not"))
    await bench.ask(SendData("plc", 1))
    assert (await bench.ask(SendData("plc", 1))).code is FailureCode.FAILED
    assert [lost.is_fatal for lost in losses(bench)] == [True]


@scenario
async def test_an_error_of_a_task_of_its_own_costs_the_connection_too():
    bench = Bench(Puppet(connected=False))
    await bench.ask(ConnectSystem("plc"))
    bench.engine.background_failed(FatalError("revoked"))
    await bench.until(lambda: not bench.reports[-1].is_connected)
    assert [lost.is_fatal for lost in losses(bench)] == [True]
