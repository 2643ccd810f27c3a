"""What is in a system's process when its connection is lost waits there for the next, in order."""

from __future__ import annotations

import asyncio

import pytest

from actors.errors import FatalError, NotSentError
from actors.messages import (
    CallCommand,
    CommandCalled,
    ConnectSystem,
    DataSent,
    DisconnectSystem,
    Failure,
    FailureCode,
    Outcome,
    QueryAnswered,
    QueryData,
    SendData,
    SendMany,
    SystemConnected,
    SystemDisconnected,
)
from actors.resilience.policy import Policy
from actors.resilience.timeouts import Timeouts
from actors.resilience.when_down import WhenDown
from tests.helpers.bench import Bench, BulkPuppet, Held, Puppet, scenario, turns

WAITS = Policy(when_down=WhenDown.WAIT)


async def up(system=None, policy=WAITS):
    """A bench with a system that is meant to be connected, and is."""
    bench = Bench(system or Puppet(connected=False), policy)
    assert isinstance(await bench.ask(ConnectSystem("plc")), SystemConnected)
    return bench


async def lose(bench):
    bench.system.is_connected = False
    bench.engine.look()
    await turns()


@scenario
async def test_sends_and_questions_wait_in_order_until_it_is_connected_again():
    system = Puppet(connected=False)
    system.on["receive"] = Held()
    bench = await up(system)
    await lose(bench)
    refs = [bench.submit(SendData("plc", 1)), bench.submit(SendMany("plc", (2, 3)))]
    await turns()
    assert system.begun("send") == []
    connect = bench.submit(ConnectSystem("plc"))
    assert isinstance(await bench.answer(connect), SystemConnected)
    for ref in refs:
        await bench.answer(ref)
    assert system.begun("send") == [(1,), (2,), (3,)]
    assert bench.results(refs[1]) == [True, True]
    assert isinstance(bench.replies[refs[0]][0], DataSent)


@scenario
async def test_what_was_half_done_when_it_was_lost_goes_on_with_the_first_that_was_not_sent():
    system = Puppet(connected=False)

    async def send(item):
        if item == 2 and ("lost",) not in system.log:
            system.log.append(("lost",))
            system.is_connected = False
            return False
        return True

    system.on["send"] = send
    bench = await up(system)
    ref = bench.submit(SendMany("plc", (1, 2, 3)))
    await turns()
    assert not bench.is_answered(ref)
    await bench.ask(ConnectSystem("plc"))
    await bench.answer(ref)
    assert bench.results(ref) == [True, True, True]
    assert system.begun("send") == [(1,), (2,), (2,), (3,)]


@scenario
async def test_a_connector_may_be_the_first_to_notice_that_the_connection_is_gone():
    system = Puppet(connected=False)
    bench = await up(system)

    async def send(item):
        system.is_connected = False
        raise NotSentError("the other end closed the connection; nothing was sent")

    system.on["send"] = send
    ref = bench.submit(SendData("plc", 1))
    await turns()
    assert not bench.is_answered(ref)
    del system.on["send"]
    await bench.ask(ConnectSystem("plc"))
    assert isinstance(await bench.answer(ref), DataSent)


@scenario
async def test_an_item_that_is_refused_is_not_sent_again():
    bench = await up()

    async def send(item):
        raise NotSentError("it is too long")

    bench.system.on["send"] = send
    assert (await bench.ask(SendData("plc", 1))).code is FailureCode.CONNECTOR_ERROR


@scenario
async def test_items_that_go_out_together_wait_together():
    bench = await up(BulkPuppet(connected=False))
    await lose(bench)
    ref = bench.submit(SendMany("plc", (1, 2)))
    await turns()
    await bench.ask(ConnectSystem("plc"))
    await bench.answer(ref)
    assert bench.results(ref) == [True, True]


@scenario
async def test_a_question_waits_and_is_asked_once():
    class Asked(Puppet):
        async def query_data(self, question, timeout):
            return await self._do("query", question, otherwise="yes")

    bench = await up(Asked(connected=False))
    await lose(bench)
    ref = bench.submit(QueryData("plc", "?"))
    await turns()
    await bench.ask(ConnectSystem("plc"))
    assert isinstance(await bench.answer(ref), QueryAnswered)
    assert bench.system.begun("query") == [("?",)]


@scenario
async def test_an_order_to_connect_that_is_behind_what_waits_is_carried_out_at_once():
    system = Puppet(connected=False)
    bench = await up(system)
    system.on["send"] = held = Held()
    first = bench.submit(SendData("plc", 1))
    await held.begun()
    refs = [bench.submit(SendData("plc", 2)), bench.submit(ConnectSystem("plc"))]
    system.is_connected = False
    held.release()
    await held.begun(2)
    held.release()
    for ref in (first, *refs):
        assert not isinstance(await bench.answer(ref), Failure)


@scenario
async def test_a_connect_that_fails_leaves_all_waiting():
    system = Puppet(connected=False)
    bench = await up(system)
    await lose(bench)
    ref = bench.submit(SendData("plc", 1))
    await turns()

    async def fail():
        raise OSError("nobody is there")

    system.on["connect"] = fail
    assert isinstance(await bench.ask(ConnectSystem("plc")), Failure)
    await turns()
    assert not bench.is_answered(ref)
    del system.on["connect"]
    await bench.ask(ConnectSystem("plc"))
    assert isinstance(await bench.answer(ref), DataSent)


