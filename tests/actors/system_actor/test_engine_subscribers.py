"""Receiving for subscribers, and until a system is disconnected."""

import pytest

from actors import ConnectorError
from actors.messages import (
    CheckHealth,
    ConnectSystem,
    DataReceived,
    DisconnectSystem,
    FailureCode,
    ReceiveData,
    SendData,
)
from actors.payload import unwrap
from actors.system_actor import receiving
from tests.helpers.bench import (
    FOREVER,
    Bench,
    Held,
    Puppet,
    Source,
    held_bench,
    scenario,
    source_bench,
    turns,
)

# ---- subscribers -------------------------------------------------------------------------


@scenario
async def test_a_tap_receives_when_nobody_waits():
    bench, source = source_bench()
    bench.engine.set_tap(True)
    source.put("a", ["b"])
    await bench.until(lambda: len(bench.tapped) == 2)
    assert [unwrap(item) for item in bench.tapped] == ["a", ["b"]]
    assert bench.replies == {}


@scenario
async def test_subscribers_and_who_waits_get_the_same_item():
    bench, source = source_bench()
    bench.engine.set_tap(True)
    ref = bench.submit(ReceiveData("plc", wait=FOREVER))
    source.put("item")
    assert (await bench.answer(ref)).load() == "item"
    assert bench.tapped == ["item"]


@scenario
async def test_a_tap_gets_first_what_was_kept():
    bench, source = source_bench()
    bench.engine.take_back((1, 2))
    source.put(3)
    bench.engine.set_tap(True)
    await bench.until(lambda: len(bench.tapped) == 3)
    assert bench.tapped == [1, 2, 3]
    source.put(4)
    assert (await bench.ask(ReceiveData("plc", wait=FOREVER))).load() == 4


@scenario
async def test_a_tap_waits_for_the_connection_and_comes_back_with_it():
    bench, source = source_bench()
    bench.system.is_connected = False
    bench.engine.set_tap(True)
    for item in ("first", "second"):
        await bench.ask(ConnectSystem("plc"))
        source.put(item)
        await bench.until(lambda item=item: bench.tapped[-1:] == [item])
        await bench.ask(DisconnectSystem("plc"))
    assert bench.tapped == ["first", "second"]


@scenario
async def test_after_the_end_of_a_tap_what_still_comes_is_kept():
    bench, held = held_bench()
    bench.engine.set_tap(True)
    await held.begun()
    bench.engine.set_tap(False)
    held.release("item")
    await turns()
    assert bench.tapped == []
    assert len(held.calls) == 1
    assert (await bench.ask(ReceiveData("plc"))).load() == "item"


@scenario
async def test_a_tap_survives_an_expected_error(monkeypatch):
    monkeypatch.setattr(receiving, "_ERROR_PAUSE", 0.0)
    bench, source = source_bench()
    bench.engine.set_tap(True)
    source.put(ConnectorError("checksum"), "item")
    await bench.until(lambda: bench.tapped)
    assert bench.tapped == ["item"]
    assert bench.crashes == []


# ---- disconnecting -----------------------------------------------------------------------


@scenario
async def test_a_disconnect_ends_the_system_s_call_first():
    bench, held = held_bench()
    ref = bench.submit(ReceiveData("plc", wait=FOREVER))
    await held.begun()
    await bench.ask(DisconnectSystem("plc"))
    assert bench.system.log == [
        ("begin", "receive"),
        ("end", "receive"),
        ("begin", "disconnect"),
        ("end", "disconnect"),
    ]
    assert (await bench.answer(ref)).code is FailureCode.NOT_CONNECTED


@scenario
async def test_receiving_works_again_after_a_reconnect():
    bench, source = source_bench()
    bench.submit(ReceiveData("plc", wait=FOREVER))
    await turns()
    await bench.ask(DisconnectSystem("plc"))
    await bench.ask(ConnectSystem("plc"))
    source.put("item")
    assert isinstance(await bench.ask(ReceiveData("plc", wait=FOREVER)), DataReceived)


