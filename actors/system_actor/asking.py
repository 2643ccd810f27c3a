"""Questions to one system, each paired with its own answer or with none.

Runs on the system actor's event loop, in the engine's lane: while a question is asked nothing
else is sent, and what comes is its answer or came unasked. An answer that is late could be taken
for the next question's: the connection is then *tainted*, and made anew before that.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Final

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
from actors.system_actor.receiving import Receiver
from actors.system_actor.sending import NOT_CONNECTED_TEXT, gave

_MOST_SETTLING: Final = 2.0
"""Seconds for which a system is waited for to fall silent before it is asked."""

_GIVEN_UP: Final = "a question was given up"


class Asker:
    def __init__(
        self,
        system: ExternalSystemInterface,
        receiver: Receiver,
        on_error: Callable[[Exception], None],
        on_drop: Callable[[int], None],
        max_payload_bytes: int,
    ) -> None:
        """
        Args:
            on_error: told of each expected error of the system's.
            on_drop: told how many items came unasked and are dropped.
            max_payload_bytes: above which an answer is a failure.
        """
        self._system = system
        self._receiver = receiver
        self._on_error = on_error
        self._on_drop = on_drop
        self._max_payload_bytes = max_payload_bytes
        self._tells_apart = type(system).concurrent_queries or tells_answers_apart(type(system))
        self._pairs_by_itself = type(system).query_data is not ExternalSystemInterface.query_data
        self.outcome = Outcome.NOT_SENT
        """What is known of the question that is being asked, should it be cut off."""
        self.why_tainted: str | None = None
        """Why an answer may come that is nobody's; None when none may."""
        system._extsys_ask = self._ask_system

    async def ask(self, request: QueryData) -> QueryAnswered | Failure:
        """Carry out a query; the answer to it."""
        if not self._system.is_connected:
            return request.failure(FailureCode.NOT_CONNECTED, NOT_CONNECTED_TEXT)
        try:
            question = unwrap(request.data)
        except PayloadError as error:
            return request.failure(FailureCode.INVALID_REQUEST, str(error))
        self.outcome = Outcome.UNKNOWN
        wait = self._system.query_timeout if request.wait is None else request.wait
        try:
            answer = await self._system.query_data(question, wait)
        except EXPECTED_ERRORS as error:
            self._on_error(error)
            error = self._as_no_answer(error, wait)
            if isinstance(error, NoAnswerError):
                self._taint(str(error))
            return self._failed(request, error)
        except asyncio.CancelledError:
            if self.outcome is Outcome.UNKNOWN:
                self._taint(_GIVEN_UP)
            raise
        finally:
            self.outcome = Outcome.NOT_SENT
        try:
            data = wrap_encoded(answer, self._max_payload_bytes)
        except PayloadError as error:
            text = f"the question was answered, but {error}"
            return request.failure(FailureCode.CONNECTOR_ERROR, text, Outcome.UNKNOWN)
        return QueryAnswered(
            request_id=request.request_id, system_name=request.system_name, data=data
        )

    def connection_ended(self) -> None:
        """Nothing can come any more on the connection on which something was asked."""
        self.why_tainted = None

    def _as_no_answer(self, error: Exception, wait: float) -> Exception:
        """A class that pairs by itself may let ``asyncio.timeout`` say that no answer came."""
        if self._pairs_by_itself and isinstance(error, TimeoutError):
            return NoAnswerError(str(error) or f"no answer within {wait:g} s")
        return error

    def _failed(self, request: QueryData, error: Exception) -> Failure:
        outcome = Outcome.NOT_SENT if isinstance(error, NotSentError) else Outcome.UNKNOWN
        if isinstance(error, NoAnswerError):
            return request.failure(FailureCode.TIMEOUT, str(error), outcome)
        if not self._system.is_connected and isinstance(error, NotSentError):
            return request.failure(FailureCode.NOT_CONNECTED, describe(error), outcome)
        return request.failure(FailureCode.CONNECTOR_ERROR, describe(error), outcome)

    # ---- built from sends and receives -------------------------------------------------------

    async def _ask_system(self, question: Any, timeout: float) -> Any:
        """What the default ``query_data`` does."""
        if type(self._system).concurrent_queries:
            raise TypeError(
                f"{type(self._system).__name__} sets concurrent_queries, and calls the default "
                "query_data, which asks one question at a time"
            )
        self.outcome = Outcome.NOT_SENT
        pairing = _Pairing(self._system, self._on_drop)
        with self._receiver.heard_by(pairing):
            if not await self._receiver.settle(_MOST_SETTLING) and not self._tells_apart:
                raise NotSentError(
                    "it does not fall silent, and its class has no answers() of its own to tell "
                    "an answer from what else comes"
                )
            self.outcome = Outcome.UNKNOWN
            with pairing.asking(question) as answer:
                try:
                    await self._send(question)
                    return await _in_time(answer, timeout)
                except NotSentError:
                    raise
                except BaseException as error:
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
