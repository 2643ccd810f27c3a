"""Which of two ways the requests of one manager to one system go. Pure.

Straight to the system's process, while there is a link to the incarnation that is up; else
through the supervisor, which knows whether to wait or to refuse. Whichever way it goes, a
request is answered exactly once, and what was asked first is begun first:

- What goes through the supervisor waits until the system has taken all that went straight.
- What goes straight waits until the system has taken all that went through the supervisor.
  A :class:`~actors.messages.Fence`, sent that way, comes back when that is so. While it is
  under way nothing else is sent; when it does not come back, all goes on through the
  supervisor.

Times are seconds of a monotonic clock.
"""

from __future__ import annotations

from collections import deque
from operator import attrgetter
from typing import Any, Final

import attrs

from actors.messages import (
    Answered,
    Deliver,
    FailureCode,
    Outcome,
    Reply,
    Request,
    TakeBack,
    is_final,
    items_in,
)
from actors.messages.deliveries import Deliveries
from actors.messages.results import Results, with_retry_after
from supervisor.client.asked import Asked, OnReply, Place
from supervisor.client.fencing import FENCE_PATIENCE, Fencing
from supervisor.client.load import Load
from supervisor.client.way_actions import GiveBack, Route, Tell, Unroute, WayAction
from supervisor.messages import ReturnData, SystemResolved
from supervisor.messages.checks import mistake_in
from supervisor.timing.deadlines import Deadlines
from supervisor.timing.patience import patience_of, timed_out

_SOON: Final = 0.05
"""Seconds; trying again sooner is of no use."""

_may_go_straight: Final = attrgetter("direct")


