"""The process of the journal, as the supervisor's actor reaches it."""

from __future__ import annotations

import os
from typing import Any

from thespian.actors import Actor, ActorAddress

from actors.unix_base import creation_error
from supervisor.core.actions import JournalAction, KillJournal, StartJournal, TellJournal
from supervisor.core.exits import ProcessExit
from supervisor.runtime.processes import newest_process


def has_journal(state_dir: str | None) -> bool:
    """Whether there is a journal from before."""
    if state_dir is None or not os.path.isdir(state_dir):
        return False
    from supervisor.durable.store.files import FILE  # SQLite, which most runtimes do not need

    return os.path.lexists(os.path.join(state_dir, FILE))


class JournalProcess:
    """One at a time. It ends with the supervisor's, as those of systems do."""

    def __init__(self, supervisor: Actor) -> None:
        self._supervisor = supervisor
        self._address: ActorAddress | None = None
        """None while there is none."""
        self._process: Any = None
        """Its multiprocessing.Process, where the base has one."""
        self.life = 0

    def do(self, action: JournalAction) -> None:
        """Do what the core has decided.

        Raises:
            Exception: it cannot be started.
        """
        match action:
            case StartJournal():
                from supervisor.runtime.journal_actor import JournalActor

                self.life = action.life
                address = self._supervisor.createActor(JournalActor)
                if (error := creation_error(self._supervisor)) is not None:
                    raise error
                self._address, self._process = address, newest_process(self._supervisor)
            case TellJournal() if self._address is not None and action.life == self.life:
                self._supervisor.send(self._address, action.message)
            case KillJournal() if self._process is not None and action.life == self.life:
                self._process.kill()

    def is_it(self, address: ActorAddress) -> bool:
        """Whether this is the address of the one that there is."""
        return self._address is not None and self._address == address

    @property
    def is_lost(self) -> bool:
        """Whether it has ended, and nobody told of that."""
        is_here = self._address is not None and self._process is not None
        return is_here and not self._process.is_alive()

    def ended(self) -> tuple[int, str]:
        """Take note of its end: its life, and how it ended."""
        how = ProcessExit.of(getattr(self._process, "exitcode", None)).how or "ended"
        self._address = self._process = None
        return self.life, how
