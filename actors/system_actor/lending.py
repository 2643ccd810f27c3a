"""Requests to a system with several connections: each is given to one that is lent for it.

Lives on the event loop.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Set
from typing import Any

import attrs

from actors.messages import CallCommand, Failure, QueryData, Reply, Request, is_final
from actors.resilience.pool import Pool
from actors.system_actor.pool_member import Member
from actors.system_actor.reports import Origin


@attrs.define(eq=False)
class _Use:
    """One request, from when it is asked for until its connection is free of it."""

    origin: Origin
    request: Request
    shared: bool
    member: Member | None = None
    """None while it waits for one."""
    is_over: bool = False
    """Whether it is answered, or nobody waits for it."""


class Lending:
    """The tickets of a pool are numbers here. A connection is given back when it is answered and
    nothing goes on in its engine that follows from it."""

    def __init__(self, pool: Pool, shares: bool) -> None:
        """
        Args:
            shares: whether a connection may have many questions under way.
        """
        self._pool = pool
        self._shares = shares
        self._uses: dict[int, _Use] = {}
        self._by_origin: dict[Origin, int] = {}
        """Those that are not over."""
        self._refs = itertools.count(1)
        self._loop = asyncio.get_running_loop()
        self._on_quiet: asyncio.Event | None = None
        """While somebody waits for that."""

    def begin(self, origin: Origin, request: Request) -> None:
        """Ask the pool for a connection for this."""
        ref = next(self._refs)
        shared = self._shares and isinstance(request, QueryData)
        self._uses[ref] = _Use(origin, request, shared)
        self._by_origin[origin] = ref
        self._pool.ask(ref, self._loop.time(), shared=shared)

    def lend(self, ref: Any, member: Member) -> None:
        """The pool lends this one."""
        use = self._uses[ref]
        use.member = member
        member.uses.add(ref)
        member.engine.submit(Origin(self, ref), use.request)

    def refuse_waiting(self, failure: Callable[[Request], Failure]) -> None:
        """All that wait."""
        for ref in [ref for ref, use in self._uses.items() if use.member is None]:
            self._pool.leave(ref, self._loop.time())
            self.refuse(ref, failure)

    def refuse(self, ref: Any, failure: Callable[[Request], Failure]) -> None:
        """It waits for none any more."""
        use = self._uses.pop(ref)
        del self._by_origin[use.origin]
        use.origin.reply(failure(use.request))
        self._look()

    def reply(self, ref: int, reply: Reply) -> None:
        """An engine's answer."""
        use = self._uses.get(ref)
        if use is None or use.is_over:
            return
        if is_final(reply):
            self._end(use)
        use.origin.reply(reply)

    def forget(self, origins: Set[Origin]) -> None:
        """Nobody waits for these any more."""
        for origin in origins & self._by_origin.keys():
            ref = self._by_origin[origin]
            use = self._uses[ref]
            self._end(use)
            if use.member is None:
                del self._uses[ref]
                self._pool.leave(ref, self._loop.time())
            else:
                use.member.engine.forget(frozenset({Origin(self, ref)}))
        self._look()

    def rested(self, member: Member) -> None:
        """Give back what this one is free of."""
        for ref in sorted(member.uses):
            use = self._uses[ref]
            if use.is_over and member.engine.is_done_with(Origin(self, ref)):
                member.uses.discard(ref)
                del self._uses[ref]
                self._pool.give_back(member.number, self._loop.time(), shared=use.shared)
        self._look()

    async def until_quiet(self, most: float) -> None:
        """Until nothing waits or is under way but commands, for so many seconds at most."""
        try:
            async with asyncio.timeout(most):
                while not self._is_quiet():
                    self._on_quiet = asyncio.Event()
                    await self._on_quiet.wait()
        except TimeoutError:
            pass
        finally:
            self._on_quiet = None

    def _is_quiet(self) -> bool:
        return all(
            isinstance(use.request, CallCommand) and use.member is not None
            for use in self._uses.values()
        )

    def _look(self) -> None:
        if self._on_quiet is not None and self._is_quiet():
            self._on_quiet.set()

    def _end(self, use: _Use) -> None:
        use.is_over = True
        del self._by_origin[use.origin]
