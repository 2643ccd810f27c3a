"""Receiving: every item is given exactly once, in order, and to nobody who has left."""

import threading

from actors import ConnectorError
from actors.messages import (
    ConnectSystem,
    DisconnectSystem,
    FailureCode,
    ManyReceived,
    NothingReceived,
    Outcome,
    ReceiveData,
    ReceiveMany,
)
from actors.system_actor import receiving
from tests.helpers.bench import (
    FOREVER,
    Bench,
    BulkPuppet,
    Held,
    Puppet,
    held_bench,
    scenario,
    source_bench,
    turns,
)

# ---- one item --------------------------------------------------------------------------


@scenario
async def test_an_item_goes_to_who_waits_longest():
    bench, source = source_bench()
    refs = [bench.submit(ReceiveData("plc", wait=FOREVER)) for _ in range(3)]
    source.put("a", ["b"], "c")
    assert [(await bench.answer(ref)).load() for ref in refs] == ["a", ["b"], "c"]
    assert bench.answer_order == refs


@scenario
async def test_there_is_one_call_of_the_system_at_a_time():
    bench, held = held_bench()
    refs = [bench.submit(ReceiveData("plc", wait=FOREVER)) for _ in range(2)]
    for n, ref in enumerate(refs):
        await held.begun(n + 1)
        await turns()
        assert len(held.calls) == n + 1
        held.release(n)
        assert (await bench.answer(ref)).load() == n
    await turns()
    assert len(held.calls) == 2


@scenario
async def test_nothing_is_received_before_anybody_wants_it():
    bench, held = held_bench(Puppet(connected=False))
    await bench.ask(ConnectSystem("plc"))
    await turns()
    assert held.calls == []


@scenario
async def test_without_a_wait_a_receive_ends_with_the_system_s_own_call():
    bench, held = held_bench()
    ref = bench.submit(ReceiveData("plc"))
    await held.begun()
    held.release(None)
    assert isinstance(await bench.answer(ref), NothingReceived)


@scenario
async def test_who_came_during_a_call_waits_for_one_whole_call():
    bench, held = held_bench()
    first = bench.submit(ReceiveData("plc"))
    await held.begun()
    second = bench.submit(ReceiveData("plc"))
    held.release(None)
    assert isinstance(await bench.answer(first), NothingReceived)
    await held.begun(2)
    assert not bench.is_answered(second)
    held.release("item")
    assert (await bench.answer(second)).load() == "item"


@scenario
async def test_a_wait_longer_than_the_system_s_call_goes_on_in_the_next(monkeypatch):
    monkeypatch.setattr(receiving, "_PAUSE", 0.0)
    bench, held = held_bench()
    ref = bench.submit(ReceiveData("plc", wait=FOREVER))
    await held.begun()
    held.release(None)
    await held.begun(2)
    held.release("item")
    assert (await bench.answer(ref)).load() == "item"


@scenario
async def test_an_item_that_is_there_is_given_also_without_patience():
    bench, source = source_bench()
    source.put("item")
    assert (await bench.ask(ReceiveData("plc", wait=0.0))).load() == "item"


@scenario
async def test_receiving_without_connection_fails():
    bench = Bench(Puppet(connected=False))
    for request in (ReceiveData("plc", wait=FOREVER), ReceiveMany("plc", 2)):
        failure = await bench.ask(request)
        assert (failure.code, failure.outcome) == (FailureCode.NOT_CONNECTED, Outcome.NOT_SENT)
    assert bench.system.begun("receive") == []


@scenario
async def test_who_waits_when_the_connection_is_lost_is_told():
    bench, held = held_bench()
    refs = [bench.submit(ReceiveData("plc", wait=FOREVER)) for _ in range(2)]
    await held.begun()
    bench.system.is_connected = False
    held.release(None)
    for ref in refs:
        assert (await bench.answer(ref)).code is FailureCode.NOT_CONNECTED


@scenario
async def test_an_expected_error_goes_to_the_first_who_waits():
    bench, held = held_bench()
    first, second = (bench.submit(ReceiveData("plc", wait=FOREVER)) for _ in range(2))
    await held.begun()
    held.release(ConnectorError("checksum"))
    assert (await bench.answer(first)).text == "plc: ConnectorError: checksum"
    await held.begun(2)
    held.release("item")
    assert (await bench.answer(second)).load() == "item"
    assert bench.crashes == []


@scenario
async def test_an_item_that_cannot_be_pickled_is_an_answer_that_says_so():
    bench, source = source_bench()
    ref = bench.submit(ReceiveData("plc", wait=FOREVER))
    source.put(threading.Lock(), "next")
    failure = await bench.answer(ref)
    assert failure.code is FailureCode.CONNECTOR_ERROR
    assert "received an item, but lock cannot be sent" in failure.text
    assert (await bench.ask(ReceiveData("plc", wait=FOREVER))).load() == "next"
    assert bench.crashes == []


@scenario
async def test_a_system_that_returns_nothing_at_once_is_not_called_in_a_circle():
    system = Puppet()

    async def nothing():
        return None

    system.on["receive"] = nothing
    bench = Bench(system)
    waiting = bench.submit(ReceiveData("plc", wait=FOREVER))
    await turns(1000)
    assert len(system.begun("receive")) < 10
    assert not bench.is_answered(waiting)


