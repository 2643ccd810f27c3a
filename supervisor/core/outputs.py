"""What systems say, as the supervisor asks its scribe for it and passes it on. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Final

import attrs

from actors.messages import FailureCode
from actors.messages.output import OutputLine
from supervisor.core.actions import Client
from supervisor.core.child import Child
from supervisor.core.context import Context
from supervisor.messages import EventKind, GetLogs, LifecycleEvent, LogsGiven
from supervisor.messages.output import (
    EndOutput,
    FindLines,
    ForgetOutput,
    KeepOutput,
    LinesFound,
    LinesSaid,
    ListenTo,
    OutputKept,
    TellOutput,
)
from supervisor.output.shown import line_text
from supervisor.timing.timers import Timer

HEAR_OUT: Final = 0.25
"""Seconds in which the last words of a process that has ended are to be found; they are usually
there at once."""
PATIENCE: Final = 5.0
"""Seconds in which the scribe is to find anything else."""
LAST_LINES: Final = 40
"""Of a crash report,"""
_LONGEST: Final = 1000
"""and characters of each."""

Found = tuple[OutputLine, ...] | None
"""None where nobody knows."""


@attrs.define(eq=False)
class _Follower:
    """A client that is told what systems say."""

    names: frozenset[str] | None
    """None is all."""
    waits: bool = False
    """Whether it is still to be told what was said before; that has in it what is said now."""

    def wants(self, line: OutputLine) -> bool:
        return self.names is None or line.system_name in self.names


class Outputs:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._scribe: Client | None = None
        self._numbers = itertools.count(1)
        self._asked: dict[int, tuple[Callable[[Found], None], Timer]] = {}
        self._followers: dict[Client, _Follower] = {}

    # ---- the scribe -------------------------------------------------------------------------

    def keep(self, client: Client, request: KeepOutput) -> None:
        """A client is the scribe from now on."""
        self._lose_scribe()
        self._scribe = client
        self._context.tell(client, OutputKept(request_id=request.request_id))
        for child in self._context.children.values():
            if child.has_process:
                self.begun(child)
        if self._followers:
            self._context.tell(client, TellOutput(True))

    def forget_client(self, client: Client) -> None:
        """A client's connection ended."""
        if client == self._scribe:
            self._lose_scribe()
        self.unfollow(client)

    def _lose_scribe(self) -> None:
        self._scribe = None
        for number in list(self._asked):
            self._answer(number, None)

    def _tell_scribe(self, message: object) -> None:
        if self._scribe is not None:
            self._context.tell(self._scribe, message)

    # ---- processes --------------------------------------------------------------------------

    def begun(self, child: Child) -> None:
        """A child has a process, which says what it says into its pipe."""
        path = self._context.doors.output_of(child.name, child.incarnation)
        if path is not None:
            self._tell_scribe(ListenTo(child.name, child.incarnation, path))

    def hear_out(self, child: Child, go_on: Callable[[], None]) -> None:
        """A child's process has ended: note its last words, and go on."""

        def found(lines: Found) -> None:
            child.last_lines = tuple(_shortened(line_text(line)) for line in lines or ())
            go_on()

        wanted = FindLines(0, child.name, child.incarnation, count=LAST_LINES)
        self._find(wanted, found, HEAR_OUT)

    def hear(self, event: LifecycleEvent) -> None:
        match event.kind:
            case EventKind.CRASHED | EventKind.STOPPED:
                self._tell_scribe(EndOutput(event.system_name, event.incarnation))
            case EventKind.UNREGISTERED:
                self._tell_scribe(ForgetOutput(event.system_name))

    # ---- who asks ---------------------------------------------------------------------------

    def give(self, client: Client, request: GetLogs) -> None:
        """Answer with what is kept."""

        def found(lines: Found) -> None:
            if lines is None:
                text = "what it says is not at hand: the runtime has no scribe that answers"
                self._context.tell(client, request.failure(FailureCode.UNAVAILABLE, text))
                return
            given = LogsGiven(
                request_id=request.request_id, system_name=request.system_name, lines=lines
            )
            self._context.tell(client, given)

        wanted = FindLines(0, request.system_name, count=request.count)
        patience = PATIENCE if request.timeout is None else min(PATIENCE, request.timeout)
        self._find(wanted, found, patience)

    def _find(self, wanted: FindLines, found: Callable[[Found], None], patience: float) -> None:
        if self._scribe is None:
            found(None)
            return
        number = next(self._numbers)
        timer = self._context.timers.after(patience, lambda: self._answer(number, None))
        self._asked[number] = found, timer
        self._tell_scribe(attrs.evolve(wanted, number=number))

    def answered(self, message: LinesFound) -> None:
        """The scribe has found lines."""
        self._answer(message.number, message.lines)

    def _answer(self, number: int, lines: Found) -> None:
        found, timer = self._asked.pop(number, (None, None))
        if found is not None and timer is not None:
            self._context.timers.cancel(timer)
            found(lines)

    # ---- who follows ------------------------------------------------------------------------

    def follow(self, client: Client, names: tuple[str, ...] | None, since: int | None) -> None:
        """Have a client told what these systems say, in place of others before.

        Args:
            since: the sequence number of the last line that it has had; those after it come
                first, as far as they are kept. None begins now.
        """
        if names == ():
            self.unfollow(client)
            return
        follower = _Follower(None if names is None else frozenset(names))
        self._followers[client] = follower
        if len(self._followers) == 1:
            self._tell_scribe(TellOutput(True))
        if since is None:
            return
        follower.waits = True

        def found(lines: Found) -> None:
            follower.waits = False
            if self._followers.get(client) is follower:
                self._pass_on(client, follower, lines or ())

        self._find(FindLines(0, None, since=since), found, PATIENCE)

    def unfollow(self, client: Client) -> None:
        if self._followers.pop(client, None) is not None and not self._followers:
            self._tell_scribe(TellOutput(False))

    def said(self, message: LinesSaid) -> None:
        """The scribe tells what was said."""
        for client, follower in self._followers.items():
            if not follower.waits:
                self._pass_on(client, follower, message.lines)

    def _pass_on(self, client: Client, follower: _Follower, lines: tuple[OutputLine, ...]) -> None:
        wanted = tuple(filter(follower.wants, lines))
        if wanted:
            self._context.tell(client, LinesSaid(wanted))


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} [...]"
