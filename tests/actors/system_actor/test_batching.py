"""Sends that wait go out with one call of a bulk operation, each with its own result."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import ConnectorError, ItemRefusedError, NotSentError
from actors.delivery import Delivery, current_deliveries
from actors.messages import (
    DataSent,
    DisconnectSystem,
    Failure,
    FailureCode,
    ManySent,
    Outcome,
    QueryAnswered,
    QueryData,
    SendData,
    SendMany,
    SystemDisconnected,
)
from actors.payload import Payload
from actors.resilience.batch import Batch
from actors.resilience.policy import Policy
from actors.resilience.rate_limit import RateLimit
from tests.helpers.bench import Bench, BulkPuppet, Held, scenario, turns

UNREADABLE = Payload(encoded=b"no pickle")


def bench(system: Any = None, rate_limit: RateLimit | None = None, **batch: Any) -> Bench:
    return Bench(system or BulkPuppet(), Policy(batch=Batch(**batch), rate_limit=rate_limit))


def calls(bench: Bench) -> list[Any]:
    """What went out, in order: an item, or the items of one call."""
    log = bench.system.log
    return [entry[2] for entry in log if entry[0] == "begin" and entry[1] in ("send", "send_many")]


def now() -> float:
    """To a hundredth: each turn of this loop takes a little."""
    return round(asyncio.get_running_loop().time(), 2)


def failed(reply: Any) -> tuple[FailureCode, Outcome]:
    assert isinstance(reply, Failure)
    return reply.code, reply.outcome


# ---- what goes together -----------------------------------------------------------------


@scenario
async def test_sends_that_wait_go_out_with_one_call_and_each_is_answered():
    at = bench()
    refs = [at.submit(SendData("plc", n)) for n in range(5)]
    answers = [await at.answer(ref) for ref in refs]
    assert calls(at) == [(0, 1, 2, 3, 4)]
    assert all(isinstance(each, DataSent) for each in answers)
    assert len({each.request_id for each in answers}) == 5


@scenario
async def test_one_that_is_alone_goes_alone_and_at_once():
    at = bench()
    began = now()
    assert isinstance(await at.ask(SendData("plc", "x")), DataSent)
    assert isinstance(await at.ask(SendMany("plc", ["y"])), ManySent)
    assert calls(at) == ["x", ("y",)]
    assert now() == began


@scenario
async def test_what_comes_while_a_call_is_under_way_goes_with_the_next():
    system = BulkPuppet()
    system.on["send"] = held = Held()
    at = bench(system)
    first = at.submit(SendData("plc", 0))
    await held.begun()
    refs = [at.submit(SendData("plc", n)) for n in range(1, 4)]
    refs.append(at.submit(SendMany("plc", [4, 5])))
    held.release()
    for ref in (first, *refs):
        await at.answer(ref)
    assert calls(at) == [0, (1, 2, 3, 4, 5)]
    assert at.results(refs[-1]) == [True, True]


@scenario
async def test_no_call_has_more_items_or_bytes_than_are_allowed():
    at = bench(max_items=3, max_bytes=10)
    refs = [at.submit(SendData("plc", b"1")) for _ in range(4)]
    refs += [at.submit(SendData("plc", bytes(8))) for _ in range(2)]
    refs += [at.submit(SendData("plc", bytes(100)))]
    refs += [at.submit(SendMany("plc", [b"a"] * 7))]
    for ref in refs:
        await at.answer(ref)
    assert [len(call) if isinstance(call, tuple) else 1 for call in calls(at)] == [
        *(3, 2, 1, 1),
        *(3, 3, 1),
    ]
    assert at.results(refs[-1]) == [True] * 7


@scenario
async def test_questions_and_disconnects_keep_their_place_among_sends():
    system = BulkPuppet()
    system.on["receive"] = answered = Held()
    at = bench(system)
    refs = [at.submit(SendData("plc", "a")), at.submit(SendData("plc", "b"))]
    asked = at.submit(QueryData("plc", "?"))
    refs += [at.submit(SendData("plc", "c")), at.submit(SendData("plc", "d"))]
    gone = at.submit(DisconnectSystem("plc"))
    refs += [at.submit(SendData("plc", "e"))]
    await answered.begun()
    while not at.is_answered(asked):
        for _ in answered.waiting:
            answered.release("answer" if "?" in calls(at) else None)
        await turns()
    assert isinstance(await at.answer(asked), QueryAnswered)
    assert isinstance(await at.answer(gone), SystemDisconnected)
    assert failed(await at.answer(refs[-1])) == (FailureCode.NOT_CONNECTED, Outcome.NOT_SENT)
    assert calls(at) == [("a", "b"), "?", ("c", "d")]


@scenario
async def test_what_comes_out_of_an_outbox_is_not_put_together_with_others():
    seen = []
    system = BulkPuppet()

    async def send_many(items: Any) -> list[bool]:
        seen.append((items, tuple(each.id for each in current_deliveries())))
        return [item != "bad" for item in items]

    system.on["send_many"] = send_many
    at = bench(system, max_items=2)
    own = [Delivery(str(n), 1, 0.0) for n in range(5)]
    refs = [at.submit(SendData("plc", "x"))]
    items = ["a", UNREADABLE, "b", "bad", "c"]
    refs += [at.submit(SendMany("plc", items, until_failure=False, deliveries=tuple(own)))]
    refs += [at.submit(SendMany("plc", ["a", "bad", "b"], until_failure=True))]
    refs += [at.submit(SendData("plc", "y")), at.submit(SendData("plc", "z"))]
    for ref in refs:
        await at.answer(ref)
    assert seen == [
        (("a",), ("0",)),
        (("b", "bad"), ("2", "3")),
        (("c",), ("4",)),
        (("a", "bad"), ()),
        (("y", "z"), ()),
    ]
    assert [failed(each)[0] for each in at.results(refs[2])[1:]] == [
        FailureCode.CONNECTOR_ERROR,
        FailureCode.NOT_TRIED,
    ]


@scenario
async def test_a_rate_limit_cuts_calls_further():
    at = bench(max_items=3, rate_limit=RateLimit(rate=1000, burst=2))
    refs = [at.submit(SendData("plc", n)) for n in range(4)]
    for ref in refs:
        assert isinstance(await at.answer(ref), DataSent)
    assert calls(at) == [(0, 1), (2,), 3]


# ---- each its own result ----------------------------------------------------------------


@scenario
async def test_each_has_its_own_result_and_none_that_of_another():
    system = BulkPuppet()

    async def send_many(items: Any) -> list[Any]:
        return [ItemRefusedError("bad") if item == "bad" else item != "no" for item in items]

    system.on["send_many"] = send_many
    at = bench(system)
    requests = [
        SendData("plc", "a"),
        SendData("plc", "bad"),
        SendMany("plc", ["b", "no", "c"]),
        SendData("plc", UNREADABLE),
        SendData("plc", "d"),
    ]
    refs = [at.submit(request) for request in requests]
    a, bad, many, unreadable, d = [await at.answer(ref) for ref in refs]
    assert isinstance(a, DataSent)
    assert isinstance(d, DataSent)
    assert failed(bad) == (FailureCode.ITEM_REFUSED, Outcome.NOT_SENT)
    assert failed(unreadable) == (FailureCode.INVALID_REQUEST, Outcome.NOT_SENT)
    assert many.final
    assert [each if each is True else failed(each)[1] for each in many.results] == [
        True,
        Outcome.NOT_SENT,
        True,
    ]
    assert [each.request_id for each in (bad, unreadable, many.results[1])] == [
        requests[n].request_id for n in (1, 3, 2)
    ]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(ConnectorError("lost"), Outcome.UNKNOWN), (NotSentError("no"), Outcome.NOT_SENT)],
)
def test_an_error_of_the_call_is_that_of_each(error, outcome):
    @scenario
    async def test():
        system = BulkPuppet()
        system.on["send_many"] = held = Held()
        at = bench(system)
        refs = [at.submit(SendData("plc", n)) for n in range(3)]
        await held.begun()
        held.release(error)
        for ref in refs:
            assert failed(await at.answer(ref)) == (FailureCode.CONNECTOR_ERROR, outcome)

    test()


# ---- lingering --------------------------------------------------------------------------


@scenario
async def test_the_first_waits_for_more_but_not_longer_than_it_is_to_linger():
    at = bench(linger=0.5)
    began = now()
    refs = [at.submit(SendData("plc", 0))]
    await asyncio.sleep(0.3)
    refs.append(at.submit(SendData("plc", 1)))
    assert calls(at) == []
    for ref in refs:
        await at.answer(ref)
    assert calls(at) == [(0, 1)]
    assert now() - began == 0.5


@scenario
async def test_time_in_line_counts_as_lingering():
    system = BulkPuppet()
    system.on["send"] = held = Held()
    at = bench(system, linger=0.5)
    first = at.submit(SendData("plc", 0))
    await held.begun()
    second = at.submit(SendData("plc", 1))
    await asyncio.sleep(0.5)
    at.submit(SendData("plc", 2))
    before = now()
    held.release()
    await at.answer(first)
    await at.answer(second)
    assert now() == before
    assert calls(at) == [0, (1, 2)]


@scenario
async def test_what_is_full_goes_at_once():
    at = bench(linger=1.5, max_items=3)
    began = now()
    refs = [at.submit(SendData("plc", n)) for n in range(2)]
    await turns()
    refs.append(at.submit(SendData("plc", 2)))
    for ref in refs:
        await at.answer(ref)
    assert calls(at) == [(0, 1, 2)]
    assert now() == began


@pytest.mark.parametrize("other", [QueryData("plc", "?"), DisconnectSystem("plc")])
def test_nothing_waits_for_more_while_something_else_waits_for_it(other):
    @scenario
    async def test():
        at = bench(linger=1.5)
        began = now()
        ref = at.submit(SendData("plc", 0))
        await turns()
        at.submit(other)
        await at.answer(ref)
        assert now() == began

    test()


@scenario
async def test_nothing_waits_for_more_without_a_connection_or_before_an_end():
    at = bench(BulkPuppet(connected=False), linger=1.5)
    began = now()
    assert failed(await at.ask(SendData("plc", 0))) == (
        FailureCode.NOT_CONNECTED,
        Outcome.NOT_SENT,
    )
    at = bench(linger=1.5)
    ref = at.submit(SendData("plc", 1))
    await turns()
    assert await at.engine.stop(1.0) is None
    assert isinstance(await at.answer(ref), DataSent)
    assert now() == began


# ---- who does not wait any more ---------------------------------------------------------


@scenario
async def test_what_nobody_waits_for_while_it_lingers_does_not_go_out():
    at = bench(linger=0.5)
    refs = [at.submit(SendData("plc", n)) for n in range(3)]
    await turns()
    at.forget(refs[0])
    assert isinstance(await at.answer(refs[1]), DataSent)
    assert calls(at) == [(1, 2)]
    alone = at.submit(SendData("plc", 9))
    await turns()
    at.forget(alone)
    assert isinstance(await at.ask(SendData("plc", 10)), DataSent)
    assert calls(at) == [(1, 2), 10]


@scenario
async def test_a_call_that_has_begun_is_cut_off_only_when_nobody_waits_for_any_of_it():
    system = BulkPuppet()
    system.on["send_many"] = held = Held()
    at = bench(system)
    refs = [at.submit(SendData("plc", n)) for n in range(3)]
    await held.begun()
    at.forget(refs[0], refs[1])
    await turns()
    assert held.waiting
    held.release([True] * 3)
    assert isinstance(await at.answer(refs[2]), DataSent)

    refs = [at.submit(SendData("plc", n)) for n in range(3)]
    await held.begun(2)
    at.forget(*refs)
    await turns()
    assert not held.waiting


@scenario
async def test_a_disconnect_cuts_off_all_of_a_call_that_does_not_end():
    system = BulkPuppet()
    system.on["send_many"] = held = Held()
    at = bench(system)
    requests = [SendData("plc", 0), SendMany("plc", [1, 2])]
    refs = [at.submit(request) for request in requests]
    await held.begun()
    gone = at.submit(DisconnectSystem("plc"))
    for ref, request in zip(refs, requests, strict=True):
        answer = await at.answer(ref)
        assert failed(answer) == (FailureCode.NOT_CONNECTED, Outcome.UNKNOWN)
        assert answer.request_id == request.request_id
    assert isinstance(await at.answer(gone), SystemDisconnected)


@scenario
async def test_a_stop_that_lasts_too_long_answers_all_of_a_call():
    system = BulkPuppet()

    is_over = asyncio.Event()

    async def stubborn(items: Any) -> list[bool]:
        while not is_over.is_set():
            try:
                await is_over.wait()
            except asyncio.CancelledError:
                pass
        return [True] * len(items)

    system.on["send_many"] = stubborn
    at = bench(system)
    refs = [at.submit(SendData("plc", n)) for n in range(2)]
    await turns()
    stopping = asyncio.create_task(at.engine.stop(0.5))
    for ref in refs:
        assert failed(await at.answer(ref)) == (FailureCode.UNAVAILABLE, Outcome.UNKNOWN)
    await stopping
    is_over.set()
    await turns()


@scenario
async def test_a_bug_in_a_call_is_a_crash_and_nobody_is_answered_twice():
    system = BulkPuppet()
    system.on["send_many"] = held = Held()
    at = bench(system)
    refs = [at.submit(SendData("plc", n)) for n in range(2)]
    await held.begun()
    held.release([True])
    reason = await at.crash()
    assert "gave 1 results for 2 items" in reason.text
    assert not any(at.is_answered(ref) for ref in refs)


# ---- whatever is asked ------------------------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.integers(1, 4),  # so many items in a SendMany
        st.sampled_from(["send", "turn", "sleep", "release"]),
    ),
    max_size=25,
)


@given(STEPS, st.integers(1, 4), st.sampled_from([0.0, 0.3]))
def test_all_goes_out_once_in_order_and_is_answered_whatever_is_put_together(
    steps, max_items, linger
):
    @scenario(cap=60)
    async def test():
        system = BulkPuppet()
        system.on["send"] = held = Held()
        system.on["send_many"] = many = Held()
        at = bench(system, max_items=max_items, linger=linger)
        asked: dict[int, list[int]] = {}
        number = 0

        def release() -> None:
            for _ in held.waiting:
                held.release(held.calls[-1][0] % 3 != 0)
            for _ in many.waiting:
                many.release([item % 3 != 0 for item in many.calls[-1][0]])

        for step in steps:
            if step == "send" or isinstance(step, int):
                count = 1 if step == "send" else step
                items = list(range(number, number + count))
                number += count
                request = SendData("plc", items[0]) if step == "send" else SendMany("plc", items)
                asked[at.submit(request)] = items
            elif step == "release":
                release()
            else:
                await (turns() if step == "turn" else asyncio.sleep(0.2))
        while not all(map(at.is_answered, asked)):
            release()
            await asyncio.sleep(0.1)
        went = calls(at)
        flat = [item for call in went for item in (call if isinstance(call, tuple) else (call,))]
        assert flat == list(range(number))
        assert all(len(call) <= max_items for call in went if isinstance(call, tuple))
        for ref, items in asked.items():
            last = at.replies[ref][-1]
            results = at.results(ref) if isinstance(last, ManySent) else [last]
            assert [not isinstance(each, Failure) for each in results] == [
                item % 3 != 0 for item in items
            ]

    test()
