"""Whatever happens while calls are tried again: each request is answered once and truly, nothing is
overtaken, and nothing is done twice that must not be."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from actors import ConnectorError, NotSentError
from actors.messages import (
    ConnectSystem,
    DataSent,
    DisconnectSystem,
    Failure,
    Outcome,
    SendData,
    SendMany,
)
from actors.resilience.policy import Policy
from actors.resilience.retry import RetryPolicy
from tests.helpers.bench import Bench, Puppet, scenario, turns

FATES = st.sampled_from(["taken", "taken", "busy", "busy", "lost", "gone", "slow"])
STEPS = st.one_of(
    st.tuples(st.just("send"), st.none()),
    st.tuples(st.just("send"), st.none()),
    st.tuples(st.just("send_many"), st.integers(1, 3)),
    st.tuples(st.just("forget"), st.integers(1, 12)),
    st.tuples(st.just("connect"), st.sampled_from(["at once", "slow"])),
    st.tuples(st.just("disconnect"), st.none()),
    st.tuples(st.just("wait"), st.sampled_from([0.0, 0.3, 1.0, 5.0])),
    st.tuples(st.just("turns"), st.integers(1, 5)),
)


class Run:
    """One run of random steps."""

    def __init__(self, fates, idempotent):
        self.fates = list(fates)
        self.idempotent = idempotent
        self.system = Puppet()
        self.system.on["send"] = self._send
        self.system.on["connect"] = self._connect
        policy = RetryPolicy(attempts=3, backoff_min=0.5, backoff_max=1.0, idempotent=idempotent)
        self.bench = Bench(self.system, Policy(retry=policy))
        self.attempts = []
        """What was sent and what became of it."""
        self.requests = {}
        self.forgotten = set()
        self.items = 0
        self.of_several = set()
        self.slow_connects = 0

    async def _send(self, item):
        fate = self.fates.pop(0) if self.fates else "taken"
        attempt = [item, "begun"]
        self.attempts.append(attempt)
        if fate == "slow":
            await asyncio.sleep(0.7)
        attempt[1] = fate
        if fate == "busy":
            raise NotSentError("busy")
        if fate == "gone":
            self.system.is_connected = False
            raise NotSentError("it closed the connection")
        if fate == "lost":
            raise ConnectorError("lost on the way")
        return True

    async def _connect(self):
        if self.slow_connects:
            self.slow_connects -= 1
            await asyncio.sleep(2.0)
        return True

    def submit(self, request):
        self.requests[self.bench.submit(request)] = request

    def new_items(self, count):
        first, self.items = self.items, self.items + count
        return tuple(range(first, self.items))

    async def step(self, name, what):
        match name:
            case "send":
                self.submit(SendData("plc", *self.new_items(1)))
            case "send_many":
                items = self.new_items(what)
                self.of_several.update(items)
                self.submit(SendMany("plc", items))
            case "forget" if what in self.requests and not self.bench.is_answered(what):
                self.bench.forget(what)
                self.forgotten.add(what)
            case "connect":
                self.slow_connects += what == "slow"
                self.submit(ConnectSystem("plc"))
            case "disconnect":
                self.submit(DisconnectSystem("plc"))
            case "wait":
                await asyncio.sleep(what)
            case "turns":
                await turns(what)

    def results(self):
        """What was answered of each item."""
        for ref, request in self.requests.items():
            if isinstance(request, SendData):
                yield from ((request.data, reply) for reply in self.bench.replies[ref])
            elif isinstance(request, SendMany):
                replies = self.bench.replies[ref]
                told = self.bench.results(ref)
                if replies and isinstance(replies[-1], Failure):
                    told += [replies[-1]] * (len(request.items) - len(told))
                yield from zip(request.items, told, strict=False)

    def check(self):
        assert self.bench.crashes == []
        sent = [item for item, _ in self.attempts]
        assert sent == sorted(sent)
        for ref, request in self.requests.items():
            if not isinstance(request, SendMany):
                said = len(self.bench.replies[ref])
                assert said <= 1 if ref in self.forgotten else said == 1
        fates = {item: [fate for each, fate in self.attempts if each == item] for item in set(sent)}
        for attempts in fates.values():
            again = attempts[:-1]
            allowed = ("busy", "gone", "lost") if self.idempotent else ("busy", "gone")
            assert set(again) <= set(allowed)
            assert len(attempts) <= 3
        for item, result in self.results():
            attempts = fates.get(item, [])
            if result is True or isinstance(result, DataSent):
                assert attempts[-1] in ("taken", "slow")
            elif result.outcome is Outcome.NOT_SENT:
                assert set(attempts) <= {"busy", "gone"}
            else:
                # Of several items, those behind one that was cut off share its failure.
                assert item in self.of_several or not set(attempts) <= {"busy", "gone"}


@settings(max_examples=300)
@given(st.lists(FATES, max_size=12), st.booleans(), st.lists(STEPS, max_size=20))
def test_every_request_is_answered_once_and_truly(fates, idempotent, steps):
    @scenario(cap=10_000)
    async def play():
        run = Run(fates, idempotent)
        for name, what in steps:
            await run.step(name, what)
        await run.step("disconnect", None)
        for ref in run.requests.keys() - run.forgotten:
            await run.bench.answer(ref)
        run.check()

    play()


@settings(max_examples=150)
@given(
    st.lists(FATES, max_size=8),
    st.booleans(),
    st.lists(STEPS, max_size=12),
    st.sampled_from([0.5, 3.0]),
)
def test_a_stop_answers_all_that_waits(fates, idempotent, steps, grace):
    @scenario(cap=10_000)
    async def play():
        run = Run(fates, idempotent)
        for name, what in steps:
            await run.step(name, what)
        await run.bench.engine.stop(grace)
        run.bench.to_supervisor.flush()
        for ref in run.requests.keys() - run.forgotten:
            assert run.bench.is_answered(ref) or isinstance(run.requests[ref], SendMany)
        assert run.bench.crashes == []

    play()
