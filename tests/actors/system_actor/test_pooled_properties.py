"""Random histories of a pool over a network that fails in all ways: each request has exactly one
answer, and what is said of it is true."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from actors import ConnectorError, ExternalSystemInterface, NotSentError, command
from actors.messages import (
    CallCommand,
    CheckHealth,
    ConnectSystem,
    DataReceived,
    DataSent,
    DisconnectSystem,
    Failure,
    FailureCode,
    ManySent,
    Outcome,
    QueryAnswered,
    QueryData,
    ReceiveData,
    Reply,
    Request,
    SendData,
    SendMany,
    SystemConnected,
)
from actors.payload import unwrap
from tests.helpers.bench import turns
from tests.helpers.jumping_loop import JumpingLoop
from tests.helpers.looking import long, quick
from tests.helpers.pooled_bench import PooledBench

FOREVER = 3600.0
pick = st.integers(0, 1000)


class Device:
    """What all connections lead to."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.is_stormy = False
        self.lines: list[Line] = []
        self.taken: list[Any] = []
        """All that it ever got, in order."""
        self.is_over = asyncio.Event()
        """Nothing hangs any more."""

    def fails(self) -> bool:
        return self.is_stormy and self.random.random() < 0.3

    async def wait(self) -> None:
        """Take a while; in a storm sometimes until all is over."""
        if self.is_stormy and self.random.random() < 0.05:
            await self.is_over.wait()
        await asyncio.sleep(self.random.choice([0, 0, 0.001, 0.1, 1.0]))


class Line(ExternalSystemInterface):
    """One connection to it, which sees to it that it is used as is promised."""

    query_timeout = 2.0
    quiet_time = 0.0

    def __init__(self, device: Device) -> None:
        super().__init__("plc", {})
        self.device = device
        self.came: asyncio.Queue[Any] = asyncio.Queue()
        self.under_way: set[str] = set()
        device.lines.append(self)

    async def connect(self) -> bool:
        with _Alone(self, "connect"):
            await self.device.wait()
            if self.device.fails():
                raise ConnectionRefusedError("refused")
            self.came = asyncio.Queue()
            self.is_connected = True
            return True

    async def disconnect(self) -> bool:
        with _Alone(self, "connect"):
            await asyncio.sleep(0)
            self.is_connected = False
            return True

    async def send_data(self, data: Any) -> bool:
        with _Alone(self, "send"):
            assert self.is_connected or self.device.is_stormy
            await self.device.wait()
            if not self.is_connected:
                raise NotSentError("it was lost before")
            if self.device.fails():
                how = self.device.random.randrange(4)
                if how == 0:
                    return False
                if how == 1:
                    raise ConnectorError("the device did not like it")
                self.is_connected = False
                if how == 2:
                    raise NotSentError("reset before")
                self.device.taken.append(data)
                raise ConnectionResetError("reset after")
            self.device.taken.append(data)
            if data[0] == "question" and not self.device.fails():
                self.came.put_nowait(("answer", data[1]))
            return True

    async def receive_data(self) -> Any:
        with _Alone(self, "receive"):
            try:
                async with asyncio.timeout(1.0):
                    item = await self.came.get()
            except TimeoutError:
                return None
            if isinstance(item, Exception):
                raise item
            return item

    async def check_health(self) -> bool:
        await self.device.wait()
        return self.is_connected and not self.device.fails()

    @command
    async def echo(self, number: int) -> int:
        await self.device.wait()
        if self.device.fails():
            raise ConnectorError("no")
        return number

    def lose(self, loudly: bool) -> None:
        self.is_connected = False
        self.came.put_nowait(ConnectionResetError("lost"))
        if loudly:
            self.report_loss("lost")


class _Alone:
    """Nothing of the same kind is under way on the same connection."""

    def __init__(self, line: Line, what: str) -> None:
        self.line, self.what = line, what

    def __enter__(self) -> None:
        assert self.what not in self.line.under_way, f"two at once: {self.what}"
        self.line.under_way.add(self.what)

    def __exit__(self, *_: object) -> None:
        self.line.under_way.discard(self.what)


