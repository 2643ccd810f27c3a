"""A connect is proved by a round trip, where the connector has one."""

from __future__ import annotations

import pytest

from actors.errors import AuthenticationRefusedError, ConnectorError
from actors.interface import ExternalSystemInterface
from actors.messages import (
    ConnectSystem,
    DisconnectSystem,
    FailureCode,
    QueryAnswered,
    QueryData,
    SendData,
    SystemConnected,
)
from actors.resilience.keep_alive import KeepAlive
from actors.resilience.policy import Policy
from tests.helpers.asked import Instrument
from tests.helpers.bench import FOREVER, Bench, Held, Puppet, Source, scenario


def giving(result):
    async def give():
        return result

    return give


def raising(error):
    async def fail():
        raise error

    return fail


class Unproved(Puppet):
    check_on_connect = False


class Plain(Puppet):
    check_health = ExternalSystemInterface.check_health


class Asking(Puppet):
    """Its check of its health is a question like any other."""

    def __init__(self, connected=False):
        super().__init__(connected)
        self.source = Source()
        self.on["receive"] = self.source
        self.on["send"] = self.answer

    async def answer(self, item):
        self.source.put(f"{item}!")
        return True

    async def check_health(self):
        return await self.query_data("ping", 1.0) == "ping!"


@scenario
async def test_a_connection_that_answers_is_one():
    bench = Bench(Puppet(connected=False))
    assert isinstance(await bench.ask(ConnectSystem("plc")), SystemConnected)
    assert [name for _, name, *_ in bench.system.log] == ["connect"] * 2 + ["health"] * 2


@pytest.mark.parametrize(
    ("check", "code", "text"),
    [
        (
            giving(False),
            FailureCode.CONNECTOR_ERROR,
            "connected, but its check_health says that it is not",
        ),
        (
            raising(ConnectorError("no answer")),
            FailureCode.CONNECTOR_ERROR,
            "connected, but its check_health failed: ConnectorError: no answer",
        ),
        (
            raising(TimeoutError("its own")),
            FailureCode.CONNECTOR_ERROR,
            "connected, but its check_health failed: TimeoutError: its own",
        ),
        (
            raising(AuthenticationRefusedError("who are you")),
            FailureCode.FAILED,
            "connected, but its check_health failed: AuthenticationRefusedError: who are you; "
            "it is not tried again: mend the cause, then restart or connect it",
        ),
    ],
)
@scenario
async def test_a_connection_that_does_not_answer_is_none(check, code, text):
    bench = Bench(Puppet(connected=False))
    bench.system.on["health"] = check
    failure = await bench.ask(ConnectSystem("plc"))
    assert (failure.code, failure.text) == (code, f"plc: {text}")
    assert not bench.system.is_connected
    assert bench.system.begun("disconnect") == [()]
    assert [report.lost for report in bench.reports if report.lost is not None] == []


@scenario(cap=FOREVER)
async def test_a_connection_that_is_silent_is_given_up_after_a_while():
    bench = Bench(Puppet(connected=False))
    bench.system.check_timeout = 2.5
    bench.system.on["health"] = Held()
    failure = await bench.ask(ConnectSystem("plc"))
    assert failure.text == "plc: connected, but its check_health gave no answer within 2.5 s"
    assert not bench.system.is_connected


@scenario
async def test_a_bug_in_the_check_is_a_crash_as_anywhere():
    bench = Bench(Puppet(connected=False))
    bench.system.on["health"] = raising(ValueError("bug"))
    bench.submit(ConnectSystem("plc"))
    await bench.until(lambda: bench.crashes)
    assert bench.crashes[0].kind == "ValueError"


@scenario
async def test_what_is_sent_waits_until_the_connection_is_proved():
    bench = Bench(Puppet(connected=False))
    held = bench.system.on["health"] = Held()
    bench.submit(ConnectSystem("plc"))
    sent = bench.submit(SendData("plc", "x"))
    await held.begun()
    assert bench.system.begun("send") == []
    held.release()
    await bench.until(lambda: bench.replies[sent])
    assert bench.system.begun("send") == [("x",)]


@pytest.mark.parametrize("kind", [Unproved, Plain])
@scenario
async def test_who_has_no_round_trip_is_not_asked_for_one(kind):
    bench = Bench(kind(connected=False))
    bench.system.on["health"] = giving(False)
    assert isinstance(await bench.ask(ConnectSystem("plc")), SystemConnected)


@scenario
async def test_who_is_connected_already_is_not_asked():
    bench = Bench(Puppet(connected=True))
    bench.system.on["health"] = giving(False)
    assert isinstance(await bench.ask(ConnectSystem("plc")), SystemConnected)


@scenario(cap=60)
async def test_the_check_may_be_a_question():
    bench = Bench(Asking())
    assert isinstance(await bench.ask(ConnectSystem("plc")), SystemConnected)
    answered = await bench.ask(QueryData("plc", "who"))
    assert isinstance(answered, QueryAnswered)
    assert answered.load() == "who!"


@scenario(cap=60)
async def test_a_connection_that_is_made_anew_is_proved_by_a_question_too():
    bench = Bench(Asking())
    await bench.ask(ConnectSystem("plc"))

    async def swallow(_):
        return True

    bench.system.on["send"] = swallow
    failure = await bench.ask(QueryData("plc", "who", 0.1))  # now an answer may come late
    assert failure.code is FailureCode.TIMEOUT
    bench.system.on["send"] = bench.system.answer
    answered = await bench.ask(QueryData("plc", "who"))
    assert answered.load() == "who!"
    assert len(bench.system.begun("connect")) == 2


# ---- by what pings ask -----------------------------------------------------------------

ASKED = Policy(keep_alive=KeepAlive(every=100, timeout=2, query="ping?"))
CHECKED = Policy(keep_alive=KeepAlive(every=100, timeout=2))


@scenario(cap=FOREVER)
async def test_a_connect_is_proved_by_the_question_that_pings_ask():
    system = Instrument()
    system.is_connected = False
    bench = Bench(system, ASKED)
    assert isinstance(await bench.ask(ConnectSystem("plc")), SystemConnected)
    assert system.log[:2] == ["connect", "ping?"]
    system.by_itself = False
    await bench.ask(DisconnectSystem("plc"))
    failure = await bench.ask(ConnectSystem("plc"))
    text = "plc: connected, but a ping was not answered within 2 s"
    assert (failure.code, failure.text) == (FailureCode.CONNECTOR_ERROR, text)
    assert not system.is_connected
    system.by_itself = True
    assert isinstance(await bench.ask(ConnectSystem("plc")), SystemConnected)


@scenario(cap=FOREVER)
async def test_a_ping_that_is_refused_for_good_is_the_end_of_the_connection():
    system = Puppet(connected=False)
    bench = Bench(system, CHECKED)
    await bench.ask(ConnectSystem("plc"))
    bench.engine.look()
    system.on["health"] = raising(AuthenticationRefusedError("revoked"))
    await bench.until(lambda: not bench.reports[-1].is_connected)
    [lost] = [report.lost for report in bench.reports if report.lost is not None]
    assert lost.is_fatal
    assert lost.text.startswith("AuthenticationRefusedError: revoked; it is not tried again")
