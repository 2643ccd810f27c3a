"""What a host has registered, on its way to the supervisor, and what became of it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Final

import attrs

from actors import loggers
from actors.messages import Failure, FailureCode, Outcome
from supervisor.client.session import Session
from supervisor.messages import RegisterSystem
from supervisor.specs.spec import SystemSpec

_LOGGED: Final = 8
"""Failures of one call that are logged one by one."""

OnRefused = Callable[[], None]

_log = logging.getLogger(loggers.MANAGER)


class Registrations:
    """Of one manager. All but :meth:`add` runs on its event loop."""

    def __init__(self, session: Session, names: set[str]) -> None:
        """
        Args:
            names: of the systems that are registered, as far as this process has heard.
        """
        self._session = session
        self._names = names
        self._unsaid: deque[tuple[RegisterSystem, OnRefused]] = deque()
        """Not told to the supervisor yet."""
        self._said: set[str] = set()
        """Told to the supervisor, which has not answered."""
        self._failed: dict[str, Failure] = {}
        """Why there is no system of a name that was to be one."""

    def add(self, spec: SystemSpec, group: str | None, on_refused: OnRefused) -> None:
        """Have the next request be preceded by this system's registration; in any thread.

        Args:
            on_refused: called if there comes to be no such system.
        """
        self._failed.pop(spec.name, None)
        self._names.add(spec.name)
        self._unsaid.append((RegisterSystem(spec, group), on_refused))

    @property
    def are_said(self) -> bool:
        """Whether there is nothing that the supervisor was not told."""
        return not self._unsaid

    @property
    def open(self) -> set[str]:
        """The names of those that the supervisor has not answered."""
        return {each.spec.name for each, _ in self._unsaid} | self._said

    def forget(self, name: str) -> None:
        """There is no system of this name, and nobody misses it."""
        self._failed.pop(name, None)

    async def say(self) -> list[Failure]:
        """Tell the supervisor of all; those that failed.

        It may take long: the supervisor makes so many processes at a time.
        """
        requests = []
        while self._unsaid:  # another thread may add some more
            requests.append(self._unsaid.popleft())
        self._said = {request.spec.name for request, _ in requests}
        try:
            answers = await asyncio.gather(*(self._register(*each) for each in requests))
        finally:
            self._said = set()
        failures = [failure for failure in answers if failure is not None]
        if self._session.over is None:  # else they failed because of that
            _log_failures(failures)
        return failures

    def give_up(self) -> None:
        """Nothing can be said to the supervisor any more."""
        while self._unsaid:
            _, on_refused = self._unsaid.popleft()
            on_refused()

    def explain(self, failure: Failure) -> Failure:
        """What to answer in place of that there is no such system, if it is known why."""
        name = failure.system_name
        cause = self._failed.get(name) if name is not None else None
        if cause is None or failure.code is not FailureCode.UNKNOWN_SYSTEM:
            return failure
        why = cause.text.removeprefix(f"{name}: ")
        return attrs.evolve(failure, text=f"{name}: it could not be registered: {why}")

    async def _register(self, request: RegisterSystem, on_refused: OnRefused) -> Failure | None:
        """Register one; what failed, if anything did."""
        failure = await self._said_to_supervisor(request)
        if failure is not None:
            on_refused()
        return failure

    async def _said_to_supervisor(self, request: RegisterSystem) -> Failure | None:
        name = request.spec.name
        repeated = False
        while True:
            reply = await self._session.ask(RegisterSystem(request.spec, request.group))
            if not isinstance(reply, Failure):
                self._names.add(name)
                return None
            if reply.code in (FailureCode.ALREADY_STARTED, FailureCode.ALREADY_PRESENT):
                self._names.add(name)
                return None if repeated else reply
            interrupted = reply.code is FailureCode.UNAVAILABLE and reply.outcome is Outcome.UNKNOWN
            if not interrupted or self._session.over is not None:
                self._names.discard(name)
                self._failed[name] = reply
                return reply
            repeated = True  # the supervisor was killed over it, and may or may not know it


def _log_failures(failures: list[Failure]) -> None:
    for failure in failures[:_LOGGED]:
        _log.warning("cannot register: %s", failure.text)
    more = failures[_LOGGED:]
    if more:
        _log.warning("cannot register %s more; the last: %s", f"{len(more):,}", more[-1].text)
