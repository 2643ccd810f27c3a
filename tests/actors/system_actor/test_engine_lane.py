"""Connects, disconnects and sends take turns, in the order they were asked for."""

import pytest

from actors import ConnectorError
from actors.messages import (
    CallCommand,
    CheckHealth,
    ConnectSystem,
    DataSent,
    DisconnectSystem,
    FailureCode,
    Outcome,
    ReceiveData,
    Request,
    SendData,
    SystemConnected,
    SystemDisconnected,
)
from actors.payload import Payload
from actors.system_actor import lane
from tests.helpers.bench import Bench, Held, Puppet, scenario, turns


@pytest.fixture
def no_grace(monkeypatch):
    monkeypatch.setattr(lane, "DISCONNECT_GRACE", 0.0)


@pytest.fixture
def endless_grace(monkeypatch):
    monkeypatch.setattr(lane, "DISCONNECT_GRACE", 3600.0)


# ---- order -------------------------------------------------------------------------


@scenario
async def test_sends_go_one_at_a_time_in_order():
    system = Puppet()
    system.on["send"] = held = Held()
    bench = Bench(system)
    refs = [bench.submit(SendData("plc", n)) for n in range(3)]
    for n in range(3):
        await held.begun(n + 1)
        await turns()
        assert held.calls == [(each,) for each in range(n + 1)]
        held.release()
        assert isinstance(await bench.answer(refs[n]), DataSent)
    assert bench.answer_order == refs


@scenario
async def test_connects_disconnects_and_sends_keep_the_order_among_them():
    system = Puppet(connected=False)
    bench = Bench(system)
    requests = [
        ConnectSystem("plc"),
        SendData("plc", 1),
        DisconnectSystem("plc"),
        SendData("plc", 2),
        ConnectSystem("plc"),
        SendData("plc", 3),
    ]
    refs = [bench.submit(request) for request in requests]
    last = await bench.answer(refs[-1])
    kinds = [type(bench.replies[ref][0]).__name__ for ref in refs]
    assert kinds == [
        "SystemConnected",
        "DataSent",
        "SystemDisconnected",
        "Failure",
        "SystemConnected",
        "DataSent",
    ]
    assert bench.replies[refs[3]][0].code is FailureCode.NOT_CONNECTED
    assert bench.replies[refs[3]][0].outcome is Outcome.NOT_SENT
    assert system.begun("send") == [(1,), (3,)]
    assert last.request_id == requests[-1].request_id


@scenario
async def test_a_waiting_receive_holds_up_nothing():
    system = Puppet()
    system.on["receive"] = Held()
    bench = Bench(system)
    waiting = bench.submit(ReceiveData("plc", wait=3600.0))
    await system.on["receive"].begun()
    assert isinstance(await bench.ask(SendData("plc", 1)), DataSent)
    assert (await bench.ask(CallCommand("plc", "add", (1,)))).load() == 2
    assert (await bench.ask(CheckHealth("plc"))).healthy
    assert not bench.is_answered(waiting)
    assert isinstance(await bench.ask(DisconnectSystem("plc")), SystemDisconnected)
    failure = await bench.answer(waiting)
    assert failure.code is FailureCode.NOT_CONNECTED


@scenario
async def test_a_hanging_send_holds_up_no_command_no_health_check_and_no_receive():
    system = Puppet()
    system.on["send"] = Held()

    async def item():
        return "item"

    system.on["receive"] = item
    bench = Bench(system)
    bench.submit(SendData("plc", 1))
    await system.on["send"].begun()
    assert (await bench.ask(CallCommand("plc", "add", (1,)))).load() == 2
    assert (await bench.ask(CheckHealth("plc"))).healthy
    assert (await bench.ask(ReceiveData("plc"))).load() == "item"


@scenario
async def test_a_request_of_no_known_kind_is_invalid():
    failure = await Bench(Puppet()).ask(Request("plc"))
    assert failure.code is FailureCode.INVALID_REQUEST
    assert "Request" in failure.text


# ---- sending -----------------------------------------------------------------------


@scenario
async def test_a_send_without_connection_was_not_sent():
    system = Puppet(connected=False)
    failure = await Bench(system).ask(SendData("plc", 1))
    assert (failure.code, failure.outcome) == (FailureCode.NOT_CONNECTED, Outcome.NOT_SENT)
    assert system.begun("send") == []


