"""Sends that wait in the lane one behind the other go out with one call of ``send_many``.

Runs on the system actor's event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence, Set
from typing import Any, TypeGuard

import attrs

from actors.messages import DataSent, Failure, ManySent, Reply, Request, SendData, SendMany
from actors.payload import payload_size
from actors.resilience.batch import Batch, Filling
from actors.system_actor.lane import Job, Lane
from actors.system_actor.reports import Origin


@attrs.define(eq=False)
class _Member:
    """One request of those that go together."""

    origin: Origin
    request: SendData | SendMany
    results: list[bool | Failure] = attrs.field(factory=list)
    is_answered: bool = False
    is_forgotten: bool = False

    @property
    def items(self) -> Sequence[object]:
        return (self.request.data,) if isinstance(self.request, SendData) else self.request.items

    @property
    def missing(self) -> int:
        return len(self.items) - len(self.results)

    def take(self, results: Sequence[bool | Failure]) -> None:
        """Its next results."""
        self.results += [
            _of(self.request, each) if isinstance(each, Failure) else each for each in results
        ]
        if not self.missing:
            self.is_answered = True
            self.origin.reply(self._answer())

    def fail(self, failure: Failure) -> None:
        """There are no more results."""
        if self.is_answered:
            return
        self.is_answered = True
        if self.results:
            self.origin.reply(self._many(final=False))
        self.origin.reply(_of(self.request, failure))

    def _answer(self) -> Reply:
        if isinstance(self.request, SendMany):
            return self._many(final=True)
        [result] = self.results
        return result if isinstance(result, Failure) else DataSent(**self._names)

    def _many(self, *, final: bool) -> ManySent:
        return ManySent(results=tuple(self.results), final=final, **self._names)

    @property
    def _names(self) -> dict[str, Any]:
        return {
            "request_id": self.request.request_id,
            "system_name": self.request.system_name,
        }


class Bundle:
    """Where the answer to one call goes: to each that it was made for, with its own results."""

    def __init__(self) -> None:
        self.members: list[_Member] = []
        self.has_begun = False

    def add(self, origin: Origin, request: SendData | SendMany) -> None:
        self.members.append(_Member(origin, request))

    def forget(self, origins: Set[Origin]) -> bool:
        """Nobody waits for these any more; what has not begun does not go out.

        Returns:
            whether nobody waits for any.
        """
        for member in self.members:
            member.is_forgotten = member.is_forgotten or member.origin in origins
        if not self.has_begun:
            self.members = [each for each in self.members if not each.is_forgotten]
        return all(each.is_forgotten for each in self.members)

    def request(self) -> SendData | SendMany:
        """What the connector is called for."""
        first = self.members[0].request
        if len(self.members) == 1:
            return first
        items = [item for member in self.members for item in member.items]
        return SendMany(first.system_name, items)

    def reply(self, ref: int, reply: Reply) -> None:
        """As of a :class:`~actors.system_actor.reports.Sink`."""
        if isinstance(reply, Failure):
            for member in self.members:
                member.fail(reply)
        elif len(self.members) == 1:
            self.members[0].origin.reply(reply)
        else:
            assert isinstance(reply, ManySent)
            self._share(reply.results)

    def _share(self, results: Sequence[bool | Failure]) -> None:
        for member in self.members:
            if not member.is_answered:
                own, results = results[: member.missing], results[member.missing :]
                member.take(own)


class Batcher:
    """For one system whose class has a ``send_many`` of its own."""

    def __init__(self, batch: Batch, lane: Lane) -> None:
        self._batch = batch
        self._lane = lane
        lane.keeps_time = True
        self._held: Request | None = None
        self._in_a_hurry = False

    def hurry(self) -> None:
        """Have nothing wait for more any longer."""
        self._in_a_hurry = True
        self._lane.wake()

    def holds(self, request: Request) -> bool:
        """Whether it waits for more to go with it: nothing of it has gone out."""
        return request is self._held

    async def gather(self, job: Job, may_linger: bool) -> None:
        """Have a job be for the sends, too, that follow it in the lane and fit beside it. Of
        several items of one request only some need to: they are cut.

        Args:
            may_linger: whether to wait for more, as long as the policy says.
        """
        request = job.request
        assert isinstance(request, SendData | SendMany)
        if not _may_go_with_others(request):
            return
        bundle = Bundle()
        bundle.add(job.origin, request)
        job.origin = Origin(bundle, 0)
        filling = Filling(self._batch, job.entered)
        filling.take(*_weight_of(request))
        self._held = request
        try:
            await self._fill(bundle, filling, may_linger)
        finally:
            self._held = None
        bundle.has_begun = True
        job.request = bundle.request()

    async def _fill(self, bundle: Bundle, filling: Filling, may_linger: bool) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while (follows := self._lane.next) is not None:
                if not _may_go_with_others(follows):
                    return  # what comes later would overtake it
                count, size = _weight_of(follows)
                fits = filling.take(count, size)
                if not fits and count == 1:
                    return
                bundle.add(self._lane.take_next().origin, follows)
                if not fits:
                    return  # several are cut, so that the first of them fill this call
            wait = filling.wait(loop.time())
            if not wait or not may_linger or self._in_a_hurry:
                return
            await self._lane.until_entered(wait)


def is_forgotten(job: Job, origins: Set[Origin]) -> bool:
    """Whether nobody waits for a job any more, now that nobody waits for these."""
    whose = job.origin.sink
    return whose.forget(origins) if isinstance(whose, Bundle) else job.origin in origins


def _may_go_with_others(request: Request) -> TypeGuard[SendData | SendMany]:
    """Not so what comes out of an outbox: there each item depends on the one before it."""
    if isinstance(request, SendMany):
        return not (request.until_failure or request.deliveries)
    return isinstance(request, SendData)


def _weight_of(request: SendData | SendMany) -> tuple[int, int]:
    """How many items, and their bytes."""
    if isinstance(request, SendData):
        return 1, payload_size(request.data)
    return len(request.items), sum(map(payload_size, request.items))


def _of(request: Request, failure: Failure) -> Failure:
    return attrs.evolve(failure, request_id=request.request_id)
