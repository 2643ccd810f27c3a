"""What the supervisor's core decides, for the shell to carry out."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import attrs

from actors.messages import DoorAddress, StartSystem, SystemDefinition
from actors.messages.output import OutputAddress

Client = Hashable
"""Whoever asked; only the shell knows how to reach it."""


@attrs.frozen
class StartActor:
    """Create a system actor and tell it what to build."""

    name: str
    incarnation: int
    definition: SystemDefinition
    mailbox_size: int
    max_payload_bytes: int
    log_level: int
    """The least severe record of ``logging`` that its process is to say."""
    connect_within: float | None = None
    """Seconds in which it is to be connected before it is up; None if it is up before that."""
    failed: str | None = None
    """Why it is not to be connected before somebody asks for it, and what to do."""

    def message(
        self,
        door: DoorAddress | None = None,
        output: OutputAddress | None = None,
        level_path: str | None = None,
    ) -> StartSystem:
        """What to tell it; the shell knows where it is to be reached, and where its files are."""
        return StartSystem(
            self.definition,
            self.incarnation,
            door,
            self.max_payload_bytes,
            output,
            self.connect_within,
            self.failed,
            level_path,
        )


@attrs.frozen
class TellActor:
    """Send a message to a system actor."""

    name: str
    incarnation: int
    message: Any


@attrs.frozen
class KillActor:
    """End a system actor's process with SIGKILL. Its exit is noticed like any other."""

    name: str
    incarnation: int


@attrs.frozen
class ForgetActor:
    """This incarnation's exit has been dealt with; what comes from it now is stale."""

    name: str
    incarnation: int


@attrs.frozen
class StartJournal:
    """Create the process of the journal."""

    life: int
    """Counts them: 1, 2, 3..."""


@attrs.frozen
class TellJournal:
    """Send a message to the process of the journal."""

    life: int
    message: Any


@attrs.frozen
class KillJournal:
    """End the journal's process with SIGKILL."""

    life: int


@attrs.frozen
class TellClient:
    """Send a reply or an event to whoever asked or subscribed."""

    client: Client
    message: Any


@attrs.frozen
class Log:
    """Write a line to the log."""

    level: int
    text: str


@attrs.frozen
class Finish:
    """All systems are gone: the supervisor is done."""

    reason: str | None
    """Why it ends by itself; None when it was asked to."""
    exit_code: int
    """Of the runtime's root process."""


JournalAction = StartJournal | TellJournal | KillJournal
CoreAction = (
    StartActor | TellActor | KillActor | ForgetActor | JournalAction | TellClient | Log | Finish
)
