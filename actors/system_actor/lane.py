"""What is done one after the other on one system, in the order of asking: connects, disconnects,
sends and questions.

Runs on the system actor's event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

import attrs

from actors.messages import DisconnectSystem, Failure, FailureCode, Outcome, Request
from actors.system_actor.receiving import Guard
from actors.system_actor.reports import Origin

DISCONNECT_GRACE = 1.0
"""Seconds a disconnect waits for the sends before it; then it cuts them off."""
GIVE_WAY: Final = 30.0
"""Seconds after which it is a crash that what was cut off goes on all the same: nothing else would
ever be done."""
STOPPING: Final = "the system is being stopped"


@attrs.define(eq=False)
class Job:
    """One request in the lane."""

    origin: Origin
    request: Request
    cut: Failure | None = None
    """Set when it is cut off while it runs: what to answer."""
    entered: float = 0.0
    """When it was put in line, where somebody asks for that."""

    def fail(self, code: FailureCode, text: str) -> None:
        """Answer that it was not begun."""
        self.origin.reply(self.request.failure(code, text))


class Lane:
    def __init__(
        self,
        carry_out: Callable[[Job], Awaitable[None]],
        guard: Guard,
        outcome_of: Callable[[Request], Outcome],
        on_done: Callable[[Request], None],
        on_crash: Callable[[BaseException], None],
        on_idle: Callable[[], None],
    ) -> None:
        """
        Args:
            carry_out: does what a job is for, and answers it, unless it is cancelled.
            guard: runs a coroutine, and takes an exception that escapes as a crash.
            outcome_of: what is known of the data of a request that is cut off while it runs.
            on_done: called when a request has been dealt with, before the next begins.
            on_crash: called with what says that one goes on for ever though it was cut off.
            on_idle: called when there is no next.
        """
        self._carry_out = carry_out
        self._guard = guard
        self._outcome_of = outcome_of
        self._on_done = on_done
        self._on_crash = on_crash
        self._on_idle = on_idle
        self._waiting: deque[Job] = deque()
        self.running: Job | None = None
        """The one that is carried out, and may be cut off."""
        self._resting: Job | None = None
        """The one whose call is to be made again; what runs meanwhile is done in its midst."""
        self.task: asyncio.Task[None] | None = None
        """Carries out one after the other; None while there are none."""
        self.keeps_time = False
        """Whether jobs know when they were put in line."""
        self._news: asyncio.Event | None = None

    def __iter__(self) -> Iterator[Request]:
        """What is not dealt with yet, in order."""
        if self.running is not None:
            yield self.running.request
        for job in self._waiting:
            yield job.request

    @property
    def begun(self) -> list[Job]:
        """What has begun, and is not over: one, or one and another in its midst."""
        jobs = dict.fromkeys((self._resting, self.running))
        return [job for job in jobs if job is not None]

    @property
    def is_resting(self) -> bool:
        """Whether a job waits until its call is made again, and nothing runs in its midst."""
        return self._resting is not None and self._resting is self.running

    @property
    def next(self) -> Request | None:
        """What is done after what runs."""
        return self._waiting[0].request if self._waiting else None

    def enter(self, job: Job) -> None:
        """Put a job in line."""
        if self.keeps_time:
            job.entered = asyncio.get_running_loop().time()
        self._waiting.append(job)
        if isinstance(job.request, DisconnectSystem) and (self.running or len(self._waiting) > 1):
            asyncio.get_running_loop().call_later(DISCONNECT_GRACE, self._hurry, job)
        self._go_on()

    def enter_first(self, job: Job) -> None:
        """Put a job before all that wait."""
        self._waiting.appendleft(job)
        self._go_on()

    def take_next(self) -> Job:
        """What is done after what runs, which is done together with that."""
        return self._waiting.popleft()

    def wake(self) -> None:
        """End a wait for what is to be done next."""
        if self._news is not None:
            self._news.set()

    async def until_entered(self, seconds: float) -> None:
        """Wait until there may be something to be done next, so many seconds at most."""
        self._news = asyncio.Event()
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            pass
        finally:
            self._news = None

    def take_out(self, unwanted: Callable[[Job], bool]) -> None:
        """Nobody waits for these any more: they never begin. What runs is not asked about."""
        self._waiting = deque(job for job in self._waiting if not unwanted(job))

    def take(self, kind: type[Request]) -> list[Job]:
        """Take out those of a kind that wait, in order."""
        taken = [job for job in self._waiting if isinstance(job.request, kind)]
        self.take_out(taken.__contains__)
        return taken

    def cut(self, why: str, code: FailureCode = FailureCode.NOT_CONNECTED) -> None:
        """Cut off what has begun."""
        for job in self.begun:
            self.cut_one(job, why, code)

    def cut_one(self, job: Job, why: str, code: FailureCode = FailureCode.NOT_CONNECTED) -> None:
        """Cut off one that has begun."""
        if job.cut is not None or self.task is None:
            return
        job.cut = job.request.failure(code, why, self._outcome_of(job.request))
        if job is self.running:  # else it finds out when what runs in its midst is over
            self.task.cancel()
            asyncio.get_running_loop().call_later(GIVE_WAY, self._must_be_over, job)

    async def rest(
        self,
        job: Job,
        seconds: float,
        is_over: Callable[[], bool],
        mends: Callable[[Request], bool],
    ) -> None:
        """Wait in the midst of a job, before its call is made again.

        Args:
            seconds: to wait at most.
            is_over: whether there is nothing to wait for any more; asked after each
                :meth:`wake`.
            mends: whether a request is not to wait for this job: it is carried out meanwhile,
                wherever it is in line, unless a disconnect is before it.
        """
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        self._resting = job
        try:
            while (left := ends - loop.time()) > 0 and not is_over():
                mending = self._take(mends)
                if mending is None:
                    await self.until_entered(left)
                    continue
                await self._run(mending)
                self.running = job
                if job.cut is not None:  # while that ran
                    raise asyncio.CancelledError
        finally:
            self._resting, self.running = None, job

    def _take(self, mends: Callable[[Request], bool]) -> Job | None:
        for place, job in enumerate(self._waiting):
            if isinstance(job.request, DisconnectSystem):
                return None
            if mends(job.request):
                del self._waiting[place]
                return job
        return None

    def fail_waiting(self, code: FailureCode, text: str) -> None:
        """Answer all that wait."""
        while self._waiting:
            self._waiting.popleft().fail(code, text)

    def clear(self) -> None:
        """Forget all that wait."""
        self._waiting.clear()

    async def until_idle(self, most: float) -> None:
        """Until nothing is to be done, for so many seconds at most."""
        if self.task is not None:
            await asyncio.wait({self.task}, timeout=most)

    def _hurry(self, disconnect: Job) -> None:
        """Its grace is over: what is still before a disconnect gives way."""
        if disconnect not in self._waiting:
            return
        while self._waiting[0] is not disconnect:
            job = self._waiting.popleft()
            job.fail(FailureCode.NOT_CONNECTED, "disconnected before its turn came")
        self.cut("cut off by a disconnect")

    def _must_be_over(self, job: Job) -> None:
        if self.running is job:
            text = (
                f"{type(job.request).__name__}: its connector goes on {GIVE_WAY:g} s after it was "
                "cancelled; a coroutine must end at its CancelledError"
            )
            self._on_crash(RuntimeError(text))

    def _go_on(self) -> None:
        self.wake()
        if self.task is None:
            self.task = asyncio.create_task(self._guard(self._run_all))

    async def _run_all(self) -> None:
        try:
            while self._waiting:
                await self._run(self._waiting.popleft())
        finally:
            self.task = None
        self._on_idle()

    async def _run(self, job: Job) -> None:
        self.running = job
        try:
            await self._carry_out(job)
        except asyncio.CancelledError:
            if job.cut is None:
                raise
            job.origin.reply(job.cut)
        finally:
            self.running = None
            if job.cut is not None and self.task is not None:
                self.task.uncancel()  # also when the connector swallowed it
        self._on_done(job.request)
