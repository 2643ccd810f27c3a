"""The manager's calls about what could not be delivered."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from actors.messages import Reply, Request
from supervisor.durable.entry import DeadLetter, Form
from supervisor.durable.exchange import LineError, from_line, to_line
from supervisor.messages import SupervisorRequest
from supervisor.messages.dead_letters import (
    DeadLettersDone,
    DeadLettersGiven,
    DiscardDeadLetters,
    ImportDeadLetters,
    ListDeadLetters,
    RetryDeadLetters,
)

_AT_ONCE = 4 << 20
"""Bytes of data that are taken in at once."""


class _Asks(Protocol):
    async def _ask_for(
        self, request: Request | SupervisorRequest, wanted: type[Reply]
    ) -> Any:  # the reply, or None
        ...


class KeepsDeadLetters:
    """Mixed into :class:`~supervisor.ExternalSystemManager`. A dead letter is known by the number
    of its entry, ``letter.entry.id``."""

    async def dead_letters(self: _Asks, name: str | None = None) -> list[DeadLetter]:
        """What could not be delivered, to a system or to any, the oldest first; also what blocks
        an outbox. ``letter.entry.data.wrapped()`` gives the data as it is in messages."""
        return [letter for letter, _ in await _all(self, name)]

    async def journal_id(self: _Asks) -> str | None:
        """Of the journal of this manager's supervisor; None if it has none, or cannot say."""
        given = await self._ask_for(ListDeadLetters(ids=()), DeadLettersGiven)
        return None if given is None else given.journal_id or None

    async def retry_dead_letters(
        self: _Asks, ids: Iterable[int] | None = None, *, name: str | None = None
    ) -> int:
        """Have dead letters delivered after all: they wait again at their old places, with no
        attempt counted. All of them or none, if one of them is not there.

        Args:
            ids: None for all.
            name: only those of this system.

        Returns:
            how many, once that is on the disk.
        """
        chosen = None if ids is None else tuple(ids)
        return _count(await self._ask_for(RetryDeadLetters(name, chosen), DeadLettersDone))

    async def discard_dead_letters(
        self: _Asks, ids: Iterable[int] | None = None, *, name: str | None = None
    ) -> int:
        """Forget dead letters for good; which, and what it returns, as of
        :meth:`retry_dead_letters`."""
        chosen = None if ids is None else tuple(ids)
        return _count(await self._ask_for(DiscardDeadLetters(name, chosen), DeadLettersDone))

    async def export_dead_letters(self: _Asks, name: str | None = None) -> list[str]:
        """Dead letters as lines of JSON, with data and history, as ``extsys dead-letters export``
        prints them. They stay in the journal."""
        return [to_line(letter, journal_id) for letter, journal_id in await _all(self, name)]

    async def import_dead_letters(
        self: _Asks, lines: Iterable[str], *, allow_pickle: bool = False
    ) -> int:
        """Take in dead letters from lines of JSON. Those that are here already are passed over.

        Args:
            allow_pickle: also take pickled data. Who made it has code run in the process of its
                system.

        Returns:
            how many, once they are on the disk.

        Raises:
            ValueError: a line is no dead letter; then nothing was taken in.
        """
        letters = [
            letter_of_line(line, number, allow_pickle)
            for number, line in enumerate(lines, 1)
            if line.strip()
        ]
        return await _take_in(self, letters)

    async def take_in_dead_letters(self: _Asks, letters: Iterable[DeadLetter]) -> int:
        """The same for what :meth:`dead_letters` of another manager gave, with the ``origin`` of
        each entry set to its idempotency id."""
        return await _take_in(self, letters)


async def _take_in(manager: _Asks, letters: Iterable[DeadLetter]) -> int:
    parts: list[list[DeadLetter]] = [[]]
    size = 0
    for letter in letters:
        if (size := size + letter.entry.data.size) > _AT_ONCE:
            parts.append([])
            size = letter.entry.data.size
        parts[-1].append(letter)
    done = 0
    for part in filter(None, parts):
        done += _count(await manager._ask_for(ImportDeadLetters(part), DeadLettersDone))
    return done


def letter_of_line(line: str, number: int, allow_pickle: bool) -> DeadLetter:
    """
    Raises:
        LineError: it is no dead letter, or one with pickled data.
    """
    try:
        letter = from_line(line, 0)
        if letter.entry.data.form is Form.PICKLE and not allow_pickle:
            raise LineError(
                "its data is pickled; if you trust its origin: --allow-pickle (allow_pickle=True)"
            )
    except LineError as error:
        raise LineError(f"line {number}: {error}") from error
    return letter


async def _all(manager: _Asks, name: str | None) -> list[tuple[DeadLetter, str]]:
    """Each with the id of its journal."""
    found: list[tuple[DeadLetter, str]] = []
    more = True
    while more:
        after = found[-1][0].entry.id if found else 0
        given = await manager._ask_for(ListDeadLetters(name, after=after), DeadLettersGiven)
        if given is None:
            break
        found += [(letter, given.journal_id) for letter in given.letters]
        more = given.more
    return found


def _count(done: DeadLettersDone | None) -> int:
    return 0 if done is None else len(done.ids)
