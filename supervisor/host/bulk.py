"""Many items, many questions, or many systems in one call, with a result for each."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, Protocol, TypeVar

from actors import loggers
from actors.messages import Failure, FailureCode, QueryData
from actors.payload import wrap
from supervisor.client.batching import Manner, whether_sent
from supervisor.errors import PartlyFailedError, error_of
from supervisor.host.answers import answer_to
from supervisor.host.dialog import Dialog, host_failure
from supervisor.host.selecting import has_wildcard, select, wanted
from supervisor.messages import AllStatusGiven, GetAllStatus
from supervisor.specs.options import SupervisorOptions

T = TypeVar("T")
R = TypeVar("R", list[Any], dict[str, Any])

QUESTIONS_OUT: Final = 32
"""Questions of one call that are asked and not answered: enough for a system that answers several
at once, and that the way there is never idle; a small part of a mailbox."""

_log = logging.getLogger(loggers.MANAGER)


class _Asks(Protocol):
    _dialog: Dialog
    _strict: bool
    _options: SupervisorOptions

    def _settle(self, results: R, what: str) -> R: ...

    async def _to_each(
        self, to: str | Iterable[str], ask: Callable[[str], Awaitable[Any]]
    ) -> dict[str, Any]: ...


class Bulk:
    """Mixed into :class:`~supervisor.ExternalSystemManager`."""

    async def send_many_to_system(
        self: _Asks,
        name: str,
        items: Sequence[Any],
        *,
        durable: bool | None = None,
        wait: bool = False,
    ) -> list[bool]:
        """Send items in order; for each whether the system took it, or it was accepted.

        Args:
            durable: as of ``send_data_to_system``, and so is ``wait``.

        With ``strict``, failures are raised together as a
        :class:`~supervisor.PartlyFailedError`.
        """
        sent = await self._dialog.send_many(name, tuple(items), Manner(durable, wait))
        results = list(map(whether_sent, sent))
        settled = self._settle(results, f"items were not sent to {name!r}")
        return [each is True for each in settled]

    async def query_many(
        self: _Asks, name: str, questions: Sequence[Any], timeout: float | None = None
    ) -> list[Any]:
        """Ask a system questions in order; the answer to each, or None where there is none.

        A question without an answer does not keep the next from being asked. Where the system
        answers several at once, up to 32 are asked at once. Each has as much time as if it
        were asked alone, when its turn comes.

        With ``strict``, failures are raised together as a
        :class:`~supervisor.PartlyFailedError`, whose ``results`` has the answers.

        Args:
            timeout: seconds to wait for each answer, as of :meth:`query_system`.
        """
        patience = self._options.request_timeout + (timeout or 0.0)

        async def ask(question: Any, turns: int) -> Any | Failure:
            # Alone it has the supervisor's own patience; behind others, theirs as well.
            limit = None if turns == 1 else turns * patience
            return await answer_to(self._dialog, QueryData(name, question, timeout, timeout=limit))

        results = await _in_turn(tuple(questions), ask)
        return self._settle(results, f"questions to {name!r} were not answered")

    async def broadcast(
        self: _Asks,
        to: str | Iterable[str],
        data: Any,
        *,
        durable: bool | None = None,
        wait: bool = False,
    ) -> dict[str, bool]:
        """Send an item to several systems at once; for each whether it took it, or it was
        accepted.

        No system waits for another.

        Args:
            to: a name, a pattern such as ``"plc-*"``, or several of both. ``*`` stands for any
                text, ``?`` for one character, ``[ab]`` for one of these; a system's name is
                always that system.
            durable: as of ``send_data_to_system``, and so is ``wait``.

        Returns:
            by name, each system once, in the order in which they were named; those of a
            pattern in that of their registration. What no system is called, and a pattern
            that matches none, is in it with False.

        Raises:
            PartlyFailedError: with ``strict``, if any failed; its ``results`` has all.
            TypeError: ``to`` is no text, nor several.
        """
        item = wrap(data)  # pickled once for all
        manner = Manner(durable, wait)

        async def send(name: str) -> bool | Failure:
            return whether_sent(await self._dialog.send(name, item, manner))

        results = await self._to_each(to, send)
        settled = self._settle(results, "systems were not sent to")
        return {name: each is True for name, each in settled.items()}

    async def broadcast_query(
        self: _Asks, to: str | Iterable[str], question: Any, timeout: float | None = None
    ) -> dict[str, Any]:
        """Ask several systems the same question at once; the answer of each, or None.

        Args:
            to: as of :meth:`broadcast`, and so are the order and what is raised.
            timeout: seconds to wait for each answer, as of :meth:`query_system`.
        """
        item = wrap(question)

        async def ask(name: str) -> Any | Failure:
            return await answer_to(self._dialog, QueryData(name, item, timeout))

        results = await self._to_each(to, ask)
        return self._settle(results, "systems did not answer")

    # ---- details -------------------------------------------------------------------------

    async def _to_each(
        self: _Asks, to: str | Iterable[str], ask: Callable[[str], Awaitable[Any]]
    ) -> dict[str, Any]:
        """Ask each of the systems that are meant; the result of each, or its failure."""
        those = wanted(to)
        if not any(map(has_wildcard, those)):
            names, results = tuple(dict.fromkeys(those)), {}
        else:
            reply = await self._dialog.ask(GetAllStatus())
            if not isinstance(reply, AllStatusGiven):
                assert isinstance(reply, Failure)
                return dict.fromkeys(those, reply)
            selection = select(those, [status.name for status in reply.systems])
            names = selection.names
            results = {each: _unmatched(each) for each in selection.unmatched}
        answers = await asyncio.gather(*map(ask, names))
        return {**dict(zip(names, answers, strict=True)), **results}

    def _settle(self: _Asks, results: R, what: str) -> R:
        """Results of which some are failures, in this manager's manner: those are raised
        together, or logged and None."""
        each = results.values() if isinstance(results, dict) else results
        failures = [result for result in each if isinstance(result, Failure)]
        if not failures:
            return results
        if self._strict:
            text = f"{len(failures)} of {len(results)} {what}"
            raise PartlyFailedError(text, [error_of(failure) for failure in failures], results)
        if isinstance(results, dict):
            for failure in failures:
                _log.warning("%s", failure.text)
            return {name: _or_none(result) for name, result in results.items()}
        _log.warning("%s (%d of %d)", failures[0].text, len(failures), len(results))
        return [_or_none(result) for result in results]


async def _in_turn(items: Sequence[T], ask: Callable[[T, int], Awaitable[Any]]) -> list[Any]:
    """Ask in order, so many at once; the results in that order.

    Args:
        ask: is given an item, and whose turn it is: 1 where nothing is out before it.
    """
    room = asyncio.Semaphore(QUESTIONS_OUT)
    out = 0

    async def one(item: T, turns: int) -> Any:
        nonlocal out
        try:
            return await ask(item, turns)
        finally:
            out -= 1
            room.release()

    async with asyncio.TaskGroup() as group:
        tasks = []
        for item in items:
            await room.acquire()
            out += 1
            tasks.append(group.create_task(one(item, out)))
    return [task.result() for task in tasks]


def _or_none(result: Any) -> Any:
    return None if isinstance(result, Failure) else result


def _unmatched(pattern: str) -> Failure:
    text = "no system's name matches this pattern"
    return host_failure(pattern, text, FailureCode.UNKNOWN_SYSTEM)
