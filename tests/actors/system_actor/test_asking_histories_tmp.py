"""Whatever happens in whatever order, also while a question is being sent: its answer is its own,
and no item is lost or given twice."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors import ConnectorError, ExternalSystemInterface
from actors.messages import (
    ConnectSystem,
    DataReceived,
    DisconnectSystem,
    Failure,
    ManyReceived,
    Outcome,
    QueryAnswered,
    QueryData,
    ReceiveData,
    ReceiveMany,
    SendData,
)
from actors.payload import unwrap
from tests.helpers.bench import Bench, scenario, turns

FOREVER = 3600.0
CAP = 60.0

STEPS = st.one_of(
    st.tuples(st.just("query"), st.sampled_from([None, 0.0, 0.1, 0.3])),
    st.tuples(st.just("query"), st.sampled_from([None, 0.0, 0.1, 0.3])),
    st.tuples(st.just("answer"), st.integers(1, 3)),
    st.tuples(st.just("answer"), st.integers(1, 3)),
    st.tuples(st.just("lose_answer"), st.none()),
    st.tuples(st.just("come"), st.integers(1, 2)),
    st.tuples(st.just("receive"), st.sampled_from([None, 0.0, FOREVER])),
    st.tuples(st.just("receive_many"), st.integers(1, 3)),
    st.tuples(st.just("send"), st.none()),
    st.tuples(st.just("go_on"), st.sampled_from([True, True, True, False, None, "fails"])),
    st.tuples(st.just("go_on"), st.sampled_from([True, True, True, False, None, "fails"])),
    st.tuples(st.just("forget"), st.integers(0, 5)),
    st.tuples(st.just("disconnect"), st.none()),
    st.tuples(st.just("connect"), st.none()),
    st.tuples(st.just("lose_connection"), st.booleans()),
    st.tuples(st.just("refuse"), st.sampled_from(["connect", "disconnect"])),
    st.tuples(st.just("tap"), st.booleans()),
    st.tuples(st.just("turns"), st.integers(1, 8)),
    st.tuples(st.just("time"), st.sampled_from([0.05, 0.2, 1.5])),
)


class Device(ExternalSystemInterface):
    """Has what it is asked on its way, and what it says, for each connection.

    What comes is ``(kind, number)``: the answer to a question, or what was not asked for.
    """

    query_timeout = 0.2

    def __init__(self, polls):
        super().__init__("plc", {})
        self.is_connected = True
        self.polls = polls
        self.came = asyncio.Queue()
        self.asked = []
        """What it has not answered on this connection."""
        self.said = []
        self.lost = set()
        """What came on a connection that was closed before it was read."""
        self.sent = []
        self.taken = []
        """The questions that have gone out."""
        self.may_go_on = asyncio.Queue()
        self.is_free = False
        self.sending = False
        self.refuses = set()

    async def connect(self):
        await asyncio.sleep(0.01)
        assert not self.is_connected
        if "connect" in self.refuses:
            self.refuses.remove("connect")
            raise ConnectionRefusedError("refused")
        self.hang_up()
        self.came = asyncio.Queue()
        self.is_connected = True
        return True

    async def disconnect(self):
        assert self.is_connected
        await asyncio.sleep(0.01)
        if "disconnect" in self.refuses:
            self.refuses.remove("disconnect")
            return False
        self.is_connected = False
        self.hang_up()
        return True

    def hang_up(self):
        self.asked = []
        while not self.came.empty():
            self.lost.add(self.came.get_nowait())  # also how the connection ended

    async def send_data(self, data):
        assert not self.sending, "two sends at once"
        self.sending = True
        self.sent.append(data)
        asked = self.asked
        if data[0] == "?":
            self.taken.append(data)
            asked.append(data)
        try:  # it goes out bit by bit: its answer may come before all of it is over
            result: Any = True if self.is_free else await self.may_go_on.get()
        finally:
            self.sending = False
        if result == "fails":
            raise ConnectorError("half of it went out")
        if result is False:  # it says so itself: nothing went out
            self.taken = [each for each in self.taken if each != data]
            if data in asked:
                asked.remove(data)
        return result

    async def receive_data(self):
        came = self.came
        if self.polls and came.empty():
            return None
        item = await came.get()
        if isinstance(item, BaseException):
            raise item
        return item

    # ---- what a test has it do ---------------------------------------------------------------

    def say(self, *items):
        self.said += items
        for item in items:
            self.came.put_nowait(item)

    def answer(self):
        if self.asked:
            self.say(("!", self.asked.pop(0)[1]))


class Numbered(Device):
    def answers(self, question, item):
        return item == ("!", question[1])


class Run:
    """One run of random steps, and what must be true of it."""

    def __init__(self, kind, polls, unasked):
        self.device = kind(polls)
        self.device.unasked = unasked
        self.is_numbered = kind is Numbered
        self.bench = Bench(self.device)
        self.requests = {}
        self.forgotten = set()
        self.numbers = 0

    def number(self):
        self.numbers += 1
        return self.numbers

    def submit(self, request):
        ref = self.bench.submit(request)
        self.requests[ref] = request
        return ref

    def open(self, *kinds):
        return [
            ref
            for ref, request in self.requests.items()
            if isinstance(request, kinds or object)
            and ref not in self.forgotten
            and not self.bench.is_answered(ref)
        ]

    async def step(self, name, what):
        device = self.device
        match name:
            case "query":
                self.submit(QueryData("plc", ("?", self.number()), what))
            case "answer":
                for _ in range(what):
                    device.answer()
            case "lose_answer":
                del device.asked[:1]
            case "come" if device.is_connected and (
                # What comes unasked while something is asked is an answer to who cannot see it.
                self.is_numbered or not (device.asked or self.open(QueryData))
            ):
                device.say(*(("data", self.number()) for _ in range(what)))
            case "receive":
                self.submit(ReceiveData("plc", what))
            case "receive_many":
                self.submit(ReceiveMany("plc", what, 0.2))
            case "send":
                self.submit(SendData("plc", ("data", self.number())))
            case "go_on" if device.sending:
                device.may_go_on.put_nowait(what)
            case "forget" if self.open():
                refs = self.open()
                self.forgotten.add(refs[-1 - what % len(refs)])
                self.bench.forget(refs[-1 - what % len(refs)])
            case "disconnect":
                self.submit(DisconnectSystem("plc"))
            case "connect":
                self.submit(ConnectSystem("plc"))
            case "lose_connection" if device.is_connected:
                device.asked = []
                device.came.put_nowait(ConnectionResetError("reset") if what else None)
                device.report_loss("reset")
            case "refuse":
                device.refuses.add(what)
            case "tap":
                self.bench.engine.set_tap(what)
            case "turns":
                await turns(what)
            case "time":
                await asyncio.sleep(what)

    async def finish(self):
        device = self.device
        device.is_free = True
        self.bench.engine.set_tap(False)
        device.refuses = set()
        for _ in range(device.may_go_on.qsize(), 2):
            device.may_go_on.put_nowait(True)
        waiting = (QueryData, SendData, ConnectSystem, DisconnectSystem, ReceiveMany)
        while self.open(*waiting):
            device.answer()
            await asyncio.sleep(0.1)
        await self.bench.answer(self.submit(ConnectSystem("plc")))
        await turns(20)
        query = self.submit(QueryData("plc", ("?", self.number())))
        while not self.bench.is_answered(query):
            device.answer()
            await asyncio.sleep(0.02)
        reply = self.bench.replies[query][0]
        assert isinstance(reply, QueryAnswered), reply
        device.say("end")
        while "end" not in self.received():
            self.submit(ReceiveData("plc", FOREVER))
            await asyncio.sleep(0.05)
        self.submit(DisconnectSystem("plc"))
        for ref in self.requests.keys() - self.forgotten:
            await self.bench.answer(ref)

    def received(self):
        items = []
        for replies in self.bench.replies.values():
            for reply in replies:
                if isinstance(reply, DataReceived):
                    items.append(reply.load())
                elif isinstance(reply, ManyReceived):
                    items.extend(reply.load())
        return items

    def check(self):
        device = self.device
        assert self.bench.crashes == []
        assert len(device.sent) == len(set(device.sent)), "something went out twice"
        numbers = [number for _, number in device.sent]
        assert numbers == sorted(numbers), "out of order"
        answered = self.check_answers()
        given = [*self.received(), *answered]
        given += [each for each in map(unwrap, self.bench.tapped) if each not in given]
        assert len(given) == len(set(given)), "given twice"
        assert set(given) <= {*device.said}
        missing = set(device.said) - set(given) - device.lost
        self.check_missing(missing)

    def check_answers(self):
        answered = []
        for ref, request in self.requests.items():
            replies = self.bench.replies[ref]
            assert len(replies) <= 1 if ref in self.forgotten else len(replies) == 1
            if not isinstance(request, QueryData):
                continue
            question = unwrap(request.data)
            for reply in replies:
                if isinstance(reply, QueryAnswered):
                    assert reply.load() == ("!", question[1]), "another's answer"
                    answered.append(reply.load())
                elif isinstance(reply, Failure) and reply.outcome is Outcome.NOT_SENT:
                    assert question not in self.device.taken, "it was sent"
        return answered

    def check_missing(self, missing):
        """What nobody was given is the answer to who had been told of a failure, or had left."""
        dropped = sum(report.dropped for report in self.bench.reports)
        failed = {
            ("!", unwrap(request.data)[1])
            for ref, request in self.requests.items()
            if isinstance(request, QueryData)
            and not any(isinstance(each, QueryAnswered) for each in self.bench.replies[ref])
        }
        lost = {each for each in missing if each not in failed}
        assert len(lost) <= dropped, f"lost: {lost}"
        if self.device.unasked == "receive":
            assert dropped == 0


@pytest.mark.parametrize("unasked", ["receive", "drop"])
@pytest.mark.parametrize("polls", [False, True])
@pytest.mark.parametrize("kind", [Device, Numbered])
def test_an_answer_belongs_to_its_question_and_no_item_is_lost(kind, polls, unasked):
    @settings(max_examples=800)
    @given(st.lists(STEPS, max_size=30))
    def any_history(steps):
        @scenario(cap=CAP)
        async def play():
            run = Run(kind, polls, unasked)
            for name, what in steps:
                await run.step(name, what)
            await run.finish()
            run.check()

        play()

    any_history()
