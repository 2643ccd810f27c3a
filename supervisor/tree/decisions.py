"""What a tree decides, for whoever drives it to carry out. Pure."""

from __future__ import annotations

from typing import Any, Final

import attrs

from actors.messages import FailureCode, Reason
from supervisor.messages import EventKind
from supervisor.messages.crashes import CrashReport
from supervisor.tree.nodes import End, Ending, Node

EX_SOFTWARE: Final = 70
"""As ``os`` has it, where it has it: an internal error."""


@attrs.frozen
class StartProcess:
    """Have a system's next incarnation built."""

    name: str
    incarnation: int


@attrs.frozen
class StopProcess:
    """Have a system's process end."""

    name: str
    incarnation: int
    brutal: bool
    """Kill it at once."""


@attrs.frozen
class Happened:
    """Something happened to a system or a group, for all who want to know of it.

    Its fields are those of the :class:`~supervisor.messages.LifecycleEvent` that tells it.
    """

    kind: EventKind
    system_name: str
    incarnation: int
    reason: Reason | None = None
    delay: float | None = None
    report: CrashReport | None = None
    connected_to: str | None = None


@attrs.frozen
class Settled:
    """What somebody waits for has come to pass, or never will."""

    order: Any
    name: str
    incarnation: int
    failure: tuple[FailureCode, str] | None = None
    """Why it never will."""
    not_started: bool = False
    """It failed because the child could not be started."""


@attrs.frozen
class Removed:
    """A child is in the tree no more."""

    node: Node


@attrs.frozen
class RootEnded:
    """The whole tree is down."""

    ending: Ending
    end: End | None

    @property
    def why(self) -> str | None:
        """Why the supervisor ends by itself; None if it was asked to."""
        cause = f": {self.end.reason.text}" if self.end is not None else ""
        match self.ending:
            case Ending.START_FAILED:
                return f"the systems could not be started{cause}"
            case Ending.GAVE_UP:
                text = "the supervisor gave up: more restarts than are allowed"
                return f"{text}; the last cause{cause}"
            case Ending.AUTO_SHUTDOWN:
                return f"the significant systems have ended{cause}"
        return None

    @property
    def exit_code(self) -> int:
        """Of the runtime's root process."""
        failed = self.ending in (Ending.START_FAILED, Ending.GAVE_UP)
        return EX_SOFTWARE if failed else 0


TreeAction = StartProcess | StopProcess | Happened | Settled | Removed | RootEnded


class RefusedError(Exception):
    """An order cannot be carried out; nothing was changed."""

    def __init__(self, code: FailureCode, text: str) -> None:
        super().__init__(text)
        self.code = code