class Ways:
    """Of one system. After anything was called, :meth:`flush` says what is to be done."""

    def __init__(self, system_name: str) -> None:
        self._name = system_name
        self._asked: dict[int, Asked] = {}
        """All not answered yet, by request id."""
        self._queue: deque[Asked] = deque()
        self._back: list[Asked] = []
        """Delivered, and not begun by a system that is being stopped; they come before the
        queue, once all that was delivered with them is known."""
        self._load = Load()
        """All that did not go through the supervisor."""
        self._fencing = Fencing(system_name)
        self._link: SystemResolved | None = None
        self._limits: SystemResolved | None = None
        """Of the last link."""
        self._closing = False
        """Whether the incarnation of the link is about to end."""
        self._is_connected = True
        """Whether the system is, as far as it said on the link."""
        self._is_up = True
        """Whether it is, as far as the supervisor said, which knows when it will be."""
        self._next_attempt: float | None = None
        """When it is connected next, where that is planned."""
        self.connection_news = 0
        """How often the supervisor said so."""
        self._deliveries = Deliveries()
        """To that incarnation."""
        self._returned: list[Any] = []
        self._deadlines = Deadlines()
        self.next_due = self._deadlines.next_due
        """When :meth:`tick` is to be called; None when it need not be."""
        self._actions: list[WayAction] = []

    @property
    def incarnation(self) -> int | None:
        """Of the link; None without one."""
        return None if self._link is None else self._link.incarnation

    @property
    def is_durable(self) -> bool:
        """Whether sends to it are durable that do not say it, as far as is known."""
        return self._limits is not None and self._limits.durable

    @property
    def is_idle(self) -> bool:
        return not self._asked and not self._fencing.is_up

    @property
    def all_is_taken(self) -> bool:
        """Whether nothing waits here, or is on its way straight, that could be overtaken."""
        return not self._queue and not self._back and self._deliveries.are_taken

    @property
    def _is_to_wait(self) -> bool:
        """Whether what is asked is to wait for the connection: the supervisor keeps it, also if
        the system's process crashes."""
        return not self._is_up and self._link is not None and self._link.waits_when_down

    @property
    def has_work(self) -> bool:
        """Whether :meth:`flush` may have something to do."""
        waits = self._queue or self._back or self._actions
        return bool(waits or self._returned or self._deliveries.to_forget)

    @property
    def untaken(self) -> int:
        """Items and requests that the system has not taken yet, and nobody else knows of."""
        return sum(
            each.weight
            for each in self._asked.values()
            if each.place is Place.QUEUE
            or (each.place is Place.DIRECT and each.number > self._deliveries.taken)
        )

    # ---- asking --------------------------------------------------------------------------

    def ask(self, request: Request, on_reply: OnReply, now: float, size: int | None = None) -> None:
        """Have a request answered. Of a SendMany that is too much only in part, the first
        items are taken and the rest is refused.

        Args:
            size: bytes of user data, of a SendData that is known to make sense.
        """
        asked = Asked(request, on_reply, now, results=Results.of(request))
        link = self._link
        # One that makes no sense is refused by the supervisor.
        if link is not None and (
            mistake_in(request, link.max_payload_bytes) is None
            if size is None
            else size <= link.max_payload_bytes
        ):
            limit, others = link.mailbox_size, self._asked.values()
            refusal = self._load.add(asked, size, limit, self._is_connected, others)
            if refusal is not None:
                on_reply(refusal)
                return
            self._deadlines.set(request.request_id, now + patience_of(request, link))
        self._asked[request.request_id] = asked
        self._queue.append(asked)

    def ask_now(
        self, request: Request, on_reply: OnReply, now: float, size: int | None
    ) -> list[WayAction]:
        """The same, and :meth:`flush`."""
        self.ask(request, on_reply, now, size)
        return self.flush(now)

    def asked_unseen(self) -> None:
        """The supervisor was asked something that concerns this system, and other systems too
        perhaps: what is asked from now on is not to overtake it."""
        self._fencing.routed_unseen()

    def cancel(self, request_id: int) -> bool:
        """Nobody waits for this any more.

        Returns:
            whether it was still open.
        """
        asked = self._asked.get(request_id)
        if asked is None:
            return False
        if asked.place is Place.ROUTED:
            # It may be taken all the same: it stays unproven.
            self._actions.append(Unroute(request_id))
        self._take_out(asked)
        self._close(asked)
        return True

    def give_back(self, reply: Reply) -> None:
        """Data for somebody who does not wait any more goes back, for the next caller."""
        self._returned.extend(items_in(reply))

    # ---- the link ------------------------------------------------------------------------

    def found(self, link: SystemResolved, news: int, now: float) -> None:
        """What the supervisor said when it was asked where the system is.

        Args:
            news: the :attr:`connection_news` when it was asked; what it said since is newer.
        """
        if news == self.connection_news:
            after = link.next_attempt
            self.connection(link.is_connected, None if after is None else now + after)

    def opened(self, link: SystemResolved, delivered: int) -> None:
        """There is a link to the incarnation that is up.

        Args:
            delivered: how many deliveries it has taken already.
        """
        self._link = self._limits = link
        self._closing = False
        self._deliveries = Deliveries(delivered)

    def closing(self, incarnation: int) -> None:
        """This incarnation is about to end."""
        if self.incarnation == incarnation:
            self._closing = True

    def connection(self, is_up: bool, next_attempt: float | None = None) -> None:
        """The supervisor says whether the system is connected, and when it is tried next."""
        self._is_up, self._next_attempt = is_up, next_attempt
        self.connection_news += 1

    def heard(self, said: Answered, now: float) -> None:
        """The system said something on the link."""
        if self._link is None or self._link.incarnation != said.incarnation:
            return
        self._is_connected = said.is_connected
        self._deliveries.heard(said.taken)
        for request_id in said.refused:
            asked = self._asked.get(request_id)
            if asked is not None and asked.place is Place.DIRECT:
                self._closing = True
                asked.place = Place.QUEUE
                self._back.append(asked)
        for request_id, reply in said.replies:
            self._settle(request_id, reply, now)

    def lost(self) -> list[int]:
        """The link is gone. What was delivered waits for the reason; the rest goes through
        the supervisor.

        Returns:
            what waits, by request id.
        """
        incarnation = self.incarnation
        if incarnation is None:
            return []
        self._link = None
        self._deliveries = Deliveries()
        orphans = [each for each in self._asked.values() if each.place is Place.DIRECT]
        for asked in orphans:
            asked.place, asked.number = Place.ORPHAN, incarnation
        return [asked.request.request_id for asked in orphans]

    def ended(self, incarnation: int, code: FailureCode, text: str) -> None:
        """Why this incarnation, to which the link was lost, has ended."""
        for asked in list(self._asked.values()):
            if asked.place is Place.ORPHAN and asked.number == incarnation:
                self._answer(asked, asked.request.failure(code, text, Outcome.UNKNOWN))

    def unexplained(self, request_ids: list[int], text: str) -> None:
        """Of these, to which the link was lost, nobody said why."""
        for asked in [self._asked[each] for each in request_ids if each in self._asked]:
            if asked.place is Place.ORPHAN:
                code = FailureCode.UNAVAILABLE
                self._answer(asked, asked.request.failure(code, text, Outcome.UNKNOWN))

    def supervisor_lost(self, why: str) -> None:
        """The supervisor is gone, and its systems with it; the link was lost before."""
        for asked in list(self._asked.values()):
            if asked.place is Place.ORPHAN:
                failure = asked.request.failure(
                    FailureCode.UNAVAILABLE, f"{why} before it answered", Outcome.UNKNOWN
                )
                # Only the text names the system, for nothing is known of it.
                self._answer(asked, attrs.evolve(failure, system_name=None))

    # ---- the supervisor's way --------------------------------------------------------------

    def routed_reply(self, request_id: int, reply: Reply, now: float) -> None:
        """The answer to what went through the supervisor, or a part of it."""
        if self._fencing.is_fence(request_id):
            self._fencing.came_back(reply, now)
            return
        ends = is_final(reply)
        if ends:
            self._fencing.answered(request_id)
        asked = self._asked.get(request_id)
        if asked is None:
            self.give_back(reply)
        else:
            self._answer(asked, reply, ends=ends)

    # ---- what is to be done ----------------------------------------------------------------

    def flush(self, now: float) -> list[WayAction]:
        """Send off all that may go now."""
        if self._back and self._deliveries.are_taken:
            self._queue.extendleft(reversed(self._back))
            self._back.clear()
        if self._returned or self._deliveries.to_forget:
            self._say_what_is_owed()
        straight = self._link is not None and not self._closing and not self._is_to_wait
        while self._queue:
            if straight and self._queue[0].direct:
                if not self._fencing.unproven:
                    if not self._deliveries.may_go_on:
                        break
                    self._deliver()
                    continue
                self._put_up_fence(now)
                if self._fencing.is_up:
                    break
            if not self._deliveries.are_taken:
                break
            self._route(self._queue.popleft())
        actions, self._actions = self._actions, []
        return actions

    def tick(self, now: float) -> None:
        """Do what is due."""
        for request_id in self._deadlines.due(now):
            if self._fencing.is_fence(request_id):
                self._fencing.run_out(now)
            elif request_id in self._asked:
                self._run_out(self._asked[request_id])

    def _say_what_is_owed(self) -> None:
        if self._returned:
            items, self._returned = tuple(self._returned), []
            if self._link is not None:
                self._actions.append(Tell(TakeBack(self._name, items)))
            else:
                self._actions.append(GiveBack(ReturnData(self._name, items)))
                self._fencing.routed_unseen()
        forget = None if self._link is None else self._deliveries.forgetting()
        if forget is not None:
            self._actions.append(Tell(forget))

    def _deliver(self) -> None:
        batch = self._deliveries.begin(self._queue, _may_go_straight)
        number = self._deliveries.number
        for asked in batch:
            asked.place, asked.number = Place.DIRECT, number
        requests = tuple([(each.request.request_id, each.request) for each in batch])
        self._actions.append(Tell(Deliver(number, requests)))

    def _put_up_fence(self, now: float) -> None:
        fence = self._fencing.put_up(now)
        if fence is not None:
            self._actions.append(Route(fence))
            # Its supervisor may hang, and not tell that its time is over.
            self._deadlines.set(fence.request_id, now + FENCE_PATIENCE)

    def _route(self, asked: Asked) -> None:
        self._unweigh(asked)
        asked.place = Place.ROUTED
        self._fencing.routed(asked.request.request_id)
        self._actions.append(Route(asked.request))

    # ---- answers ---------------------------------------------------------------------------

    def _settle(self, request_id: int, reply: Reply, now: float) -> None:
        asked = self._asked.get(request_id)
        if asked is None or asked.place is not Place.DIRECT:
            self.give_back(reply)
        else:
            ends = is_final(reply)
            if not ends and self._link is not None:
                self._deadlines.set(request_id, now + patience_of(asked.request, self._link))
            if self._next_attempt is not None:
                reply = with_retry_after(reply, max(_SOON, self._next_attempt - now))
            self._answer(asked, reply, ends=ends)

    def _answer(self, asked: Asked, reply: Reply, *, ends: bool = True) -> None:
        if ends:
            self._close(asked)
        answer = reply if asked.results is None else asked.results.pass_on(reply)
        if answer is not None:
            asked.on_reply(answer)

    def _take_out(self, asked: Asked) -> None:
        """Have the system not do it, if it still can."""
        if asked.place is Place.QUEUE:
            (self._back if asked in self._back else self._queue).remove(asked)
        elif asked.place is Place.DIRECT:
            self._deliveries.forget(asked.request.request_id)

    def _close(self, asked: Asked) -> None:
        del self._asked[asked.request.request_id]
        self._unweigh(asked)

    def _unweigh(self, asked: Asked) -> None:
        """It is none of this side's limits and deadlines any more."""
        self._load.take_off(asked)
        self._deadlines.drop(asked.request.request_id)

    # ---- deadlines -------------------------------------------------------------------------

    def _run_out(self, asked: Asked) -> None:
        assert self._limits is not None
        failure = timed_out(asked.request, self._limits, was_sent=asked.place is not Place.QUEUE)
        self._take_out(asked)
        self._answer(asked, failure)