@scenario
async def test_an_item_that_the_system_refused_was_not_sent():
    system = Puppet()

    async def refuse(_item):
        return False

    system.on["send"] = refuse
    failure = await Bench(system).ask(SendData("plc", 1))
    assert (failure.code, failure.outcome) == (FailureCode.CONNECTOR_ERROR, Outcome.NOT_SENT)


@scenario
async def test_an_item_refused_as_the_connection_went_was_not_sent():
    system = Puppet()

    async def lose(_item):
        system.is_connected = False
        return False

    system.on["send"] = lose
    bench = Bench(system)
    failure = await bench.ask(SendData("plc", 1))
    assert (failure.code, failure.outcome) == (FailureCode.NOT_CONNECTED, Outcome.NOT_SENT)
    assert bench.reports[-1].is_connected is False


@pytest.mark.parametrize(
    "error", [ConnectorError("no"), ConnectionResetError("gone"), TimeoutError(), EOFError()]
)
@scenario
async def test_an_expected_error_of_a_send_is_an_answer_of_unknown_outcome(error):
    system = Puppet()

    async def fail(_item):
        raise error

    system.on["send"] = fail
    bench = Bench(system)
    failure = await bench.ask(SendData("plc", 1))
    assert (failure.code, failure.outcome) == (FailureCode.CONNECTOR_ERROR, Outcome.UNKNOWN)
    assert type(error).__name__ in failure.text
    assert bench.crashes == []
    del system.on["send"]
    assert isinstance(await bench.ask(SendData("plc", 2)), DataSent)


@scenario
async def test_data_that_cannot_be_read_is_an_invalid_request():
    system = Puppet()
    failure = await Bench(system).ask(SendData("plc", Payload(encoded=b"no pickle")))
    assert (failure.code, failure.outcome) == (FailureCode.INVALID_REQUEST, Outcome.NOT_SENT)
    assert system.begun("send") == []


# ---- connecting and disconnecting ----------------------------------------------------


@scenario
async def test_connecting_what_is_connected_does_nothing_and_succeeds():
    system = Puppet()
    bench = Bench(system)
    assert isinstance(await bench.ask(ConnectSystem("plc")), SystemConnected)
    assert system.begun("connect") == []


@scenario
async def test_disconnecting_what_is_disconnected_does_nothing_and_succeeds():
    system = Puppet(connected=False)
    assert isinstance(await Bench(system).ask(DisconnectSystem("plc")), SystemDisconnected)
    assert system.begun("disconnect") == []


@pytest.mark.parametrize("request_", [ConnectSystem("plc"), DisconnectSystem("plc")])
@scenario
async def test_connecting_and_disconnecting_fail_with_an_expected_error_or_false(request_):
    connecting = isinstance(request_, ConnectSystem)
    system = Puppet(connected=not connecting)
    held = system.on["connect" if connecting else "disconnect"] = Held()
    bench = Bench(system)
    for result in (ConnectionRefusedError("go away"), False):
        ref = bench.submit(request_)
        await held.begun(len(held.calls) + 1)
        held.release(result)
        failure = await bench.answer(ref)
        assert failure.code is FailureCode.CONNECTOR_ERROR
    assert bench.crashes == []
    assert "ConnectionRefusedError: go away" in bench.replies[1][0].text


@scenario
async def test_a_report_says_whether_the_system_is_connected():
    bench = Bench(Puppet(connected=False))
    await bench.ask(ConnectSystem("plc"))
    assert bench.reports[-1].is_connected
    await bench.ask(DisconnectSystem("plc"))
    assert not bench.reports[-1].is_connected


# ---- a disconnect behind sends ---------------------------------------------------------


@scenario
async def test_a_disconnect_waits_for_the_sends_before_it(endless_grace):
    system = Puppet()
    system.on["send"] = held = Held()
    bench = Bench(system)
    sends = [bench.submit(SendData("plc", n)) for n in range(2)]
    disconnect = bench.submit(DisconnectSystem("plc"))
    for n in range(2):
        await held.begun(n + 1)
        assert system.begun("disconnect") == []
        held.release()
    await bench.answer(disconnect)
    assert bench.answer_order == [*sends, disconnect]
    assert all(isinstance(bench.replies[ref][0], DataSent) for ref in sends)


