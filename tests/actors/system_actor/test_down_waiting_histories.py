"""Random histories of a system that loses its connection, and waits for the next: what is sent is
sent once, in order, and nothing that was to wait fails."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.messages import (
    ConnectSystem,
    DisconnectSystem,
    Failure,
    ManySent,
    Outcome,
    SendData,
    SendMany,
)
from actors.resilience.policy import Policy
from actors.resilience.rate_limit import RateLimit
from tests.helpers.bench import Bench, Puppet, scenario, turns

WAITS = Policy(when_down="wait", rate_limit=RateLimit(rate=1000, burst=3))
STEPS = st.one_of(
    st.tuples(st.just("send"), st.none()),
    st.tuples(st.just("send_many"), st.integers(0, 4)),
    st.tuples(st.just("go_on"), st.sampled_from(("well", "well", "lost", "lost with an error"))),
    st.tuples(st.just("lose"), st.none()),
    st.tuples(st.just("connect"), st.booleans()),
    st.tuples(st.just("disconnect"), st.none()),
    st.tuples(st.just("forget"), st.integers(1, 30)),
    st.tuples(st.just("turns"), st.integers(1, 4)),
    st.tuples(st.just("time"), st.sampled_from((0.01, 0.6, 2.0))),
)


class Run:
    def __init__(self) -> None:
        self.system = Puppet(connected=False)
        self.system.on["send"] = self.send
        self.system.on["connect"] = self.connect
        self.bench = Bench(self.system, WAITS)
        self.ways: asyncio.Queue[str] = asyncio.Queue()
        """How the next sends go."""
        self.taken: list[int] = []
        self.count = 0
        self.refs: dict[int, tuple[int, ...]] = {}
        """The items of each send that was asked for."""
        self.forgotten: set[int] = set()
        self.works = True
        self.busy = 0
        self.disconnects = 0

    async def connect(self) -> bool:
        self.busy += 1
        assert self.busy == 1, "connected while something else is done"
        try:
            await asyncio.sleep(0.001)
        finally:
            self.busy -= 1
        if not self.works:
            raise OSError("nobody is there")
        return True

    async def send(self, item: int) -> bool:
        assert self.system.is_connected, "sent without a connection"
        way = await self.ways.get()
        if way == "lost":
            self.system.is_connected = False
            return False
        if way == "lost with an error":
            self.system.is_connected = False
            raise OSError("broken pipe")
        self.taken.append(item)
        return True

    def submit(self, *items: int, many: bool) -> None:
        request = SendMany("plc", items) if many else SendData("plc", items[0])
        self.refs[self.bench.submit(request)] = items
        self.count += len(items)

    async def step(self, name: str, what: object) -> None:
        match name, what:
            case "send", _:
                self.submit(self.count, many=False)
            case "send_many", int(count):
                self.submit(*range(self.count, self.count + count), many=True)
            case "go_on", str(way):
                self.ways.put_nowait(way)
            case "lose", _:
                self.system.is_connected = False
                self.bench.engine.look()
            case "connect", bool(works):
                self.works = works
                self.bench.submit(ConnectSystem("plc"))
            case "disconnect", _:
                self.disconnects += 1
                self.bench.submit(DisconnectSystem("plc"))
            case "forget", int(ref) if ref in self.refs and not self.bench.is_answered(ref):
                self.bench.forget(ref)
                self.forgotten.add(ref)
            case "turns", int(count):
                await turns(count)
            case "time", float(seconds):
                await asyncio.sleep(seconds)

    async def finish(self) -> None:
        self.works = True
        for _ in range(2 * self.count + 2):
            self.ways.put_nowait("well")
        while not all(self.bench.is_answered(ref) for ref in self.refs.keys() - self.forgotten):
            self.bench.submit(ConnectSystem("plc"))
            await asyncio.sleep(0.1)

    def check(self) -> None:
        assert self.bench.crashes == []
        assert self.taken == sorted(set(self.taken)), "once, and in order"
        for ref in self.refs.keys() - self.forgotten:
            self.check_answer(ref)

    def check_answer(self, ref: int) -> None:
        replies = self.bench.replies[ref]
        finals = [each for each in replies if not isinstance(each, ManySent) or each.final]
        assert len(finals) == 1
        results: list[object] = self.bench.results(ref) or [not isinstance(finals[0], Failure)]
        failures = [each for each in (*replies, *results) if isinstance(each, Failure)]
        for failure in failures:
            if failure.outcome is Outcome.NOT_SENT:
                assert self.disconnects, f"it was to wait: {failure.text}"
        for item, result in zip(self.refs[ref], results, strict=False):
            if result is True:
                assert item in self.taken


@settings(max_examples=300)
@given(st.lists(STEPS, max_size=30))
def test_what_is_sent_to_a_system_that_comes_and_goes_is_sent_once_and_in_order(steps):
    @scenario(cap=600)
    async def play():
        run = Run()
        run.bench.submit(ConnectSystem("plc"))
        for name, what in steps:
            await run.step(name, what)
        await run.finish()
        run.check()

    play()
