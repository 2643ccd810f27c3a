"""What is sent for an outbox: one after the other up to the first failure, and the connector can
see which message it is."""

import asyncio

from actors import ConnectorError, Delivery, current_deliveries, current_delivery
from actors.messages import DataSent, Failure, FailureCode, Outcome, SendData, SendMany
from tests.helpers.bench import Bench, BulkPuppet, Puppet, scenario

FIRST, SECOND = Delivery("j-1", 1, 5.0), Delivery("j-2", 3, 6.0)


def codes(results):
    return [each if each is True else (each.code, each.outcome) for each in results]


@scenario
async def test_what_comes_after_a_failure_is_not_tried():
    system = Puppet()

    async def send(item):
        if item == 2:
            raise ConnectorError("bad item")
        return True

    system.on["send"] = send
    bench = Bench(system)
    ref = bench.submit(SendMany("plc", [1, 2, 3, 4], until_failure=True))
    assert (await bench.answer(ref)).final
    assert codes(bench.results(ref)) == [
        True,
        (FailureCode.CONNECTOR_ERROR, Outcome.UNKNOWN),
        (FailureCode.NOT_TRIED, Outcome.NOT_SENT),
        (FailureCode.NOT_TRIED, Outcome.NOT_SENT),
    ]
    assert system.begun("send") == [(1,), (2,)]


@scenario
async def test_a_connector_sees_which_message_of_an_outbox_it_sends():
    system = Puppet()
    seen = []

    async def send(item):
        await asyncio.sleep(0)
        seen.append((item, current_delivery()))
        return True

    system.on["send"] = send
    bench = Bench(system)
    ref = bench.submit(SendMany("plc", ["a", "b"], deliveries=(FIRST, SECOND)))
    await bench.answer(ref)
    assert isinstance(await bench.answer(bench.submit(SendData("plc", "c"))), DataSent)
    assert seen == [("a", FIRST), ("b", SECOND), ("c", None)]
    assert current_delivery() is None


@scenario
async def test_a_bulk_operation_sees_all_of_them():
    system = BulkPuppet()
    seen = []

    async def send_many(items):
        seen.append((tuple(items), current_deliveries()))
        return [True] * len(items)

    system.on["send_many"] = send_many
    bench = Bench(system)
    ref = bench.submit(SendMany("plc", ["a", "b"], until_failure=True, deliveries=(FIRST, SECOND)))
    assert not isinstance(await bench.answer(ref), Failure)
    assert seen == [(("a", "b"), (FIRST, SECOND))]
