"""An answer may be as long as a request: above that its own caller gets the failure."""

import pytest

from actors.errors import ConnectorError, describe
from actors.messages import CallCommand, ManyReceived, Reason, ReceiveData, ReceiveMany, SendData
from actors.system_actor.engine import Engine
from tests.helpers.bench import Bench, BulkPuppet, Puppet, Source, scenario, turns

LIMIT = 1000


def small_bench(system):
    bench = Bench(system)
    bench.engine = Engine(system, bench.to_supervisor, bench._crash, LIMIT)
    system.on["receive"] = source = Source()
    return bench, source


@scenario
async def test_an_item_that_is_too_long_is_a_failure_and_the_next_one_comes():
    bench, source = small_bench(Puppet())
    source.put(bytes(LIMIT + 1), bytes(LIMIT))
    failure = await bench.ask(ReceiveData("plc"))
    assert failure.code == "connector_error"
    assert "more than max_payload_bytes (1,000)" in failure.text
    assert (await bench.ask(ReceiveData("plc"))).load() == bytes(LIMIT)


@scenario
async def test_what_a_command_gives_is_limited_in_the_same_way():
    bench, _ = small_bench(Puppet())
    failure = await bench.ask(CallCommand("plc", "call", (bytes(LIMIT),)))
    assert (failure.code, failure.outcome) == ("connector_error", "unknown")
    assert "was carried out, but its result is lost" in failure.text


@scenario
async def test_many_items_are_together_no_longer_than_one_may_be():
    bench, source = small_bench(Puppet())
    source.put(*[bytes(400)] * 5)
    replies = [await bench.ask(ReceiveMany("plc", 5)) for _ in range(3)]
    assert [len(reply.items) for reply in replies] == [2, 2, 1]


@scenario
async def test_a_bulk_receive_gives_the_rest_to_the_next():
    bench, _ = small_bench(BulkPuppet())

    async def many(max_items, timeout):
        bench.system.on.pop("receive_many")
        return [bytes(400)] * 5

    bench.system.on["receive_many"] = many
    replies = [await bench.ask(ReceiveMany("plc", 5, 1.0)) for _ in range(3)]
    assert [len(reply.items) for reply in replies] == [2, 2, 1]


@scenario
async def test_what_is_for_subscribers_leaves_in_bounded_reports():
    bench, source = small_bench(Puppet())
    bench.engine._max_payload_bytes = bench.engine._receiver._max_payload_bytes = 1 << 20
    source.put(*[bytes(600_000)] * 6)
    bench.engine.set_tap(True)
    await bench.until(lambda: len(bench.tapped) == 6)
    assert max(len(report.tapped) for report in bench.reports) == 2


@scenario
async def test_answers_of_one_turn_leave_in_bounded_reports():
    system = Puppet()
    bench = Bench(system)
    bench.engine.take_back((bytes(600_000),) * 4)
    refs = [bench.submit(ReceiveData("plc")) for _ in range(4)]
    refs.append(bench.submit(SendData("plc", b"")))
    for ref in refs:
        await bench.answer(ref)
    await turns()
    assert max(len(report.replies) for report in bench.reports) <= 2 + 1
    assert isinstance(await bench.ask(ReceiveMany("plc", 1, 0.0)), ManyReceived)


@pytest.mark.parametrize("text", ["x" * 10_000_000])
def test_what_an_exception_says_is_cut(text):
    error = ConnectorError(text)
    assert len(describe(error)) < 3000
    assert "9,998,000 characters left out" in describe(error)
    assert len(Reason.of(error).traceback) < 70_000