class Pooled(RuleBasedStateMachine):
    @initialize(size=st.integers(1, 4), seed=st.integers(0, 10_000), wait=st.sampled_from([0.5, 5]))
    def begin(self, size: int, seed: int, wait: float) -> None:
        self.runner = asyncio.Runner(loop_factory=JumpingLoop)
        self.asked: dict[int, Request] = {}
        self.let_go: set[int] = set()
        self.alarms = 0
        self.size = size
        self.runner.run(self.make(size, seed, wait))

    async def make(self, size: int, seed: int, wait: float) -> None:
        self.device = Device(seed)
        asyncio.get_running_loop().set_exception_handler(self.escaped)
        self.bench = PooledBench(
            lambda: Line(self.device),
            size,
            overflow_wait=wait,
            max_idle=20.0,
            max_lifetime=60.0,
        )

    def escaped(self, _: Any, context: dict[str, Any]) -> None:
        self.bench.crashes.append(context)

    def run(self, *requests: Request, settle: int = 2) -> None:
        async def play() -> None:
            for request in requests:
                self.asked[self.bench.submit(request)] = request
            await turns(settle)

        self.runner.run(play())
        self.look()

    # ---- what callers do ----------------------------------------------------------------

    @rule(count=st.integers(1, 6), settle=st.integers(0, 20))
    def send(self, count: int, settle: int) -> None:
        start = len(self.asked) * 100
        self.run(*(SendData("plc", ("item", start + n)) for n in range(count)), settle=settle)

    @rule(settle=st.integers(0, 20))
    def send_many(self, settle: int) -> None:
        start = len(self.asked) * 100
        self.run(SendMany("plc", tuple(("item", start + n) for n in range(3))), settle=settle)

    @rule(count=st.integers(1, 6), wait=st.sampled_from([None, 0.05]), settle=st.integers(0, 20))
    def ask(self, count: int, wait: float | None, settle: int) -> None:
        start = len(self.asked) * 100
        questions = [QueryData("plc", ("question", start + n), wait) for n in range(count)]
        self.run(*questions, settle=settle)

    @rule(wait=st.sampled_from([None, 0.0, 0.5]))
    def receive(self, wait: float | None) -> None:
        self.run(ReceiveData("plc", wait))

    @rule(settle=st.integers(0, 5))
    def call(self, settle: int) -> None:
        self.run(CallCommand("plc", "echo", (7,)), CheckHealth("plc"), settle=settle)

    @rule(kind=st.sampled_from([ConnectSystem, ConnectSystem, DisconnectSystem]))
    def order(self, kind: type[Request]) -> None:
        self.run(kind("plc"))

    @precondition(lambda self: self.asked)
    @rule(which=pick, settle=st.integers(0, 5))
    def let_one_go(self, which: int, settle: int) -> None:
        ref = list(self.asked)[which % len(self.asked)]
        self.let_go.add(ref)

        async def forget() -> None:
            self.bench.forget(ref)
            await turns(settle)

        self.runner.run(forget())
        self.look()

    # ---- what the world does ------------------------------------------------------------

    @rule(is_stormy=st.booleans())
    def weather(self, is_stormy: bool) -> None:
        self.device.is_stormy = is_stormy

    @rule(which=pick, loudly=st.booleans(), settle=st.integers(0, 5))
    def lose(self, which: int, loudly: bool, settle: int) -> None:
        line = self.device.lines[which % len(self.device.lines)]
        if line.is_connected:
            was_stormy, self.device.is_stormy = self.device.is_stormy, True

            async def play() -> None:
                line.lose(loudly)
                await turns(settle)
                self.device.is_stormy = was_stormy

            self.runner.run(play())
            self.look()

    @rule(which=pick)
    def say(self, which: int) -> None:
        line = self.device.lines[which % len(self.device.lines)]
        if line.is_connected and "send" not in line.under_way:
            self.alarms += 1
            self.runner.run(line.came.put(("alarm", self.alarms)))

    @rule(seconds=st.sampled_from([0.01, 0.6, 3.0, 30.0]))
    def time_passes(self, seconds: float) -> None:
        async def play() -> None:
            ends = asyncio.get_running_loop().time() + seconds
            while asyncio.get_running_loop().time() < ends:
                self.bench.engine.look()
                await asyncio.sleep(min(0.5, seconds))

        self.runner.run(play())
        self.look()

    # ---- what must be true --------------------------------------------------------------

    def look(self) -> None:
        assert self.bench.crashes == []
        taken = self.device.taken
        assert len(set(taken)) == len(taken), "something went out twice"
        assert sum(line.is_connected for line in self.device.lines) <= self.size
        for ref, request in self.asked.items():
            replies = self.bench.replies[ref]
            final = [r for r in replies if not isinstance(r, ManySent) or r.final]
            assert len(final) <= 1
            self.look_at(request, final[0] if final else None)

    def look_at(self, request: Request, reply: Reply | None) -> None:
        taken = self.device.taken
        match request, reply:
            case SendData(), DataSent():
                assert unwrap(request.data) in taken
            case SendData() | QueryData(), Failure(outcome=Outcome.NOT_SENT):
                assert unwrap(request.data) not in taken
            case SendMany(), ManySent(results=results) if len(results) == 3:
                for item, result in zip(map(unwrap, request.items), results, strict=True):
                    if result is True:
                        assert item in taken
                    elif result.outcome is Outcome.NOT_SENT:
                        assert item not in taken
            case QueryData(), QueryAnswered():
                _, number = unwrap(request.data)
                assert reply.load() == ("answer", number) or reply.load()[0] == "alarm"
            case ReceiveData(), DataReceived():
                assert reply.load()[0] in ("alarm", "answer")

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            with self.runner:
                self.runner.run(self.finish())

    async def finish(self) -> None:
        """When the storm is over, whatever was asked is answered, and all works again."""
        self.device.is_stormy = False
        self.device.is_over.set()
        for _ in range(200):
            self.bench.engine.look()
            await asyncio.sleep(0.5)
        for ref, request in self.asked.items():
            assert ref in self.let_go or self.bench.is_answered(ref), f"no answer to {request}"
        self.look()
        while not isinstance(await self.bench.ask(ConnectSystem("plc")), SystemConnected):
            await asyncio.sleep(1)
        while not isinstance(reply := await self.bench.ask(SendData("plc", ("last", 0))), DataSent):
            # The check before it may take longer than anybody waits.
            assert isinstance(reply, Failure)
            assert reply.code is FailureCode.OVERLOADED
        await turns(20)
        has = self.bench.engine.pool_state
        assert (has.borrowed, has.waiting) == (0, 0)
        await self.bench.engine.stop(5.0)
        assert not any(line.is_connected for line in self.device.lines)
        await turns(20)
        assert asyncio.all_tasks() == {asyncio.current_task()}


TestPooled = Pooled.TestCase
TestPooled.settings = quick(60, 40)


@pytest.mark.long
@pytest.mark.timeout(1800)
class TestPooledForLong(Pooled.TestCase):  # type: ignore[misc, valid-type]
    settings = long(80)
