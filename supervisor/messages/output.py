"""What a supervisor and the scribe of its runtime say to each other.

The scribe is the process that reads what all others say. It keeps the last lines of each system,
and is asked for them by the supervisor, whose client it is.
"""

from __future__ import annotations

import attrs

from actors.messages import Reply
from actors.messages.output import OutputLine
from supervisor.messages.requests import SupervisorRequest


@attrs.frozen
class KeepOutput(SupervisorRequest):
    """Have the asker, a scribe, read what systems say. Answered by :class:`OutputKept`; the other
    messages here follow."""


@attrs.frozen(kw_only=True)
class OutputKept(Reply):
    """The asker is the supervisor's scribe."""


# ---- to the scribe ------------------------------------------------------------------------


@attrs.frozen
class ListenTo:
    """One incarnation of a system writes what it says into a pipe."""

    system_name: str
    incarnation: int
    path: str


@attrs.frozen
class EndOutput:
    """That incarnation has ended, or is none of the supervisor's any more; what it started may
    go on to write."""

    system_name: str
    incarnation: int


@attrs.frozen
class ForgetOutput:
    """There is no such system any more."""

    system_name: str


@attrs.frozen
class TellOutput:
    """Say what comes from now on as :class:`LinesSaid`, or do not."""

    on: bool


@attrs.frozen
class FindLines:
    """Find lines, also those that wait to be read. Answered by :class:`LinesFound`."""

    number: int
    system_name: str | None
    """None is all of them."""
    incarnation: int | None = None
    since: int = 0
    """Only those after this sequence number."""
    count: int | None = None
    """The last so many of them; None is all that are kept."""


# ---- from the scribe ----------------------------------------------------------------------


@attrs.frozen
class LinesSaid:
    """Systems said this."""

    lines: tuple[OutputLine, ...] = attrs.field(repr=False)


@attrs.frozen
class LinesFound:
    """The answer to the :class:`FindLines` of this number, in order."""

    number: int
    lines: tuple[OutputLine, ...] = attrs.field(repr=False)