@scenario
async def test_two_orders_to_connect_are_carried_out_one_after_the_other():
    system = Puppet(connected=False)
    bench = await up(system)
    await lose(bench)
    bench.submit(SendData("plc", 1))
    await turns()
    system.on["connect"] = held = Held()
    refs = [bench.submit(ConnectSystem("plc")) for _ in range(2)]
    await held.begun()
    await turns()
    assert len(held.calls) == 1
    held.release()
    for ref in refs:
        assert isinstance(await bench.answer(ref), SystemConnected)
    assert len(held.calls) == 1


@scenario
async def test_a_connection_that_nobody_ordered_is_noticed():
    bench = await up()
    await lose(bench)
    ref = bench.submit(SendData("plc", 1))
    await turns()
    bench.system.is_connected = True
    assert isinstance(await bench.answer(ref), DataSent)


@scenario
async def test_commands_need_no_connection_and_wait_for_none():
    bench = await up()
    await lose(bench)
    assert isinstance(await bench.ask(CallCommand("plc", "call")), CommandCalled)


@scenario
async def test_one_that_is_not_meant_to_be_connected_fails_at_once():
    bench = Bench(Puppet(connected=False), WAITS)
    reply = await bench.ask(SendData("plc", 1))
    assert (reply.code, reply.outcome) == (FailureCode.NOT_CONNECTED, Outcome.NOT_SENT)
    await bench.ask(ConnectSystem("plc"))
    assert isinstance(await bench.ask(DisconnectSystem("plc")), SystemDisconnected)
    assert (await bench.ask(SendData("plc", 1))).code is FailureCode.NOT_CONNECTED


@scenario
async def test_an_order_to_disconnect_ends_the_wait_at_once():
    bench = await up()
    await lose(bench)
    refs = [bench.submit(SendData("plc", number)) for number in range(2)]
    await turns()
    began = asyncio.get_running_loop().time()
    order = bench.submit(DisconnectSystem("plc"))
    for ref in refs:
        reply = await bench.answer(ref)
        assert (reply.code, reply.outcome) == (FailureCode.NOT_CONNECTED, Outcome.NOT_SENT)
    assert isinstance(await bench.answer(order), SystemDisconnected)
    assert asyncio.get_running_loop().time() - began < 0.1


@scenario
async def test_an_order_to_disconnect_has_the_last_word_also_over_a_connect_under_way():
    system = Puppet(connected=False)
    bench = await up(system)
    await lose(bench)
    bench.submit(SendData("plc", 1))
    await turns()
    system.on["connect"] = held = Held()
    bench.submit(ConnectSystem("plc"))
    await held.begun()
    order = bench.submit(DisconnectSystem("plc"))
    await turns()
    held.release()
    assert isinstance(await bench.answer(order), SystemDisconnected)
    assert (await bench.ask(SendData("plc", 2))).code is FailureCode.NOT_CONNECTED


@scenario
async def test_what_is_disconnected_and_connected_again_by_order_ends_connected():
    bench = await up()
    await lose(bench)
    bench.submit(SendData("plc", 1))
    await turns()
    order = bench.submit(DisconnectSystem("plc"))
    again = bench.submit(ConnectSystem("plc"))
    await bench.answer(order)
    assert isinstance(await bench.answer(again), SystemConnected)
    assert bench.system.is_connected


@scenario
async def test_one_that_somebody_must_mend_first_ends_the_wait_with_its_reason():
    system = Puppet(connected=False)
    bench = await up(system)
    await lose(bench)
    ref = bench.submit(SendData("plc", 1))
    await turns()

    async def fail():
        raise FatalError("the password was refused")

    system.on["connect"] = fail
    await bench.ask(ConnectSystem("plc"))
    reply = await bench.answer(ref)
    assert reply.code is FailureCode.FAILED
    assert "the password was refused" in reply.text


@scenario
async def test_a_stop_ends_the_wait():
    bench = await up()
    await lose(bench)
    ref = bench.submit(SendData("plc", 1))
    await turns()
    await bench.engine.stop(5.0)
    bench.to_supervisor.flush()
    assert bench.replies[ref][-1].outcome is Outcome.NOT_SENT


@scenario
async def test_who_does_not_wait_any_more_is_not_sent_anything_for():
    bench = await up()
    await lose(bench)
    ref = bench.submit(SendData("plc", 1))
    await turns()
    bench.forget(ref)
    await bench.ask(ConnectSystem("plc"))
    await bench.ask(SendData("plc", 2))
    assert bench.system.begun("send") == [(2,)]


@scenario
async def test_the_wait_is_no_part_of_the_time_of_a_call():
    bench = await up(policy=Policy(when_down=WhenDown.WAIT, timeouts=Timeouts(send=0.1)))
    await lose(bench)
    ref = bench.submit(SendData("plc", 1))
    await asyncio.sleep(1.0)
    await bench.ask(ConnectSystem("plc"))
    assert isinstance(await bench.answer(ref), DataSent)


@pytest.mark.parametrize("written", ["later", 3])
def test_what_is_no_word_for_it_is_refused(written):
    with pytest.raises(ValueError, match="when_down must be one of fail, wait"):
        Policy(when_down=written)
