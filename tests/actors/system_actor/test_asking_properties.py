"""Random histories of questions, against one sentence: an answer belongs to its question, or there
is none."""

import asyncio

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from actors import ExternalSystemInterface
from actors.messages import (
    ConnectSystem,
    DataReceived,
    DisconnectSystem,
    Failure,
    Outcome,
    QueryAnswered,
    QueryData,
    ReceiveData,
    SendData,
)
from tests.helpers.bench import Bench, turns
from tests.helpers.jumping_loop import JumpingLoop
from tests.helpers.looking import long, quick

FOREVER = 3600.0
pick = st.integers(0, 1000)


class Device(ExternalSystemInterface):
    """Answers what it is asked in order, when it is told to. Its connector keeps what came on a
    connection past the end of that, as one with a queue of its own does."""

    def __init__(self):
        super().__init__("plc", {})
        self.is_connected = True
        self.came = asyncio.Queue()
        self.due = []
        """Questions of this connection that are not answered yet, oldest first."""
        self.asked = []
        """All questions that ever came."""

    async def connect(self):
        self.is_connected = True
        return True

    async def disconnect(self):
        self.is_connected = False
        self.due.clear()
        return True

    async def send_data(self, data):
        if data[0] == "question":
            self.asked.append(data[1])
            self.due.append(data[1])
        await asyncio.sleep(0)
        return True

    async def receive_data(self):
        item = await self.came.get()
        if isinstance(item, Exception):
            raise item
        return item


class SlowDevice(Device):
    """Each item takes its connector a while, as in a thread."""

    quiet_time = 0.01

    async def receive_data(self):
        await asyncio.sleep(0.005)
        return await super().receive_data()


class Numbered(Device):
    """Says which question it answers."""

    def answers(self, question, item):
        return item == ("answer", question[1])


@attrs.define(eq=False)
class Asked:
    number: int
    ref: int
    let_go: bool = False


class Questions(RuleBasedStateMachine):
    @initialize(
        kind=st.sampled_from([Device, SlowDevice, Numbered]),
        unasked=st.sampled_from(["receive", "drop"]),
    )
    def begin(self, kind, unasked):
        self.runner = asyncio.Runner(loop_factory=JumpingLoop)
        self.queries = []
        self.receives = []
        self.alarms = 0
        self.runner.run(self.make(kind, unasked))

    async def make(self, kind, unasked):
        self.device = kind()
        self.device.unasked = unasked
        self.bench = Bench(self.device)

    def run(self, *steps, settle=2):
        async def play():
            for step in steps:
                step()
            await turns(settle)

        self.runner.run(play())
        self.look()

    # ---- what callers do -----------------------------------------------------------------------

    @rule(wait=st.sampled_from([0.1, 1.0, FOREVER]), settle=st.integers(0, 20))
    def ask(self, wait, settle):
        number = len(self.queries)

        def submit():
            ref = self.bench.submit(QueryData("plc", ("question", number), wait))
            self.queries.append(Asked(number, ref))

        self.run(submit, settle=settle)

    @precondition(lambda self: self.queries)
    @rule(which=pick, settle=st.integers(0, 20))
    def give_up(self, which, settle):
        query = self.queries[which % len(self.queries)]
        query.let_go = True
        self.run(lambda: self.bench.forget(query.ref), settle=settle)

    @rule()
    def send(self):
        self.run(lambda: self.bench.submit(SendData("plc", ("order", None))))

    @rule(wait=st.sampled_from([0.05, FOREVER]))
    def receive(self, wait):
        self.run(lambda: self.receives.append(self.bench.submit(ReceiveData("plc", wait))))

    @rule(request=st.sampled_from([ConnectSystem, DisconnectSystem]))
    def order(self, request):
        self.run(lambda: self.bench.submit(request("plc")))

    @rule(seconds=st.sampled_from([0.002, 0.2, 2.0]))
    def time_passes(self, seconds):
        self.runner.run(asyncio.sleep(seconds))
        self.look()

    # ---- what the device does ------------------------------------------------------------------

    @precondition(lambda self: self.device.due)
    @rule(settle=st.integers(0, 20))
    def answer(self, settle):
        number = self.device.due.pop(0)
        self.run(lambda: self.device.came.put_nowait(("answer", number)), settle=settle)

    @precondition(lambda self: self.device.due)
    @rule()
    def lose_an_answer(self):
        self.device.due.pop(0)

    @precondition(lambda self: self.can_be_told())
    @rule(settle=st.integers(0, 5))
    def say_something(self, settle):
        self.alarms += 1
        self.run(lambda: self.device.came.put_nowait(("alarm", self.alarms)), settle=settle)

    @rule()
    def lose_the_connection(self):
        def lose():
            self.device.is_connected = False
            self.device.due.clear()
            self.device.came.put_nowait(ConnectionResetError("reset"))

        self.run(lose)

    def can_be_told(self):
        """Whether whoever asks can tell what comes from the answer."""
        return isinstance(self.device, Numbered) or all(
            query.let_go or self.bench.is_answered(query.ref) for query in self.queries
        )

    # ---- what must be true -----------------------------------------------------------------------

    def look(self):
        assert self.bench.crashes == []
        asked = self.device.asked
        assert len(set(asked)) == len(asked), "asked twice"
        assert sorted(asked) == asked, "not in the order of asking"
        for query in self.queries:
            replies = self.bench.replies[query.ref]
            assert len(replies) <= 1
            for reply in replies:
                if isinstance(reply, QueryAnswered):
                    assert reply.load() == ("answer", query.number)
                elif reply.outcome is Outcome.NOT_SENT:
                    assert query.number not in asked
        for ref in self.receives:
            for reply in self.bench.replies[ref]:
                if isinstance(reply, DataReceived) and reply.load()[0] == "answer":
                    answered = self.bench.replies[self.queries[reply.load()[1]].ref]
                    assert not any(isinstance(each, QueryAnswered) for each in answered)

    def teardown(self):
        if hasattr(self, "runner"):
            with self.runner:
                self.runner.run(self.finish())
                self.look()

    async def finish(self):
        """Whatever happened, the next question has its answer, and nobody waits for ever."""
        for query in self.queries:
            if not query.let_go and not self.bench.is_answered(query.ref):
                query.let_go = True
                self.bench.forget(query.ref)
        self.bench.submit(ConnectSystem("plc"))
        async with asyncio.timeout(100):
            while True:
                number = len(self.queries)
                ref = self.bench.submit(QueryData("plc", ("question", number), 5.0))
                self.queries.append(Asked(number, ref))
                while number not in self.device.due and not self.bench.is_answered(ref):
                    await asyncio.sleep(0.01)
                if number in self.device.due:
                    self.device.due.remove(number)
                    self.device.came.put_nowait(("answer", number))
                reply = await self.bench.answer(ref)
                if isinstance(reply, QueryAnswered):
                    break
                assert isinstance(reply, Failure)
                self.bench.submit(ConnectSystem("plc"))
            await self.bench.engine.stop(1.0)
        for query in self.queries:
            assert query.let_go or self.bench.is_answered(query.ref)


TestQuestions = Questions.TestCase
TestQuestions.settings = quick(100, 50)


@pytest.mark.long
@pytest.mark.timeout(1800)
class TestQuestionsForLong(Questions.TestCase):  # type: ignore[misc, valid-type]
    settings = long(80)
