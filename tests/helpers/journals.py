"""A journal in memory, and a supervisor's core that has one: what is on the disk outlives both."""

from __future__ import annotations

from collections import deque
from typing import Any

import attrs

from supervisor.core.actions import KillJournal, StartJournal, TellJournal
from supervisor.durable.entry import Entry, FailedAttempt, OutboxDepth
from supervisor.messages.journal import (
    Accept,
    AttemptFailed,
    BeginAttempt,
    Bury,
    Delivered,
    Discard,
    JournalOpened,
    Load,
    Loaded,
    OpenJournal,
    Revive,
    TakeBackAttempt,
    Write,
    WriteRefused,
    Written,
)
from tests.helpers.harness import Harness


@attrs.define
class Disk:
    """What is on the disk, and stays there."""

    waiting: dict[int, Entry] = attrs.field(factory=dict)
    dead: dict[int, str] = attrs.field(factory=dict)
    items: dict[int, Any] = attrs.field(factory=dict)
    """All that were ever accepted."""
    last_write: int = 0
    next_id: int = 1
    is_full: bool = False
    commits: int = 0

    def apply(self, operation: Any) -> None:
        match operation:
            case Accept(entry=entry):
                assert entry.id >= self.next_id, "an id is used twice"
                self.next_id = entry.id + 1
                self.waiting[entry.id] = entry
                self.items[entry.id] = entry.data.wrapped()
            case BeginAttempt(ids=ids):
                self._count(ids, 1)
            case TakeBackAttempt(ids=ids):
                self._count(ids, -1)
            case AttemptFailed(id=entry_id):
                entry = self.waiting[entry_id]
                failed = FailedAttempt(operation.at, operation.why, operation.crashed)
                self.waiting[entry_id] = attrs.evolve(
                    entry,
                    crashes=entry.crashes + operation.crashed,
                    history=(*entry.history, failed),
                    under_way=False,
                )
            case Delivered(ids=ids) | Discard(ids=ids):
                for each in ids:
                    self.waiting.pop(each, None)
            case Bury(id=entry_id, why=why):
                if self.waiting.pop(entry_id, None) is not None:
                    self.dead[entry_id] = why
            case Revive():
                raise NotImplementedError
            case _:
                raise AssertionError(operation)

    def _count(self, ids: tuple[int, ...], more: int) -> None:
        for each in ids:
            entry = self.waiting[each]
            attempts = entry.attempts + more
            assert attempts >= 0
            self.waiting[each] = attrs.evolve(entry, attempts=attempts, under_way=more > 0)

    def depths(self) -> tuple[OutboxDepth, ...]:
        names = {each.system_name for each in self.waiting.values()}
        mine = {n: [e for e in self.waiting.values() if e.system_name == n] for n in sorted(names)}
        return tuple(
            OutboxDepth(system_name=n, waiting=len(e), waiting_bytes=sum(x.data.size for x in e))
            for n, e in mine.items()
        )


class JournalProcess:
    """One process of the journal: it takes one message after the other."""

    def __init__(self, disk: Disk, life: int) -> None:
        self.disk = disk
        self.life = life
        self.inbox: deque[Any] = deque()
        self.said: deque[Any] = deque()
        """On its way to the supervisor."""
        self.is_open = False
        self.writes_in_queue = 0

    def told(self, message: Any) -> None:
        assert self.is_open or isinstance(message, OpenJournal) or self._opens(), message
        if isinstance(message, Write):
            self.writes_in_queue += 1
            assert self.writes_in_queue == 1, "two writes are under way"
        self.inbox.append(message)

    def _opens(self) -> bool:
        return any(isinstance(each, OpenJournal) for each in self.inbox)

    def work(self) -> None:
        """Do the next thing that it was told."""
        message = self.inbox.popleft()
        disk = self.disk
        match message:
            case OpenJournal():
                self.is_open = True
                self.said.append(
                    JournalOpened(
                        journal_id="j",
                        next_id=disk.next_id,
                        next_received_id=1,
                        last_write=disk.last_write,
                        depths=disk.depths(),
                        pid=1,
                    )
                )
            case Write(number=number):
                self.writes_in_queue -= 1
                if disk.is_full:
                    self.said.append(WriteRefused(number, "the disk is full"))
                    return
                if number > disk.last_write:
                    disk.last_write = number
                    disk.commits += 1
                    for operation in message.operations:
                        disk.apply(operation)
                self.said.append(Written(number))
            case Load():
                entries: list[Entry] = []
                size = 0
                found = [
                    each
                    for _, each in sorted(disk.waiting.items())
                    if each.system_name == message.system_name and each.id > message.after
                ]
                for entry in found:
                    size += entry.data.size
                    if entries and (size > message.max_bytes or len(entries) == message.limit):
                        break
                    entries.append(entry)
                more = len(entries) < len(found)
                self.said.append(Loaded(message.number, tuple(entries), more))
            case _:
                raise AssertionError(message)


class DurablePlant(Harness):
    """A harness with a journal, which answers at once unless it is held."""

    def __init__(self, disk: Disk | None = None, **options: Any) -> None:
        self.disk = disk or Disk()
        self.journal: JournalProcess | None = None
        self.holds_journal = False
        options.setdefault("state_dir", "/state")
        super().__init__(**options)

    def carry_out(self) -> None:
        super().carry_out()
        while not self.holds_journal and self.step_journal():
            pass

    def step_journal(self) -> bool:
        """Have the journal do one thing, or say one; whether there was any."""
        journal = self.journal
        if journal is None or not (journal.said or journal.inbox):
            return False
        if journal.said:
            message = journal.said.popleft()
            self.core.journal_said(journal.life, message, self.now)
            Harness.carry_out(self)
        else:
            journal.work()
        return True

    def kill_journal(self) -> None:
        assert self.journal is not None
        life, self.journal = self.journal.life, None
        self.core.journal_exited(life, "was killed", self.now)
        self.carry_out()

    def _do(self, action: Any) -> None:
        match action:
            case StartJournal(life=life):
                assert self.journal is None
                self.journal = JournalProcess(self.disk, life)
            case TellJournal(life=life, message=message):
                if self.journal is not None and self.journal.life == life:
                    self.journal.told(message)
            case KillJournal():
                self.kill_journal()
            case _:
                super()._do(action)
