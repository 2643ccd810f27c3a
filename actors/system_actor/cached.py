"""Answers that a system has given, given again; and a question that several ask at once, asked
once. It stands before an engine, and has the face of one.

Runs on the system actor's event loop. What is answered here takes no turn, no connection and no
part of a limit.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from typing import Any, Final

import attrs

from actors.interface import ExternalSystemInterface, cacheable_commands
from actors.messages import (
    CacheInvalidated,
    CallCommand,
    CommandCalled,
    FailureCode,
    InvalidateCache,
    Outcome,
    QueryAnswered,
    QueryData,
    Reason,
    Reply,
    Request,
    SendData,
    SendMany,
    is_final,
)
from actors.payload import Payload, encode, payload_size
from actors.resilience.cache import Cache, CachePolicy, Flight, Hit
from actors.system_actor.face import SystemEngine
from actors.system_actor.reports import Origin, Reports

Key = tuple[str, type, str | bytes, bytes]
"""The command, or nothing for a query; then the question as bytes, or as the text it is."""
_QUERY: Final = ""


@attrs.define(eq=False)
class _Question:
    """One that is under way."""

    flight: Flight[Key, Origin]
    ref: int
    wait: float
    """Seconds that its answer may take."""
    size: int
    """Of its key, in bytes."""


@attrs.define(eq=False)
class _Caller:
    """Somebody who waits for it."""

    request: Request
    question: _Question
    timer: asyncio.TimerHandle | None = None

    def cancel_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()


class CachedEngine:
    def __init__(
        self,
        engine: SystemEngine,
        system: ExternalSystemInterface,
        policy: CachePolicy,
        reports: Reports,
    ) -> None:
        self._engine = engine
        self._system = system
        self._policy = policy
        self._cache: Cache[Key, Reply, Origin] = Cache(policy)
        self._cacheable = cacheable_commands(type(system))
        self._refs = itertools.count(1)
        """Of what this asks of the engine itself: each is an origin for it."""
        self._questions: dict[int, _Question] = {}
        self._by_flight: dict[Flight[Key, Origin], _Question] = {}
        self._callers: dict[Origin, _Caller] = {}
        self._changing: dict[int, Origin] = {}
        """What may change what is answered, until it is done."""
        self._changes: dict[Origin, int] = {}
        """The same the other way round."""
        self._loop = asyncio.get_running_loop()
        reports.cache_state = lambda: self._cache.state
        reports.on_loss = self._forget_all

    # ---- in ---------------------------------------------------------------------------------

    def submit(self, origin: Origin, request: Request) -> None:
        """Answer a request, or have it answered."""
        if self._engine.is_stopping:
            self._engine.submit(origin, request)
        elif isinstance(request, InvalidateCache):
            count = self._invalidate(request.command)
            origin.reply(
                CacheInvalidated(
                    request_id=request.request_id, system_name=request.system_name, answers=count
                )
            )
        elif self._is_question(request):
            self._ask(origin, request)
        elif isinstance(request, SendData | SendMany | CallCommand) and not (
            self._policy.across_sends
        ):
            self._change(origin, request)
        else:
            self._engine.submit(origin, request)

    def _ask(self, origin: Origin, request: Request) -> None:
        if not self._engine.is_connected:
            self._forget_all()
            self._engine.submit(origin, request)
            return
        key, wait = self._key_of(request), self._wait_of(request)
        under_way = self._cache.under_way(key)
        if under_way is not None and wait > self._by_flight[under_way].wait:
            self._cache.pass_by()  # whoever asks is prepared to wait longer than that may take
            self._engine.submit(origin, request)
            return
        found = self._cache.ask(key, origin, self._loop.time())
        if isinstance(found, Hit):
            origin.reply(_given_again(found.answer, request))
            return
        if found.is_new:
            question = _Question(found.flight, next(self._refs), wait, len(key[2]) + len(key[3]))
            self._questions[question.ref] = self._by_flight[found.flight] = question
            self._callers[origin] = _Caller(request, question)
            self._engine.submit(Origin(self, question.ref), request)
            return
        question = self._by_flight[found.flight]
        caller = self._callers[origin] = _Caller(request, question)
        if wait < question.wait:
            caller.timer = self._loop.call_later(wait, self._ran_out, origin, wait)

    def _change(self, origin: Origin, request: Request) -> None:
        """What is sent, or another command, may change what is answered, from now on until it is
        done."""
        self._forget_all()
        ref = next(self._refs)
        self._changing[ref], self._changes[origin] = origin, ref
        self._engine.submit(Origin(self, ref), request)

    def forget(self, origins: frozenset[Origin]) -> None:
        """Nobody waits for these any more."""
        rest = set(origins)
        for origin in origins & self._callers.keys():
            rest.discard(origin)
            rest |= self._leave(origin)
        for origin in origins & self._changes.keys():
            rest.discard(origin)
            rest.add(Origin(self, self._done(origin)))
        self._engine.forget(frozenset(rest))

    def told(self, command: str | None) -> None:
        """By a connector, in whatever thread: what it has answered is not true any more."""
        try:
            on_loop = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            on_loop = False
        if on_loop:
            self._invalidate(command)
        else:
            self._loop.call_soon_threadsafe(self._invalidate, command)

    # ---- out --------------------------------------------------------------------------------

    def reply(self, ref: int, reply: Reply) -> None:
        """Something came of what was asked of the engine."""
        question = self._questions.pop(ref, None)
        if question is not None:
            self._answered(question, reply)
        elif ref in self._changing:
            origin = self._changing[ref]
            if is_final(reply):
                self._done(origin)
            origin.reply(reply)

    def _answered(self, question: _Question, reply: Reply) -> None:
        """As it was answered, or failed, it is for all who ask it."""
        del self._by_flight[question.flight]
        if isinstance(reply, QueryAnswered | CommandCalled):
            data = reply.data if isinstance(reply, QueryAnswered) else reply.result
            size = question.size + payload_size(data)
            now = self._loop.time()
            origins = self._cache.answered(question.flight, reply, size, now)
        else:
            origins = self._cache.failed(question.flight)
        for number, origin in enumerate(origins):
            caller = self._callers.pop(origin)
            caller.cancel_timer()
            if number:
                reply = _given_again(reply, caller.request)
            else:
                reply = attrs.evolve(reply, request_id=caller.request.request_id)
            origin.reply(reply)

    # ---- details ----------------------------------------------------------------------------

    def _forget_all(self) -> None:
        self._cache.invalidate()

    def _invalidate(self, command: str | None) -> int:
        return self._cache.invalidate(lambda key: command is None or key[0] == command)

    def _is_question(self, request: Request) -> bool:
        if isinstance(request, QueryData):
            return self._policy.queries
        return isinstance(request, CallCommand) and request.command in self._cacheable

    def _key_of(self, request: Request) -> Key:
        if isinstance(request, CallCommand):
            return request.command, tuple, _as_bytes(request.args), _as_bytes(request.kwargs)
        assert isinstance(request, QueryData)
        data = request.data
        is_plain = isinstance(data, str | bytes)
        return _QUERY, type(data), data if is_plain else _as_bytes(data), b""

    def _wait_of(self, request: Request) -> float:
        if not isinstance(request, QueryData):
            return math.inf
        return self._system.query_timeout if request.wait is None else request.wait

    def _leave(self, origin: Origin) -> set[Origin]:
        """Somebody does not wait any more; what nobody waits for then."""
        caller = self._callers.pop(origin)
        caller.cancel_timer()
        question = caller.question
        if not self._cache.leave(question.flight, origin):
            return set()
        del self._questions[question.ref], self._by_flight[question.flight]
        return {Origin(self, question.ref)}

    def _ran_out(self, origin: Origin, wait: float) -> None:
        request = self._callers[origin].request
        ended = self._leave(origin)
        text = f"no answer within {wait:g} s"
        origin.reply(request.failure(FailureCode.TIMEOUT, text, Outcome.UNKNOWN))
        if ended:
            self._engine.forget(frozenset(ended))

    def _done(self, origin: Origin) -> int:
        """What may change answers has ended."""
        ref = self._changes.pop(origin)
        del self._changing[ref]
        self._forget_all()
        return ref

    # ---- the face of an engine --------------------------------------------------------------

    @property
    def is_stopping(self) -> bool:
        return self._engine.is_stopping

    @property
    def is_tapped(self) -> bool:
        return self._engine.is_tapped

    @property
    def is_connected(self) -> bool:
        return self._engine.is_connected

    @property
    def may_have_lost(self) -> bool:
        return self._engine.may_have_lost

    def look(self) -> None:
        self._engine.look()

    def background_failed(self, error: Exception) -> None:
        self._engine.background_failed(error)

    def take_back(self, items: tuple[Any, ...]) -> None:
        self._engine.take_back(items)

    def set_tap(self, on: bool) -> None:
        self._engine.set_tap(on)

    async def stop(self, grace: float) -> Reason | None:
        return await self._engine.stop(grace)


def _as_bytes(data: object) -> bytes:
    return data.encode_now() if isinstance(data, Payload) else encode(data)


def _given_again(reply: Reply, request: Request) -> Reply:
    """The same answer to another who asks it."""
    if isinstance(reply, QueryAnswered):
        return attrs.evolve(reply, request_id=request.request_id, given_again=True)
    return attrs.evolve(reply, request_id=request.request_id)
