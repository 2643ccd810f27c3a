"""One of several connections to a system: a connector of its own, with an engine around it.

Lives on the event loop. What the pool itself asks of a connection is an *errand*.
"""

from __future__ import annotations

import asyncio
import enum
import itertools
from collections.abc import Callable
from typing import Any, Final, Protocol

import attrs

from actors.interface import ExternalSystemInterface
from actors.messages import (
    CheckHealth,
    ConnectSystem,
    FailureCode,
    Reason,
    Reply,
    Request,
)
from actors.system_actor.engine import Engine
from actors.system_actor.renewing import Retire
from actors.system_actor.reports import Origin, Reporting


class Errand(enum.StrEnum):
    """What a pool has done with a connection. The values follow "it did not"."""

    OPEN = "connect"
    CHECK = "answer its check"
    CLOSE = "disconnect"


_KINDS: Final[dict[Errand, type[Request]]] = {
    Errand.OPEN: ConnectSystem,
    Errand.CHECK: CheckHealth,
    Errand.CLOSE: Retire,
}
_LIMITS: Final = {Errand.OPEN: 60.0, Errand.CHECK: 5.0, Errand.CLOSE: 30.0}
"""Seconds."""


class MemberOwner(Protocol):
    """The pool, as far as a member tells it anything."""

    def done(self, member: Member, errand: Errand, reply: Reply) -> None:
        """An errand has ended."""

    def rested(self, member: Member) -> None:
        """Something is over that its engine did."""

    def noticed(self, member: Member) -> None:
        """There is news of its connection."""


MakeEngine = Callable[[ExternalSystemInterface, Reporting], Engine]


@attrs.define(eq=False)
class _Running:
    ref: int
    limit: asyncio.TimerHandle


class Member:
    def __init__(
        self,
        number: int,
        system: ExternalSystemInterface,
        reports: Reporting,
        make_engine: MakeEngine,
        owner: MemberOwner,
    ) -> None:
        self.number: Final = number
        self.system: Final = system
        self._owner = owner
        self._news = _News(reports, lambda: owner.noticed(self))
        self.engine: Final = make_engine(system, self._news)
        self.engine.on_rest = lambda: owner.rested(self)
        self.uses: Final[set[int]] = set()
        """What it is lent for."""
        self._refs = itertools.count(1)
        self._errands: dict[Errand, _Running] = {}

    @property
    def is_connected(self) -> bool:
        """What its connector says."""
        return bool(self.system.is_connected)

    def take_loss(self) -> Reason | None:
        """Why its connection was lost since this was last asked."""
        return self._news.take_loss(self.is_connected)

    # ---- errands ------------------------------------------------------------------------

    def is_on(self, errand: Errand) -> bool:
        """Whether it is under way."""
        return errand in self._errands

    def run(self, errand: Errand) -> None:
        """Begin an errand, unless it is under way; the owner is told of its end, within a limit."""
        if errand in self._errands:
            return
        ref = next(self._refs)
        loop = asyncio.get_running_loop()
        limit = loop.call_later(_LIMITS[errand], self.give_up, errand)
        self._errands[errand] = _Running(ref, limit)
        self.engine.submit(Origin(self, ref), _KINDS[errand](self.system.system_name))

    def give_up(self, errand: Errand) -> None:
        """Wait no more for an errand, if it is under way."""
        running = self._errands.get(errand)
        if running is None:
            return
        origin = Origin(self, running.ref)
        request = _KINDS[errand](self.system.system_name)
        self._end(errand, request.failure(FailureCode.TIMEOUT, f"it did not {errand} in time"))
        self.engine.forget(frozenset({origin}))

    def reply(self, ref: int, reply: Reply) -> None:
        """An engine's answer to an errand; one that was given up is nobody's."""
        for errand, running in self._errands.items():
            if running.ref == ref:
                self._end(errand, reply)
                return

    def _end(self, errand: Errand, reply: Reply) -> None:
        self._errands.pop(errand).limit.cancel()
        self._owner.done(self, errand, reply)


class _News:
    """What the engine of one connection says beside answers."""

    def __init__(self, reports: Reporting, on_news: Callable[[], None]) -> None:
        self.take_loss: Callable[[bool], Reason | None] = lambda is_connected: None
        self._reports = reports
        self._on_news = on_news

    def tap(self, item: Any) -> None:
        self._reports.tap(item)

    def drop(self, items: int) -> None:
        self._reports.drop(items)

    def schedule(self) -> None:
        self._on_news()
        self._reports.schedule()

    def flush(self) -> None:
        self._reports.flush()