# ---- callers who leave -------------------------------------------------------------------


@scenario
async def test_what_comes_after_the_wait_is_kept_for_the_next():
    bench, held = held_bench()
    assert isinstance(await bench.ask(ReceiveData("plc", wait=0.0)), NothingReceived)
    assert len(held.waiting) == 1
    held.release("late")
    await turns()
    assert (await bench.ask(ReceiveData("plc", wait=0.0))).load() == "late"
    assert len(held.calls) == 1


@scenario
async def test_what_comes_for_a_forgotten_receive_is_kept_for_the_next():
    bench, held = held_bench()
    gone = bench.submit(ReceiveData("plc", wait=FOREVER))
    await held.begun()
    bench.forget(gone)
    following = bench.submit(ReceiveData("plc", wait=FOREVER))
    await turns()
    assert len(held.calls) == 1
    held.release("item")
    assert (await bench.answer(following)).load() == "item"
    assert bench.replies[gone] == []


@scenario
async def test_what_a_forgotten_receive_had_gathered_goes_to_the_next_in_order(long_linger):
    bench, source = source_bench()
    gone = bench.submit(ReceiveMany("plc", 10, wait=FOREVER))
    source.put(1, 2)
    await turns()
    bench.forget(gone)
    source.put(3)
    received = await bench.ask(ReceiveMany("plc", 3, wait=FOREVER))
    assert received.load() == [1, 2, 3]
    assert bench.replies[gone] == []


@scenario
async def test_what_is_kept_is_given_also_without_connection():
    bench, held = held_bench()
    gone = bench.submit(ReceiveData("plc", wait=FOREVER))
    await held.begun()
    bench.forget(gone)
    held.release("late")
    await turns()
    await bench.ask(DisconnectSystem("plc"))
    assert (await bench.ask(ReceiveData("plc"))).load() == "late"
    assert (await bench.ask(ReceiveData("plc"))).code is FailureCode.NOT_CONNECTED


@scenario
async def test_items_taken_back_are_handed_out_first_and_in_order():
    bench, source = source_bench()
    source.put("new")
    bench.engine.take_back((1, 2))
    bench.engine.take_back((0,))
    answers = [await bench.ask(ReceiveData("plc", wait=FOREVER)) for _ in range(4)]
    assert [answer.load() for answer in answers] == [0, 1, 2, "new"]


@scenario
async def test_an_item_taken_back_goes_to_who_waits():
    bench, _ = source_bench()
    ref = bench.submit(ReceiveData("plc", wait=FOREVER))
    await turns()
    bench.engine.take_back(("item",))
    assert (await bench.answer(ref)).load() == "item"


# ---- many items --------------------------------------------------------------------------


@scenario
async def test_many_end_when_all_have_come(long_linger):
    bench, source = source_bench()
    source.put(1, 2, 3)
    assert (await bench.ask(ReceiveMany("plc", 2, wait=FOREVER))).load() == [1, 2]
    assert (await bench.ask(ReceiveData("plc", wait=FOREVER))).load() == 3


@scenario
async def test_many_end_soon_after_the_last_that_came(no_linger):
    bench, source = source_bench()
    source.put(1)
    assert (await bench.ask(ReceiveMany("plc", 5, wait=FOREVER))).load() == [1]


@scenario
async def test_many_end_when_the_system_says_that_nothing_more_came(long_linger):
    bench, source = source_bench()
    source.put(1, 2, None)
    assert (await bench.ask(ReceiveMany("plc", 5, wait=FOREVER))).load() == [1, 2]


@scenario
async def test_many_may_be_none():
    bench, _ = source_bench()
    answer = await bench.ask(ReceiveMany("plc", 5, wait=0.0))
    assert isinstance(answer, ManyReceived)
    assert answer.items == ()


@scenario
async def test_an_error_after_some_items_leaves_them_an_answer(long_linger):
    bench, source = source_bench()
    source.put(1, 2, ConnectorError("then this"))
    assert (await bench.ask(ReceiveMany("plc", 5, wait=FOREVER))).load() == [1, 2]


@scenario
async def test_the_bulk_operation_of_a_system_is_used_for_many():
    system = BulkPuppet()
    system.on["receive_many"] = held = Held()
    bench = Bench(system)
    ref = bench.submit(ReceiveMany("plc", 3, wait=7.0))
    await held.begun()
    held.release([1, 2, 3])
    assert (await bench.answer(ref)).load() == [1, 2, 3]
    assert held.calls == [(3, 7.0)]


@scenario
async def test_what_a_bulk_operation_gives_too_much_is_kept():
    system = BulkPuppet()
    system.on["receive_many"] = held = Held()
    bench = Bench(system)
    ref = bench.submit(ReceiveMany("plc", 1, wait=FOREVER))
    await held.begun()
    held.release([1, 2])
    assert (await bench.answer(ref)).load() == [1]
    assert (await bench.ask(ReceiveData("plc", wait=FOREVER))).load() == 2
