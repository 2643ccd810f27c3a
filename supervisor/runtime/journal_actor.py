"""The journal as a Thespian actor: the one process that writes the journal's file.

It has a process of its own because of fsync(2), which takes as long as the disk takes: nobody
waits for it but who asked for something to be written. It decides nothing. Its end is told to the
supervisor, which starts it again, and asks anew for what was not answered.
"""

from __future__ import annotations

import logging
import os
from typing import Any

from thespian.actors import Actor, ActorAddress, ActorExitRequest, ActorSystemMessage

from actors import loggers
from actors.errors import describe
from actors.messages import Reply, invalid_request
from actors.processes.actor_start import begin_actor
from supervisor.durable.store.answering import answer
from supervisor.durable.store.errors import BrokenJournalError, JournalError, WriteRefusedError
from supervisor.durable.store.files import HeldJournal
from supervisor.durable.store.store import Store
from supervisor.messages.journal import (
    Answer,
    JournalFailed,
    JournalOpened,
    LoadFailed,
    OpenJournal,
    Question,
    Write,
    WriteRefused,
    Written,
)


class JournalActor(Actor):  # type: ignore[misc]  # Thespian has no types
    """Created by a supervisor, which sends :class:`OpenJournal` first, and alone is heard."""

    def __init__(self) -> None:
        super().__init__()
        self._set_up = False
        self._supervisor: ActorAddress | None = None
        self._journal: HeldJournal | None = None

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        # An exception that left here would make Thespian call again with the same message.
        try:
            if not self._set_up:
                self._set_up = True
                begin_actor()
            self._receive(message, sender)
        except Exception as error:
            _log().exception("journal: %s could not be dealt with", type(message).__name__)
            self._answer_failure(message, f"a bug of extsys: {describe(error)}")

    def _receive(self, message: Any, sender: ActorAddress) -> None:
        match message:
            case OpenJournal() if self._supervisor in (None, sender):
                self._supervisor = sender
                self._open(message)
            case Write() if sender == self._supervisor:
                self._write(message)
            case _ if isinstance(message, Question) and sender == self._supervisor:
                self.send(self._supervisor, self._answer(message))
            case ActorExitRequest():
                self._close()
            case Reply() | ActorSystemMessage():
                pass
            case _:
                text = f"a journal does not hear {type(message).__name__} from everybody"
                self.send(sender, invalid_request(message, text))

    def _open(self, message: OpenJournal) -> None:
        self._close()
        try:
            self._journal = HeldJournal(message.directory, message.limits)
            store = self._journal.store
            depths = store.depths()
        except JournalError as error:
            self._close()
            self.send(self._supervisor, JournalFailed(str(error)))
            return
        about = store.about
        self.send(
            self._supervisor,
            JournalOpened(
                journal_id=about.journal_id,
                next_id=about.next_id,
                next_received_id=about.next_received_id,
                last_write=about.last_write,
                depths=depths,
                pid=os.getpid(),
            ),
        )

    def _write(self, message: Write) -> None:
        try:
            forgotten = self._store().write(message.number, message.operations)
        except WriteRefusedError as error:
            self.send(self._supervisor, WriteRefused(message.number, str(error)))
        except BrokenJournalError as error:
            # What is on the disk shows when it is opened again, in the next process.
            self.send(self._supervisor, JournalFailed(str(error)))
            self._close()
            self.send(self.myAddress, ActorExitRequest())
        else:
            self.send(self._supervisor, Written(message.number, forgotten))
            if forgotten:
                text = "%d dead letters were forgotten, as they were too old or too many"
                _log().warning(text, forgotten)
        if self._journal is not None:
            self._journal.let_askers_go()

    def _answer(self, question: Question) -> Answer:
        try:
            return answer(self._store(), question)
        except JournalError as error:
            return LoadFailed(question.number, str(error))

    def _store(self) -> Store:
        """
        Raises:
            JournalError: it is not open.
        """
        if self._journal is None:
            raise WriteRefusedError("the journal is not open")
        return self._journal.store

    def _close(self) -> None:
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.close()

    def _answer_failure(self, message: Any, text: str) -> None:
        """Nobody shall wait for ever for what cannot be done."""
        match message:
            case OpenJournal():
                self.send(self._supervisor, JournalFailed(text))
            case Write():
                self.send(self._supervisor, WriteRefused(message.number, text))
            case _ if isinstance(message, Question):
                self.send(self._supervisor, LoadFailed(message.number, text))


def _log() -> logging.Logger:
    return logging.getLogger(loggers.JOURNAL)