@scenario
async def test_when_its_grace_is_over_a_disconnect_cuts_off_what_is_before_it(no_grace):
    system = Puppet()
    system.on["send"] = held = Held()
    bench = Bench(system)
    running, waiting = (bench.submit(SendData("plc", n)) for n in range(2))
    disconnect = bench.submit(DisconnectSystem("plc"))
    behind = bench.submit(SendData("plc", 2))
    assert isinstance(await bench.answer(disconnect), SystemDisconnected)
    cut, never_begun = await bench.answer(running), await bench.answer(waiting)
    assert (cut.code, cut.outcome) == (FailureCode.NOT_CONNECTED, Outcome.UNKNOWN)
    assert (never_begun.code, never_begun.outcome) == (
        FailureCode.NOT_CONNECTED,
        Outcome.NOT_SENT,
    )
    assert held.calls == [(0,)]
    assert (await bench.answer(behind)).outcome is Outcome.NOT_SENT
    assert system.log[:4] == [
        ("begin", "send", 0),
        ("end", "send", 0),
        ("begin", "disconnect"),
        ("end", "disconnect"),
    ]
    assert all(len(replies) == 1 for replies in bench.replies.values())


@scenario
async def test_a_disconnect_that_got_its_turn_in_time_cuts_nothing_off_later(no_grace):
    system = Puppet()
    bench = Bench(system)
    bench.submit(SendData("plc", 0))
    await bench.answer(bench.submit(DisconnectSystem("plc")))
    system.on["send"] = held = Held()
    bench.submit(ConnectSystem("plc"))
    send = bench.submit(SendData("plc", 1))
    await held.begun()
    await turns()
    held.release()
    assert isinstance(await bench.answer(send), DataSent)


# ---- forgetting ------------------------------------------------------------------------


@scenario
async def test_what_is_forgotten_before_it_began_never_begins():
    system = Puppet()
    system.on["send"] = held = Held()
    bench = Bench(system)
    first, second, third = (bench.submit(SendData("plc", n)) for n in range(3))
    await held.begun()
    bench.forget(second)
    held.release()
    await held.begun(2)
    held.release()
    await bench.answer(third)
    assert held.calls == [(0,), (2,)]
    assert bench.answer_order == [first, third]


@scenario
async def test_a_running_send_that_is_forgotten_is_cut_off_and_the_next_begins():
    system = Puppet()
    system.on["send"] = held = Held()
    bench = Bench(system)
    hanging, following = (bench.submit(SendData("plc", n)) for n in range(2))
    await held.begun()
    bench.forget(hanging)
    await held.begun(2)
    assert ("end", "send", 0) in system.log
    held.release()
    assert isinstance(await bench.answer(following), DataSent)
    assert len(bench.replies[hanging]) <= 1


@scenario
async def test_forgetting_a_hanging_connect_frees_the_lane():
    system = Puppet(connected=False)
    system.on["connect"] = Held()
    bench = Bench(system)
    hanging = bench.submit(ConnectSystem("plc"))
    await system.on["connect"].begun()
    bench.forget(hanging)
    del system.on["connect"]
    assert isinstance(await bench.ask(ConnectSystem("plc")), SystemConnected)


@scenario
async def test_forgetting_what_is_unknown_or_done_does_nothing():
    bench = Bench(Puppet())
    done = bench.submit(SendData("plc", 1))
    await bench.answer(done)
    bench.forget(done, 99)
    assert isinstance(await bench.ask(SendData("plc", 2)), DataSent)
    assert len(bench.replies[done]) == 1


# ---- the reports -------------------------------------------------------------------------


@scenario
async def test_what_is_answered_without_waiting_goes_in_one_report_with_its_delivery():
    bench = Bench(Puppet())
    for n in range(3):
        bench.submit(SendData("plc", n))
    bench.to_supervisor.taken(7)
    await bench.until(lambda: bench.reports)
    assert len(bench.reports) == 1
    assert bench.reports[0].taken == 7
    assert [ref for ref, _ in bench.reports[0].replies] == [1, 2, 3]


@scenario
async def test_nothing_new_makes_no_report():
    bench = Bench(Puppet(connected=False))
    bench.to_supervisor.schedule()
    await turns()
    assert bench.reports == []
    bench.system.is_connected = True
    bench.to_supervisor.schedule()
    await turns()
    bench.to_supervisor.schedule()
    await turns()
    assert [report.is_connected for report in bench.reports] == [True]
