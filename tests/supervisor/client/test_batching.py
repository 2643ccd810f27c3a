"""What is put together into one request, and what is not."""

import asyncio

import pytest

from actors.messages import DataSent, FailureCode, ManySent, SendData, SendMany
from actors.messages.limits import DELIVERY_BYTES, DELIVERY_ITEMS
from supervisor.client.batching import SendBatcher


class Asked:
    """The requests a batcher made, in order, and how to answer them."""

    def __init__(self):
        self.requests, self._on_part = [], []

    def __call__(self, request, on_part, size):
        self.requests.append(request)
        self._on_part.append(on_part)

    def answer(self, number, *results, final=True):
        request = self.requests[number]
        if isinstance(request, SendData):
            reply: DataSent | ManySent = DataSent(request_id=request.request_id, system_name="plc")
        else:
            reply = ManySent(
                request_id=request.request_id, system_name="plc", results=results, final=final
            )
        self._on_part[number](reply)

    def fail(self, number):
        failure = self.requests[number].failure(FailureCode.OVERLOADED, "too much")
        self._on_part[number](failure)
        return failure


@pytest.fixture
def asked():
    return Asked()


def run(work):
    asyncio.run(asyncio.wait_for(work, 10))


def test_a_lone_item_goes_at_once_and_alone(asked):
    async def work():
        batcher = SendBatcher("plc", asked)
        for number in range(3):
            future = batcher.send(number, 8)
            assert [each.data for each in asked.requests] == list(range(number + 1))
            asked.answer(number)
            assert await future is True

    run(work())


def test_what_is_sent_while_an_item_is_under_way_goes_together_in_order(asked):
    async def work():
        batcher = SendBatcher("plc", asked)
        futures = [batcher.send(number, 8) for number in range(5)]
        assert len(asked.requests) == 1
        await asyncio.sleep(0)
        [first, rest] = asked.requests
        assert (type(first), first.data) == (SendData, 0)
        assert (type(rest), rest.items) == (SendMany, (1, 2, 3, 4))
        asked.answer(0)
        asked.answer(1, True, False, final=False)
        asked.answer(1, True, True)
        assert await asyncio.gather(*futures) == [True, True, False, True, True]

    run(work())


@pytest.mark.parametrize("fails", [False, True])
def test_the_next_goes_alone_again_when_nothing_is_under_way_any_more(asked, fails):
    async def work():
        batcher = SendBatcher("plc", asked)
        futures = [batcher.send(number, 8) for number in range(2)]
        await asyncio.sleep(0)
        if fails:
            failures = [asked.fail(0), asked.fail(1)]
            assert await asyncio.gather(*futures) == failures
        else:
            asked.answer(1, True)
            asked.answer(0)
        batcher.send("next", 8)
        assert isinstance(asked.requests[2], SendData)

    run(work())


def test_a_part_of_an_answer_leaves_the_rest_under_way(asked):
    async def work():
        batcher = SendBatcher("plc", asked)
        for number in range(3):
            batcher.send(number, 8)
        await asyncio.sleep(0)
        asked.answer(0)
        asked.answer(1, True, final=False)
        batcher.send("next", 8)
        assert len(asked.requests) == 2
        await asyncio.sleep(0)
        assert isinstance(asked.requests[2], SendMany)

    run(work())


def test_a_sender_that_left_costs_the_others_nothing(asked):
    async def work():
        batcher = SendBatcher("plc", asked)
        first, second, third = (batcher.send(number, 8) for number in range(3))
        await asyncio.sleep(0)
        first.cancel()
        second.cancel()
        asked.answer(0)
        asked.answer(1, True, True)
        assert await third is True

    run(work())


def test_what_one_caller_sends_together_goes_together_behind_what_was_added(asked):
    async def work():
        batcher = SendBatcher("plc", asked)
        futures = [batcher.send(0, 8)]
        many = asyncio.ensure_future(batcher.send_many([(number, 8) for number in (2, 3, 4)]))
        futures.append(batcher.send(1, 8))  # before that task runs, and not flushed by then
        await asyncio.sleep(0)
        assert [each.items for each in asked.requests[1:]] == [(1,), (2, 3, 4)]
        asked.answer(0)
        asked.answer(1, True)
        asked.answer(2, True, final=False)
        asked.answer(2, False, True)
        assert await asyncio.gather(*futures) == [True, True]
        assert await many == [True, False, True]

    run(work())


def test_one_item_of_a_caller_goes_as_any_other_and_none_at_all_goes_nowhere(asked):
    async def work():
        batcher = SendBatcher("plc", asked)
        assert await batcher.send_many([]) == []
        one = asyncio.ensure_future(batcher.send_many([("x", 8)]))
        await asyncio.sleep(0)
        [request] = asked.requests
        assert isinstance(request, SendData)
        asked.answer(0)
        assert await one == [True]

    run(work())


