"""Questions to one system, each paired with its own answer or with none.

Runs on the system actor's event loop, in the engine's lane: while a question is asked nothing
else is sent, and what comes is its answer or came unasked. An answer that is late could be taken
for the next question's: the connection is then *tainted*, and made anew before that.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, Final

import attrs

from actors.errors import (
    EXPECTED_ERRORS,
    ConnectorError,
    NoAnswerError,
    NotSentError,
    describe,
)
from actors.interface import ExternalSystemInterface, tells_answers_apart
from actors.messages import Failure, FailureCode, Outcome, QueryAnswered, QueryData
from actors.payload import PayloadError, unwrap, wrap_encoded
from actors.system_actor.losses import why_not_connected
from actors.system_actor.receiving import Receiver
from actors.system_actor.sending import code_of, gave

_MOST_SETTLING: Final = 2.0
"""Seconds for which a system is waited for to fall silent before it is asked."""

_GIVEN_UP: Final = "a question was given up"
LATE: Final = "an answer to an earlier question may still come ({})"


@attrs.define(eq=False)
class _Asked:
    """What is known of a query under way, for which its class may ask several questions."""

    outcome: Outcome = Outcome.UNKNOWN
    """What to say should it be cut off."""
    has_gone_out: bool = False
    """Whether one of its questions has, or may have."""


_asked: ContextVar[_Asked | None] = ContextVar("_asked", default=None)
"""None where a command asks."""


class Asker:
    def __init__(
        self,
        system: ExternalSystemInterface,
        receiver: Receiver,
        on_error: Callable[[Exception], None],
        on_drop: Callable[[int], None],
        on_taint: Callable[[], None],
        max_payload_bytes: int,
    ) -> None:
        """
        Args:
            on_error: told of each expected error of the system's.
            on_drop: told how many items came unasked and are dropped.
            on_taint: told when the connection has become of no use for a question.
            max_payload_bytes: above which an answer is a failure.
        """
        self._system = system
        self._receiver = receiver
        self.on_error = on_error
        self._on_drop = on_drop
        self._on_taint = on_taint
        self._max_payload_bytes = max_payload_bytes
        self._tells_apart = type(system).concurrent_queries or tells_answers_apart(type(system))
        self._pairs_by_itself = type(system).query_data is not ExternalSystemInterface.query_data
        self._running: _Asked | None = None
        self._pairing: _Pairing | None = None
        """Of the question that is out."""
        self._turn = asyncio.Lock()
        """A command may ask as well, while the lane does."""
        self.asked_until = -math.inf
        """When the time is over of the question that is under way; long ago if none is, or if
        several may be."""
        self.on_answer: Callable[[], None] = lambda: None
        """Called when a question was answered."""
        self.why_tainted: str | None = None
        """Why an answer may come that is nobody's; None when none may."""
        system._extsys_ask = self._ask_system

    async def ask(self, request: QueryData) -> QueryAnswered | Failure:
        """Carry out a query; the answer to it."""
        if not self._system.is_connected:
            return request.failure(*why_not_connected(self._system))
        try:
            question = unwrap(request.data)
        except PayloadError as error:
            return request.failure(FailureCode.INVALID_REQUEST, str(error))
        wait = self._system.query_timeout if request.wait is None else request.wait
        asked = self._running = _Asked()
        token = _asked.set(asked)
        try:
            with self._under_way(wait):
                answer = await self._system.query_data(question, wait)
        except EXPECTED_ERRORS as error:
            self.on_error(error)
            error = self._as_no_answer(error, wait)
            if isinstance(error, NoAnswerError):
                self._taint(str(error))
            return self._failed(request, error, asked)
        except asyncio.CancelledError:
            if asked.outcome is Outcome.UNKNOWN:
                self._taint(_GIVEN_UP)
            raise
        finally:
            _asked.reset(token)
            self._running = None
        self.on_answer()
        try:
            data = wrap_encoded(answer, self._max_payload_bytes)
        except PayloadError as error:
            text = f"the question was answered, but {error}"
            return request.failure(FailureCode.CONNECTOR_ERROR, text, Outcome.UNKNOWN)
        return QueryAnswered(
            request_id=request.request_id, system_name=request.system_name, data=data
        )

    async def until_free(self) -> None:
        """Until no command asks."""
        async with self._turn:
            pass

    def connection_ended(self) -> None:
        """Nothing can come any more on the connection on which something was asked."""
        self.why_tainted = None

    def connection_lost(self, why: str) -> None:
        """Its connector said so: no answer comes to the question that is out."""
        if self._pairing is not None:
            self._pairing.fails(ConnectorError(f"the connection was lost: {why}"))

    @property
    def outcome(self) -> Outcome:
        """What is known of the question that is being asked, should it be cut off."""
        return Outcome.NOT_SENT if self._running is None else self._running.outcome

    @contextlib.contextmanager
    def _under_way(self, wait: float) -> Iterator[None]:
        """While a question is, for so many seconds at most."""
        if type(self._system).concurrent_queries:
            yield
            return
        before = self.asked_until
        self.asked_until = max(before, asyncio.get_running_loop().time() + wait)
        try:
            yield
        finally:
            self.asked_until = before

    def _as_no_answer(self, error: Exception, wait: float) -> Exception:
        """A class that pairs by itself may let ``asyncio.timeout`` say that no answer came."""
        if self._pairs_by_itself and isinstance(error, TimeoutError):
            return NoAnswerError(str(error) or f"no answer within {wait:g} s")
        return error

    def _failed(self, request: QueryData, error: Exception, asked: _Asked) -> Failure:
        is_known = isinstance(error, NotSentError) and not asked.has_gone_out
        outcome = Outcome.NOT_SENT if is_known else Outcome.UNKNOWN
        if isinstance(error, NoAnswerError):
            return request.failure(FailureCode.TIMEOUT, str(error), outcome)
        if not self._system.is_connected and isinstance(error, NotSentError):
            return request.failure(FailureCode.NOT_CONNECTED, describe(error), outcome)
        return request.failure(code_of(error), describe(error), outcome)

    # ---- built from sends and receives -------------------------------------------------------

    async def _ask_system(self, question: Any, timeout: float) -> Any:
        """What the default ``query_data`` does."""
        if type(self._system).concurrent_queries:
            raise TypeError(
                f"{type(self._system).__name__} sets concurrent_queries, and calls the default "
                "query_data, which asks one question at a time"
            )
        asked = _asked.get() or _Asked()
        if not asked.has_gone_out:
            asked.outcome = Outcome.NOT_SENT
        async with self._turn:
            self._check_connection()
            pairing = _Pairing(self._system, self._on_drop)
            with self._under_way(_MOST_SETTLING + timeout), self._receiver.heard_by(pairing):
                if not await self._receiver.settle(_MOST_SETTLING) and not self._tells_apart:
                    raise NotSentError(
                        "it does not fall silent, and its class has no answers() of its own to "
                        "tell an answer from what else comes"
                    )
                self._check_connection()
                asked.outcome = Outcome.UNKNOWN
                self._pairing = pairing
                try:
                    with pairing.asking(question) as answer:
                        return await self._have_answered(question, answer, timeout, asked)
                finally:
                    self._pairing = None

    def _check_connection(self) -> None:
        if not self._system.is_connected:
            raise NotSentError(why_not_connected(self._system)[1])
        if self.why_tainted is not None:
            raise NotSentError(LATE.format(self.why_tainted))

    async def _have_answered(
        self, question: Any, answer: asyncio.Future[Any], timeout: float, asked: _Asked
    ) -> Any:
        is_sent = False
        try:
            await self._send(question)
            is_sent = asked.has_gone_out = True
            task = asyncio.current_task()
            if task is not None and task.cancelling():  # the connector swallowed it
                raise asyncio.CancelledError
            return await _in_time(answer, timeout)
        except BaseException as error:
            if isinstance(error, NotSentError) and not is_sent:
                if answer.done() and answer.exception() is None:
                    self._receiver.give(answer.result())  # it came unasked, then
                raise
            asked.has_gone_out = True
            self._taint(_why_open(error))
            raise

    async def _send(self, question: Any) -> None:
        taken = await self._system.send_data(question)
        if not taken:
            text = f"the system did not take it (send_data {gave(taken)})"
            raise ConnectorError(text) if taken is None else NotSentError(text)

    def _taint(self, why: str) -> None:
        if self._system.is_connected and not self._tells_apart and self.why_tainted is None:
            self.why_tainted = why
            self._on_taint()


