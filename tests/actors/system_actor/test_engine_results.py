"""A connector's coroutine that gives something else than True leaves one state, and says what it
gave."""

from __future__ import annotations

import pytest

from actors.messages import (
    ConnectSystem,
    DisconnectSystem,
    Failure,
    FailureCode,
    Outcome,
    SendData,
    SendMany,
)
from tests.helpers.bench import Bench, Puppet, scenario


class Gives(Puppet):
    """Does everything, and returns what it is told to."""

    def __init__(self, result, *, connected):
        super().__init__(connected)
        self.result = result

    async def connect(self):
        self.is_connected = True
        return self.result

    async def disconnect(self):
        self.is_connected = False
        return self.result

    async def send_data(self, data):
        return self.result


RESULTS = [(False, "gave False"), (None, "gave None; it must return True")]


@pytest.mark.parametrize(("result", "words"), RESULTS)
def test_a_connect_that_does_not_give_true_leaves_it_disconnected(result, words):
    @scenario
    async def play():
        system = Gives(result, connected=False)
        bench = Bench(system)
        reply = await bench.ask(ConnectSystem("plc"))
        assert isinstance(reply, Failure)
        assert reply.code is FailureCode.CONNECTOR_ERROR
        assert reply.text.endswith(f"could not connect (connect {words})")
        assert not system.is_connected

    play()


@pytest.mark.parametrize(("result", "words"), RESULTS)
def test_a_disconnect_that_does_not_give_true_says_what_it_gave(result, words):
    @scenario
    async def play():
        reply = await Bench(Gives(result, connected=True)).ask(DisconnectSystem("plc"))
        assert isinstance(reply, Failure)
        assert reply.text.endswith(f"could not disconnect (disconnect {words})")

    play()


@pytest.mark.parametrize(("result", "words"), RESULTS)
def test_a_send_that_does_not_give_true_says_what_it_gave(result, words):
    @scenario
    async def play():
        system = Gives(result, connected=True)
        bench = Bench(system)
        reply = await bench.ask(SendData("plc", 1))
        assert isinstance(reply, Failure)
        assert reply.text.endswith(f"the system did not take it (send_data {words})")
        many = await bench.ask(SendMany("plc", (1,)))
        [one] = many.results
        assert isinstance(one, Failure)
        assert words in one.text
        outcome = Outcome.UNKNOWN if result is None else Outcome.NOT_SENT
        assert (reply.outcome, one.outcome) == (outcome, outcome)
        assert system.is_connected

    play()