@scenario
async def test_sends_go_while_items_come():
    bench, source = source_bench()
    bench.engine.set_tap(True)
    for n in range(5):
        source.put(n)
        await bench.ask(SendData("plc", n))
        assert (await bench.ask(CheckHealth("plc"))).healthy
    await bench.until(lambda: len(bench.tapped) == 5)
    assert bench.tapped == list(range(5))


@scenario
async def test_a_receive_asked_for_right_behind_a_disconnect_does_not_end_receiving():
    bench, source = source_bench()
    bench.submit(DisconnectSystem("plc"))
    early = bench.submit(ReceiveData("plc", wait=FOREVER))
    assert (await bench.answer(early)).code is FailureCode.NOT_CONNECTED
    await bench.ask(ConnectSystem("plc"))
    source.put("item")
    assert (await bench.ask(ReceiveData("plc", wait=FOREVER))).load() == "item"


@scenario
async def test_who_comes_during_a_disconnect_waits_for_its_end():
    bench, _ = source_bench()
    bench.system.on["disconnect"] = disconnecting = Held()
    disconnect = bench.submit(DisconnectSystem("plc"))
    await disconnecting.begun()
    ref = bench.submit(ReceiveData("plc", wait=FOREVER))
    bench.engine.set_tap(True)
    await turns()
    assert bench.system.begun("receive") == []
    disconnecting.release()
    await bench.answer(disconnect)
    assert (await bench.answer(ref)).code is FailureCode.NOT_CONNECTED


@pytest.mark.parametrize("result", [False, ConnectorError("cannot")])
@scenario
async def test_receiving_goes_on_after_a_disconnect_that_failed(result):
    bench, source = source_bench()
    bench.engine.set_tap(True)
    bench.system.on["disconnect"] = disconnecting = Held()
    disconnect = bench.submit(DisconnectSystem("plc"))
    await disconnecting.begun()
    disconnecting.release(result)
    assert (await bench.answer(disconnect)).code is FailureCode.CONNECTOR_ERROR
    source.put("item")
    await bench.until(lambda: bench.tapped)


@scenario
async def test_receiving_goes_on_after_a_disconnect_that_was_forgotten():
    bench, source = source_bench()
    bench.system.on["disconnect"] = disconnecting = Held()
    disconnect = bench.submit(DisconnectSystem("plc"))
    await disconnecting.begun()
    ref = bench.submit(ReceiveData("plc", wait=FOREVER))
    bench.forget(disconnect)
    source.put("item")
    assert (await bench.answer(ref)).load() == "item"


@scenario
async def test_a_receive_waits_for_a_connect_under_way():
    system = Puppet(connected=False)
    source, connecting = Source(), Held()
    system.on["receive"], system.on["connect"] = source, connecting
    bench = Bench(system)
    bench.submit(ConnectSystem("plc"))
    receive = bench.submit(ReceiveData("plc", wait=FOREVER))
    await connecting.begun()
    source.put("item")
    assert not bench.is_answered(receive)
    connecting.release()
    assert (await bench.answer(receive)).load() == "item"


@scenario
async def test_a_receive_that_waits_for_a_connect_is_answered_when_it_fails():
    system = Puppet(connected=False)
    connecting = Held()
    system.on["connect"] = connecting
    bench = Bench(system)
    bench.submit(ConnectSystem("plc"))
    receive = bench.submit(ReceiveData("plc", wait=FOREVER))
    await connecting.begun()
    connecting.release(ConnectionRefusedError("no"))
    assert (await bench.answer(receive)).code == "not_connected"


@scenario
async def test_items_from_before_a_loss_are_still_received():
    system = Puppet()
    source = Source()
    system.on["receive"] = source
    bench = Bench(system)
    first = bench.submit(ReceiveData("plc"))
    source.put("one")
    assert (await bench.answer(first)).load() == "one"
    system.is_connected = False
    source.put("two", None)
    assert (await bench.ask(ReceiveData("plc"))).load() == "two"
    assert (await bench.ask(ReceiveData("plc"))).code == "not_connected"
    assert (await bench.ask(ReceiveData("plc"))).code == "not_connected"
    assert len(system.begun("receive")) == 3