def test_many_items_go_as_several_requests_of_which_each_is_answered_for_itself(asked):
    async def work():
        batcher = SendBatcher("plc", asked)
        sizes = [8] * DELIVERY_ITEMS + [8, DELIVERY_BYTES, 8, 8, DELIVERY_BYTES - 16, 8]
        many = asyncio.ensure_future(batcher.send_many(list(enumerate(sizes))))
        await asyncio.sleep(0)
        assert [len(each.items) for each in asked.requests] == [DELIVERY_ITEMS, 1, 1, 3, 1]
        assert [item for each in asked.requests for item in each.items] == list(range(len(sizes)))
        asked.answer(0, *(True,) * 400, final=False)
        failures = [asked.fail(number) for number in (1, 2, 0)]
        asked.answer(3, True, True, True)
        asked.answer(4, True)
        known = [True] * 400 + failures[2:] * (DELIVERY_ITEMS - 400)
        assert await many == [*known, *failures[:2], True, True, True, True]

    run(work())


def test_a_caller_that_left_takes_nothing_back_of_what_it_sent_together(asked):
    async def work():
        batcher = SendBatcher("plc", asked)
        many = asyncio.ensure_future(batcher.send_many([(1, 8), (2, 8)]))
        await asyncio.sleep(0)
        many.cancel()
        await asyncio.wait([many])
        assert many.cancelled()
        asked.answer(0, True, True)
        batcher.send("next", 8)
        assert isinstance(asked.requests[1], SendData)

    run(work())


def test_a_request_names_the_system_and_is_answered_as_its_items_are_taken(asked):
    async def work():
        batcher = SendBatcher("plc", asked)
        for number in range(3):
            batcher.send(number, 8)
        batcher.flush()
        assert [each.system_name for each in asked.requests] == ["plc", "plc"]
        assert asked.requests[1].stream

    run(work())


def test_items_that_are_many_or_large_enough_together_do_not_wait_for_the_end_of_the_turn(asked):
    async def work():
        batcher = SendBatcher("plc", asked)
        batcher.send("alone", 8)
        for _ in range(2):
            before = len(asked.requests)
            batcher.send("x", DELIVERY_BYTES // 2)
            batcher.send("y", DELIVERY_BYTES // 2 - 1)
            assert len(asked.requests) == before, "one byte is missing"
            batcher.send("z", 1)
            assert asked.requests[before].items == ("x", "y", "z")
        before = len(asked.requests)
        for number in range(DELIVERY_ITEMS):
            assert len(asked.requests) == before
            batcher.send(number, 0)
        assert asked.requests[before].items == tuple(range(DELIVERY_ITEMS))

    run(work())


@pytest.mark.parametrize(
    ("size", "goes_alone"), [(DELIVERY_BYTES, True), (DELIVERY_BYTES - 1, False)]
)
def test_an_item_that_fills_a_request_goes_alone(asked, size, goes_alone):
    async def work():
        batcher = SendBatcher("plc", asked)
        batcher.send("first", 8)
        batcher.send("small", 8)
        batcher.send("large", size)
        items = [each.items for each in asked.requests[1:]]
        assert items == ([("small",), ("large",)] if goes_alone else [("small", "large")])

    run(work())


def test_what_one_caller_sends_together_has_its_results_when_all_are_known(asked):
    async def work():
        batcher = SendBatcher("plc", asked)
        many = asyncio.ensure_future(batcher.send_many([(1, 8), (2, 8)]))
        await asyncio.sleep(0)
        asked.answer(0, True, final=False)
        for _ in range(3):
            await asyncio.sleep(0)
        assert not many.done()
        asked.answer(0, False)
        assert await many == [True, False]

    run(work())


@pytest.mark.parametrize(
    ("sizes", "parts"),
    [
        ([DELIVERY_BYTES, 8, 8], [1, 2]),
        ([8, DELIVERY_BYTES, 8, 8], [1, 1, 2]),
        ([8, DELIVERY_BYTES - 9, 8], [3]),
        ([DELIVERY_BYTES, 8, DELIVERY_BYTES - 9, 8, 8], [1, 3, 1]),
        ([8, DELIVERY_BYTES, 8, DELIVERY_BYTES - 9, 8, 8], [1, 1, 3, 1]),
    ],
)
def test_items_are_cut_into_requests_that_end_where_they_are_full(asked, sizes, parts):
    async def work():
        batcher = SendBatcher("plc", asked)
        many = asyncio.ensure_future(batcher.send_many(list(enumerate(sizes))))
        await asyncio.sleep(0)
        assert [len(each.items) for each in asked.requests] == parts
        many.cancel()
        await asyncio.wait([many])

    run(work())
