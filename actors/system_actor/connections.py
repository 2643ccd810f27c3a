"""The connections of a pool: what is decided about them is done, and what becomes of them is told.

Lives on the event loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from random import Random
from typing import Final

from actors import loggers
from actors.errors import EXPECTED_ERRORS, describe
from actors.interface import ExternalSystemInterface
from actors.messages import Failure, FailureCode, HealthChecked, Reason, Reply, Request
from actors.resilience.pool import Pool
from actors.resilience.pool_actions import Check, Close, GoDown, Lend, Open, PoolAction, Shed
from actors.resilience.pool_policy import PoolPolicy
from actors.system_actor.lending import Lending
from actors.system_actor.losses import NOT_CONNECTED_TEXT
from actors.system_actor.pool_member import Errand, MakeEngine, Member
from actors.system_actor.reports import Origin, Reporting

_UNSAID: Final = Reason("lost", "its connector did not say why")


class Connections:
    """Of one system, each made when it is first needed."""

    def __init__(
        self,
        system: ExternalSystemInterface,
        another: Callable[[], ExternalSystemInterface],
        policy: PoolPolicy,
        reports: Reporting,
        make_engine: MakeEngine,
        on_change: Callable[[], None],
        on_bug: Callable[[BaseException], None],
        random: Random,
    ) -> None:
        """
        Args:
            system: the connector of the first.
            another: makes that of one more.
            on_change: called when one may have been opened or closed, or could not be.
            on_bug: called with what a connector raised that could not be made.
        """
        self._name = system.system_name
        self._another = another
        self._size = policy.size
        self._reports = reports
        self._make_engine = make_engine
        self._on_change = on_change
        self._on_bug = on_bug
        self._loop = asyncio.get_running_loop()
        self.pool: Final = Pool(policy, random)
        self.lending: Final = Lending(self.pool, type(system).concurrent_queries)
        self._members: dict[int, Member] = {}
        self._is_tapped = False
        self.not_opened: Failure | None = None
        self.not_closed: Failure | None = None
        """What came of one, since all were last ordered to be opened, or closed."""
        self._failed = system._extsys_failed
        """Why it is of no use to open one before somebody has mended it."""
        self._loss: Reason | None = None
        """Why the last one was lost, until it is told."""
        self._last_loss = _UNSAID
        self._to_replace: tuple[int, Reason] | None = None
        """The last one, while something is to take its place: then the log says it, and else
        the system's own loss."""
        self.lost_at = float("-inf")
        """When one was."""
        self._is_acting = False
        self._timer: asyncio.TimerHandle | None = None
        reports.take_loss = self._take_loss
        self._add(0, system)

    def __iter__(self) -> Iterator[Member]:
        return iter(list(self._members.values()))

    @property
    def least_used(self) -> Member:
        """One that is open, if any is."""
        open_ones = [each for each in self if self.pool.holds(each.number)]
        return min(open_ones or self, key=lambda each: len(each.uses))

    # ---- what is asked of all -----------------------------------------------------------

    def lend(self, origin: Origin, request: Request) -> None:
        """Give a request to one that is free, now or soon."""
        for member in self._members.values():
            if not member.is_connected and self.pool.holds(member.number):
                self._look_at(member)  # it was lost a moment ago
        if self.pool.is_up:
            self.lending.begin(origin, request)
        else:
            origin.reply(request.failure(*self.why_not_connected()))
        self.act()

    def why_not_connected(self) -> tuple[FailureCode, str]:
        """What to answer to whom none can serve."""
        if self._failed is not None:
            return FailureCode.FAILED, self._failed
        return FailureCode.NOT_CONNECTED, NOT_CONNECTED_TEXT

    def open(self) -> None:
        """Have one, if there is none."""
        self.not_opened = self._failed = None
        self.pool.open(self._loop.time())
        self.act()

    def close(self) -> None:
        """Close all, whatever is under way on them."""
        self.not_closed = self._failed = None
        self.pool.close(self._loop.time())
        self.act()
        for member in self:
            was_opening = member.is_on(Errand.OPEN)
            member.give_up(Errand.OPEN)
            member.engine.cut_off("cut off by a disconnect")
            if was_opening or member.is_connected or not self.pool.is_shut(member.number):
                member.run(Errand.CLOSE)
        self._on_change()

    async def stop(self, grace: float) -> Reason | None:
        """Close all for good; why one could not be closed in order."""
        self.pool.close(self._loop.time())
        self.pool.take_actions()
        if self._timer is not None:
            self._timer.cancel()
        reasons = await asyncio.gather(*(member.engine.stop(grace) for member in self))
        return next((reason for reason in reasons if reason is not None), None)

    def give_up(self, errand: Errand) -> None:
        """Wait no more for this of any."""
        for member in self:
            member.give_up(errand)

    def set_tap(self, on: bool) -> None:
        """As of an engine."""
        self._is_tapped = on
        for member in self:
            member.engine.set_tap(on)

    def look(self) -> None:
        """See what connectors changed on their own account, and what it is time for."""
        for member in self:
            member.engine.look()
            self._look_at(member)
        self.pool.tick(self._loop.time())
        self.act()

    # ---- what is to be done -------------------------------------------------------------

    def act(self) -> None:
        """Do what the pool says."""
        if self._is_acting:
            return
        self._is_acting = True
        try:
            while actions := self.pool.take_actions():
                for action in actions:
                    self._do(action)
        finally:
            self._is_acting = False
        self._set_timer()

    def _do(self, action: PoolAction) -> None:
        match action:
            case Open(number):
                self._open(number)
            case Check(number):
                self._members[number].run(Errand.CHECK)
            case Lend(number, ticket):
                self.lending.lend(ticket, self._members[number])
            case Close(number, why):
                self._say(logging.DEBUG, number, f"is closed: {why}")
                self._members[number].run(Errand.CLOSE)
            case Shed(ticket):
                self.lending.refuse(ticket, lambda request: self._shed(request, action))
            case GoDown(tickets):
                self._loss = self._last_loss
                self._failed = self._loss.text if self._loss.is_fatal else None
                self._to_replace = None
                for ticket in tickets:
                    self.lending.refuse(ticket, _lost)
                self._reports.schedule()
                self._loop.call_soon(self._on_change)

    def _open(self, number: int) -> None:
        if number not in self._members:
            try:
                self._add(number, self._another())
            except EXPECTED_ERRORS as error:
                text = f"could not be opened: its connector was not made: {describe(error)}"
                self._say(logging.WARNING, number, text)
                self.pool.not_opened(number, self._loop.time())
                return
            except BaseException as error:  # the constructor is the user's code
                self._on_bug(error)
                return
        self._members[number].run(Errand.OPEN)

    def _add(self, number: int, system: ExternalSystemInterface) -> None:
        member = Member(number, system, self._reports, self._make_engine, self)
        member.engine.set_tap(self._is_tapped)
        self._members[number] = member

    def _set_timer(self) -> None:
        due = self.pool.due()
        if due is None or (self._timer is not None and self._timer.when() <= due):
            return  # the one that is set looks again
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.pool.tick(self._loop.time())
        self.act()

    def _shed(self, request: Request, shed: Shed) -> Failure:
        has = self.pool.state()
        after = round(shed.retry_after, 3)
        text = (
            f"{'connected' if has.open else 'reconnecting'}, but no connection came free within "
            f"{shed.waited:.3g} s (overflow_wait): {has.borrowed} of its pool's {has.size} are "
            f"in use, {has.waiting} more in line; ask less at once, raise pool.size, or try again "
            f"in about {after:.2g} s"
        )
        return request.failure(FailureCode.OVERLOADED, text, retry_after=after)

    # ---- what became of it --------------------------------------------------------------

    def done(self, member: Member, errand: Errand, reply: Reply) -> None:
        """An errand has ended."""
        number, now = member.number, self._loop.time()
        why = reply.text.removeprefix(f"{self._name}: ") if isinstance(reply, Failure) else None
        match errand:
            case Errand.OPEN if isinstance(reply, Failure):
                self.not_opened = reply
                is_fatal = reply.code is FailureCode.FAILED
                if self.pool.state().open:
                    self._say(logging.WARNING, number, f"could not be opened: {why}")
                else:
                    self._failed = why if is_fatal else None
                self.pool.not_opened(number, now, fatal=is_fatal)
            case Errand.OPEN:
                self.pool.opened(number, now)
                if self._to_replace is not None:
                    (lost, loss), self._to_replace = self._to_replace, None
                    self._say(logging.WARNING, lost, f"was lost: {loss.text}; it is replaced")
            case Errand.CHECK:
                is_good = isinstance(reply, HealthChecked) and reply.healthy and member.is_connected
                if self.pool.checked(number, is_good, now) and not is_good:
                    text = why or "check_health says that it does not work"
                    self._note_loss(member, member.take_loss() or Reason("check", text))
            case Errand.CLOSE:
                if isinstance(reply, Failure):
                    self.not_closed = reply
                    self._say(logging.WARNING, number, f"could not be closed: {why}")
                self.pool.closed(number, now)
        self.act()
        self._on_change()

    def rested(self, member: Member) -> None:
        """Something is over that its engine did."""
        self._look_at(member)
        self.lending.rested(member)
        self.act()

    def noticed(self, member: Member) -> None:
        """There is news of its connection."""
        self._loop.call_soon(self._look_again, member)

    def _look_again(self, member: Member) -> None:
        self._look_at(member)
        self.act()

    def _look_at(self, member: Member) -> None:
        """Whether it is connected as it was, and why not."""
        number, now = member.number, self._loop.time()
        busy = member.is_on(Errand.OPEN) or member.is_on(Errand.CLOSE)
        if busy or member.engine.is_renewing:
            return  # that is told when it is over
        is_connected, why = member.is_connected, member.take_loss()
        if not is_connected:
            if self.pool.lost(number, now):
                self._note_loss(member, why or _UNSAID)
        elif why is None:
            self.pool.found_open(number, now)
        elif self.pool.renewed(number, now):
            self._note_loss(member, why)

    def _note_loss(self, member: Member, why: Reason) -> None:
        self._last_loss = why
        self.lost_at = self._loop.time()
        left = self.pool.state().open
        if left:
            self._say(logging.WARNING, member.number, f"is lost: {why.text}; {left} left")
        elif self.pool.is_up:
            self._to_replace = member.number, why

    def _take_loss(self, is_connected: bool) -> Reason | None:
        why, self._loss = self._loss, None
        return why

    def _say(self, level: int, number: int, text: str) -> None:
        log = logging.getLogger(loggers.SYSTEM_ACTOR)
        log.log(level, "%s: connection %d of %d %s", self._name, number + 1, self._size, text)


def _lost(request: Request) -> Failure:
    return request.failure(FailureCode.NOT_CONNECTED, "the connection was lost")