def _why_open(error: BaseException) -> str:
    """Why an answer may still come."""
    if isinstance(error, asyncio.CancelledError):
        return _GIVEN_UP
    return str(error) if isinstance(error, NoAnswerError) else describe(error)


async def _in_time(answer: asyncio.Future[Any], timeout: float) -> Any:
    """
    Raises:
        NoAnswerError: it did not come.
    """
    try:
        async with asyncio.timeout(timeout) as limit:
            return await answer
    except TimeoutError as error:
        if not limit.expired():
            raise  # the system's own
        if answer.done() and not answer.cancelled():
            return answer.result()  # just in time
        raise NoAnswerError(f"no answer within {timeout:g} s") from error


class _Pairing:
    """Decides of each item whether it is the answer."""

    def __init__(self, system: ExternalSystemInterface, on_drop: Callable[[int], None]) -> None:
        self._system = system
        self._on_drop = on_drop
        self._question: Any = None
        self._answer: asyncio.Future[Any] | None = None
        """None until the question is about to go out: what comes before cannot answer it."""

    @contextlib.contextmanager
    def asking(self, question: Any) -> Iterator[asyncio.Future[Any]]:
        """While this lasts an item may be the answer: the future's result."""
        self._question = question
        self._answer = answer = asyncio.get_running_loop().create_future()
        try:
            yield answer
        finally:
            if not answer.cancel() and not answer.cancelled():
                answer.exception()  # nobody may have waited for it

    def takes(self, item: Any) -> bool:
        answer = self._answer
        if answer is not None and not answer.done() and self._system.answers(self._question, item):
            answer.set_result(item)
            return True
        if self._system.unasked == "drop":
            self._on_drop(1)
            return True
        return False

    def fails(self, error: Exception) -> bool:
        if self._answer is None or self._answer.done():
            return False
        self._answer.set_exception(error)
        return True
