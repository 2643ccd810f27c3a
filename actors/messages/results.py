"""The results of one SendMany on their way to whoever asked. Pure."""

from __future__ import annotations

from typing import TypeVar

import attrs

from actors.messages.requests import Failure, FailureCode, ManySent, Reply, Request, SendMany

R = TypeVar("R")


class Results:
    """Of one SendMany. A system answers it in parts; the last items may have been refused before
    it got there."""

    def __init__(
        self, request: SendMany, refused: tuple[Failure, ...] = (), *, in_parts: bool
    ) -> None:
        """
        Args:
            request: as the system gets it.
            refused: the results of the items that it does not get.
            in_parts: whether whoever asked wants each part as it comes.
        """
        self._request = request
        self._refused = refused
        self._in_parts = in_parts
        self._kept: list[bool | Failure] = []
        """Of parts that are not passed on each for itself."""
        self._known = 0
        """How many items have a result."""

    @classmethod
    def of(cls, request: Request, refused: tuple[Failure, ...] = ()) -> Results | None:
        """For whoever asked for it as it says; None for a request of another kind."""
        if not isinstance(request, SendMany):
            return None
        return cls(request, refused, in_parts=request.stream)

    def pass_on(self, reply: Reply) -> Reply | None:
        """What to answer when the system, or somebody for it, answered this; None when that
        was a part which is kept for now.

        A failure is that of the items that have no result yet; alone it is the answer only
        where it concerns all, or where parts were passed on.
        """
        if isinstance(reply, Failure) and (self._refused or self._kept):
            reply = ManySent(
                request_id=self._request.request_id,
                system_name=self._request.system_name,
                results=(reply,) * (len(self._request.items) - self._known),
            )
        if not isinstance(reply, ManySent):
            return reply
        self._known += len(reply.results)
        results = reply.results
        if reply.final:
            results += self._refused
        if not self._in_parts:
            self._kept.extend(results)
            if not reply.final:
                return None
            results = tuple(self._kept)
        return reply if results is reply.results else attrs.evolve(reply, results=results)


def with_retry_after(reply: Reply, after: float) -> Reply:
    """The same answer; what failed in it for want of a connection is told when there will be one.

    Args:
        after: seconds.
    """
    if isinstance(reply, ManySent):
        results = tuple([_told(each, after) for each in reply.results])
        return reply if results == reply.results else attrs.evolve(reply, results=results)
    return _told(reply, after)


def _told(result: R, after: float) -> R | Failure:
    if not isinstance(result, Failure) or result.code is not FailureCode.NOT_CONNECTED:
        return result
    return result if result.retry_after is not None else attrs.evolve(result, retry_after=after)
