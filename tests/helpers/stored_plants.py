"""A supervisor's core with a real journal, in memory, whose process answers at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from supervisor.core.actions import StartJournal
from supervisor.durable.store.answering import answer
from supervisor.durable.store.errors import WriteRefusedError
from supervisor.messages.journal import (
    JournalLimits,
    JournalOpened,
    OpenJournal,
    Question,
    Write,
    WriteRefused,
    Written,
)
from tests.helpers.journals import Disk, DurablePlant, JournalProcess
from tests.helpers.stores import open_store


class StoreProcess(JournalProcess):
    """One whose disk is a store."""

    def __init__(self, life: int, directory: Path) -> None:
        super().__init__(Disk(), life)
        self._directory = directory
        self.store: Any = None

    def work(self) -> None:
        message = self.inbox.popleft()
        if isinstance(message, OpenJournal):
            self.is_open = True
            self.store = open_store(self._directory, JournalLimits(dead_letters_for=None))
            about = self.store.about
            self.said.append(
                JournalOpened(
                    journal_id=about.journal_id,
                    next_id=about.next_id,
                    next_received_id=about.next_received_id,
                    last_write=about.last_write,
                    depths=self.store.depths(),
                    pid=1,
                )
            )
        elif isinstance(message, Write):
            self.writes_in_queue -= 1
            try:
                self.store.write(message.number, message.operations)
            except WriteRefusedError as error:
                self.said.append(WriteRefused(message.number, str(error)))
            else:
                self.said.append(Written(message.number))
        elif isinstance(message, Question):
            self.said.append(answer(self.store, message))
        else:
            raise AssertionError(message)


class StoredPlant(DurablePlant):
    def __init__(self, directory: Path, **options: Any) -> None:
        self._directory = directory
        super().__init__(**options)

    @property
    def store(self) -> Any:
        assert isinstance(self.journal, StoreProcess)
        return self.journal.store

    def close(self) -> None:
        if isinstance(self.journal, StoreProcess) and self.journal.store is not None:
            self.journal.store.close()

    def kill_journal(self) -> None:
        self.close()
        super().kill_journal()

    def _do(self, action: Any) -> None:
        if isinstance(action, StartJournal):
            assert self.journal is None
            self.journal = StoreProcess(action.life, self._directory)
        else:
            super()._do(action)
