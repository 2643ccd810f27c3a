"""A system that does what a test says, and an engine around it whose every word is kept."""

import asyncio
import functools
from collections import defaultdict

from actors import ExternalSystemInterface, command
from actors.messages import ManySent
from actors.resilience.policy import NO_POLICY
from actors.resilience.state import NO_STATE
from actors.system_actor.deduplicating import Repetitions
from actors.system_actor.engine import Engine
from actors.system_actor.guards import Guards
from actors.system_actor.policy_news import News
from actors.system_actor.reports import Origin, Reports
from tests.helpers.jumping_loop import JumpingLoop

CAP = 2.0
"""Seconds of the jumping clock after which a test that waits has failed."""
FOREVER = 3600.0


def scenario(function=None, *, cap=CAP):
    """Make a plain test of a coroutine function; its clock jumps. What a task lets escape
    fails it."""
    if function is None:
        return functools.partial(scenario, cap=cap)

    @functools.wraps(function)
    def test(*args, **kwargs):
        with asyncio.Runner(loop_factory=JumpingLoop) as runner:
            runner.run(_play(function, args, kwargs, cap))

    return test


async def _play(function, args, kwargs, cap):
    escaped = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: escaped.append(context))
    async with asyncio.timeout(cap):
        await function(*args, **kwargs)
    assert escaped == []


async def turns(count=10):
    """Let the other tasks run until they wait."""
    for _ in range(count):
        await asyncio.sleep(0)


class Held:
    """A behaviour that waits for the test: ``release`` ends the call that began first."""

    def __init__(self):
        self.calls = []
        self._begun = asyncio.Event()
        self._futures = []

    async def __call__(self, *args):
        future = asyncio.get_running_loop().create_future()
        self.calls.append(args)
        self._futures.append(future)
        self._begun.set()
        return await future

    async def begun(self, count=1):
        """Until so many calls have begun."""
        while len(self.calls) < count:
            self._begun.clear()
            await self._begun.wait()

    @property
    def waiting(self):
        return [future for future in self._futures if not future.done()]

    def release(self, result=True):
        future = self.waiting[0]
        if isinstance(result, BaseException):
            future.set_exception(result)
        else:
            future.set_result(result)


class Source:
    """A behaviour of receiving: gives what the test puts in, and loses nothing when cut off."""

    def __init__(self):
        self.queue = asyncio.Queue()

    async def __call__(self):
        item = await self.queue.get()
        if isinstance(item, BaseException):
            raise item
        return item

    def put(self, *items):
        for item in items:
            self.queue.put_nowait(item)


class Puppet(ExternalSystemInterface):
    """Does what ``on`` says for an operation; without a word from the test, it succeeds.

    ``log`` has the begin and the end of every call.
    """

    def __init__(self, connected=True):
        super().__init__("plc", {})
        self.is_connected = connected
        self.on = {}
        self.log = []

    async def _do(self, operation, *args, otherwise=True):
        self.log.append(("begin", operation, *args))
        try:
            if operation in self.on:
                return await self.on[operation](*args)
            return otherwise
        finally:
            self.log.append(("end", operation, *args))

    def begun(self, operation):
        """The arguments of the calls of an operation that have begun."""
        return [entry[2:] for entry in self.log if entry[:2] == ("begin", operation)]

    async def connect(self):
        self.is_connected = bool(await self._do("connect"))
        return self.is_connected

    async def disconnect(self):
        done = await self._do("disconnect")
        if done:
            self.is_connected = False
        return done

    async def send_data(self, data):
        return await self._do("send", data)

    async def receive_data(self):
        if "receive" not in self.on:
            await asyncio.Event().wait()
        return await self._do("receive")

    async def check_health(self):
        return await self._do("health")

    @command
    async def call(self, *args, **kwargs):
        """Does what ``on["call"]`` says; otherwise gives its arguments back."""
        return await self._do("call", *args, otherwise=(args, kwargs))

    @command
    async def add(self, one, other=1):
        return one + other

    async def not_a_command(self):
        raise AssertionError("called by name")


class BulkPuppet(Puppet):
    """The same with bulk operations of its own."""

    async def send_many(self, items):
        return await self._do("send_many", tuple(items), otherwise=[True] * len(items))

    async def receive_many(self, max_items, timeout):
        return await self._do("receive_many", max_items, timeout, otherwise=[])


class Bench:
    """An engine, and all that it said."""

    def __init__(self, system, policy=NO_POLICY, level_path=None, past=NO_STATE):
        self.system = system
        self.reports = []
        self.crashes = []
        self.replies = defaultdict(list)
        self.answer_order = []
        self.tapped = []
        self._refs = 0
        self._news = asyncio.Event()
        self.to_supervisor = Reports("plc", 1, lambda: self.engine.is_connected, self._hear)
        news = News(self.to_supervisor.schedule)
        self.to_supervisor.take_policies = news.take
        guards = Guards.of(policy, system, level_path, None, past, news)
        self.engine = self._make_engine(guards, policy)

    def _make_engine(self, guards, policy):
        return Engine(
            self.system,
            self.to_supervisor,
            self._crash,
            guards=guards,
            policy=policy,
            repetitions=Repetitions.of(policy, "plc"),
        )

    def _hear(self, report):
        self.reports.append(report)
        self.tapped.extend(report.tapped)
        for ref, reply in report.replies:
            self.replies[ref].append(reply)
            self.answer_order.append(ref)
        self._news.set()

    def _crash(self, reason):
        self.crashes.append(reason)
        self._news.set()

    def origin(self, ref):
        return Origin(self.to_supervisor, ref)

    def submit(self, request):
        self._refs += 1
        self.engine.submit(self.origin(self._refs), request)
        return self._refs

    def forget(self, *refs):
        self.engine.forget(frozenset(map(self.origin, refs)))

    async def until(self, happened):
        while not happened():
            self._news.clear()
            await self._news.wait()

    def is_answered(self, ref):
        return any(
            not isinstance(reply, ManySent) or reply.final for reply in self.replies.get(ref, ())
        )

    async def answer(self, ref):
        """The reply that ends a request."""
        await self.until(lambda: self.is_answered(ref))
        return self.replies[ref][-1]

    async def ask(self, request):
        return await self.answer(self.submit(request))

    async def crash(self):
        await self.until(lambda: self.crashes)
        return self.crashes[0]

    def results(self, ref):
        """All results of a SendMany, its parts put together."""
        return [
            result
            for reply in self.replies[ref]
            if isinstance(reply, ManySent)
            for result in reply.results
        ]


def source_bench():
    system = Puppet()
    system.on["receive"] = source = Source()
    return Bench(system), source


def held_bench(system=None):
    system = system or Puppet()
    system.on["receive"] = held = Held()
    return Bench(system), held
