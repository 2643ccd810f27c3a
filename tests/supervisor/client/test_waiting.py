"""What becomes of requests that are asked while there is no supervisor."""

import asyncio

import pytest

from actors.messages import FailureCode, ReceiveData, SendData
from supervisor.client import waiting
from supervisor.client.waiting import WaitingRequests


class Session:
    def __init__(self):
        self.asked = []
        self.waiting = WaitingRequests(lambda request, _: self.asked.append(request))
        self.heard = []

    def hold(self, request):
        self.waiting.hold(request, self.heard.append)
        return request


def run(work):
    async def main():
        await asyncio.wait_for(work(Session()), 10)

    asyncio.run(main())


def test_they_go_on_in_order_when_there_is_one_again():
    async def work(session):
        first, second = (session.hold(SendData("plc", number)) for number in (1, 2))
        task = asyncio.ensure_future(session.waiting.wait(SendData("plc", 3)))
        await asyncio.sleep(0)
        assert session.asked == []
        session.waiting.end()
        assert session.asked == [first, second]
        assert await task is None
        assert not session.waiting.is_needed

    run(work)


def test_one_that_nobody_waits_for_any_more_is_not_asked():
    async def work(session):
        request = session.hold(SendData("plc", 1))
        assert session.waiting.cancel(request.request_id)
        assert not session.waiting.cancel(request.request_id)
        session.waiting.end()
        assert session.asked == []

    run(work)


@pytest.mark.parametrize(
    ("request_", "patience"),
    [
        (SendData("plc", 1, timeout=0.01), 20.0),
        (ReceiveData("plc", 0.01), 20.0),
        (SendData("plc", 1), 0.01),
    ],
)
def test_none_waits_longer_than_its_own_time_or_a_recovery_may_take(
    request_, patience, monkeypatch
):
    monkeypatch.setattr(waiting, "RECOVERY_PATIENCE", patience)

    async def work(session):
        session.hold(request_)
        failure = await session.waiting.wait(request_)
        while not session.heard:
            await asyncio.sleep(0)
        assert session.heard == [failure]
        assert (failure.code, failure.outcome) == (FailureCode.UNAVAILABLE, "not_sent")
        session.waiting.end()
        assert session.asked == []

    run(work)


def test_one_that_was_let_go_on_may_find_that_the_next_have_to_wait():
    async def work(session):
        task = asyncio.ensure_future(session.waiting.wait(SendData("plc", 1)))
        await asyncio.sleep(0)
        session.waiting.end()
        session.waiting.begin()
        assert await task is None
        assert session.waiting.is_needed

    run(work)
