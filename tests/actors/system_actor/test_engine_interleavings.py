"""Whatever happens in whatever order: no item is lost, doubled or overtaken."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.messages import (
    ConnectSystem,
    DataReceived,
    DisconnectSystem,
    ManyReceived,
    ReceiveData,
    ReceiveMany,
    SendData,
    SendMany,
)
from tests.helpers.bench import Bench, Puppet, Source, scenario, turns

FOREVER = 3600.0

WAITS = st.sampled_from([None, 0.0, FOREVER])
STEPS = st.one_of(
    st.tuples(st.just("come"), st.integers(1, 3)),
    st.tuples(st.just("receive"), WAITS),
    st.tuples(st.just("receive_many"), st.tuples(st.integers(1, 4), WAITS)),
    st.tuples(st.just("send"), st.none()),
    st.tuples(st.just("send_many"), st.integers(0, 3)),
    st.tuples(st.just("go_on"), st.none()),
    st.tuples(st.just("forget"), st.integers(0, 30)),
    st.tuples(st.just("disconnect"), st.none()),
    st.tuples(st.just("connect"), st.none()),
    st.tuples(st.just("turns"), st.integers(1, 4)),
)


class Run:
    """One run of random steps, and what must be true of it."""

    def __init__(self):
        self.system = Puppet()
        self.system.on["receive"] = self.source = Source()
        self.system.on["send"] = self._send
        self.bench = Bench(self.system)
        self.may_send = asyncio.Semaphore(0)
        self.sending = 0
        self.came = self.to_send = 0
        self.requests = {}
        self.forgotten = set()

    async def _send(self, _item):
        assert self.sending == 0, "two sends at once"
        self.sending += 1
        try:
            await self.may_send.acquire()
        finally:
            self.sending -= 1
        return True

    def submit(self, request):
        self.requests[self.bench.submit(request)] = request

    async def step(self, name, what):
        match name:
            case "come":
                self.source.put(*range(self.came, self.came + what))
                self.came += what
            case "receive":
                self.submit(ReceiveData("plc", wait=what))
            case "receive_many":
                self.submit(ReceiveMany("plc", what[0], wait=what[1]))
            case "send":
                self.submit(SendData("plc", self.to_send))
                self.to_send += 1
            case "send_many":
                self.submit(SendMany("plc", range(self.to_send, self.to_send + what)))
                self.to_send += what
            case "go_on":
                self.may_send.release()
            case "forget" if what in self.requests and not self.bench.is_answered(what):
                self.bench.forget(what)
                self.forgotten.add(what)
            case "disconnect":
                self.submit(DisconnectSystem("plc"))
            case "connect":
                self.submit(ConnectSystem("plc"))
            case "turns":
                await turns(what)

    def given(self):
        """The items in the order they were given, no matter to whom."""
        items = []
        for ref in self.bench.answer_order:
            for reply in self.bench.replies[ref]:
                if isinstance(reply, DataReceived):
                    items.append(reply.load())
                elif isinstance(reply, ManyReceived):
                    items.extend(reply.load())
        return items

    async def finish(self):
        """Let all that waits come to its end."""
        for _ in range(self.to_send + 1):
            self.may_send.release()
        self.submit(ConnectSystem("plc"))
        await self.bench.answer(max(self.requests))
        self.source.put("end")
        while "end" not in self.given():
            self.submit(ReceiveData("plc", wait=FOREVER))
            await turns(50)
        self.submit(DisconnectSystem("plc"))
        for ref in self.requests.keys() - self.forgotten:
            await self.bench.answer(ref)

    def check(self):
        assert self.bench.crashes == []
        assert self.given() == [*range(self.came), "end"]
        sent = [item for (item,) in self.system.begun("send")]
        assert sent == sorted(set(sent))
        for ref, request in self.requests.items():
            if isinstance(request, SendMany):
                continue
            said = len(self.bench.replies[ref])
            assert said <= 1 if ref in self.forgotten else said == 1


@settings(max_examples=300)
@given(st.lists(STEPS, max_size=30))
def test_every_item_is_given_once_in_order_and_every_request_answered_once(steps):
    @scenario
    async def play():
        run = Run()
        for name, what in steps:
            await run.step(name, what)
        await run.finish()
        run.check()

    play()
