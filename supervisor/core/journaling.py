"""The supervisor's dealings with the process of its journal: that there is one, and that what was
asked of it is answered, whatever ends meanwhile. Pure."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any, Final

import attrs

from actors.resilience.backoff import BackoffPolicy, backoff_delay
from supervisor.core.actions import KillJournal, Log, StartJournal, TellJournal
from supervisor.core.context import Context
from supervisor.durable.journal import Asked, Journal, OnDone
from supervisor.messages.journal import (
    Answer,
    JournalFailed,
    JournalLimits,
    JournalOpened,
    Load,
    Loaded,
    LoadFailed,
    OpenJournal,
    Operation,
    Question,
    WriteRefused,
    Written,
)
from supervisor.specs.options import SupervisorOptions
from supervisor.specs.policies import as_seconds
from supervisor.timing.timers import Timer

STANDS_STILL: Final = 60.0
"""Seconds without an answer after which the journal's process is killed."""
_AGAIN: Final = BackoffPolicy(backoff_min=0.1, backoff_max=10.0)

OnLoaded = Callable[[tuple[Any, ...] | None], None]
"""Told of what was loaded; None where that failed."""
OnAnswer = Callable[[Answer], None]


@attrs.frozen(eq=False)
class _Asking:
    question: Question
    on_answer: OnAnswer


class Journaling:
    """Times are seconds of a monotonic clock."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._journal = Journal()
        self._life = 0
        """Counts the processes."""
        self._is_alive = False
        self._is_open = False
        self._failures = 0
        self._asking: dict[int, _Asking] = {}
        self._questions = 0
        self._patience: Timer | None = None
        self._retry_at: float | None = None
        """For when a timer was set last."""
        self.why_not: str | None = None
        """Why nothing can be accepted at present; None while it can, or may soon."""
        self.on_opened: Callable[[JournalOpened], None] = lambda opened: None
        self.on_failed: Callable[[str], None] = lambda why: None

    @property
    def has_begun(self) -> bool:
        """Whether there is a process of the journal, or will be: else there is no journal."""
        return self._life > 0

    @property
    def is_open(self) -> bool:
        return self._is_open

    @property
    def is_needed(self) -> bool:
        return self._life > 0

    @property
    def is_idle(self) -> bool:
        """Whether all that was to be written is."""
        return self._journal.is_idle or not self._is_open

    @property
    def size(self) -> int:
        """Bytes of data that wait to be written."""
        return self._journal.size

    def need(self) -> None:
        """Have a process of the journal from now on."""
        if not self._life:
            self._start()

    # ---- what is asked ----------------------------------------------------------------------

    def ask(
        self, operations: tuple[Operation, ...], on_done: OnDone, *, must: bool = False
    ) -> Asked:
        """Have operations written, as :meth:`Journal.ask` says."""
        return self._journal.ask(operations, on_done, must=must)

    def withdraw(self, asked: Asked) -> bool:
        """Do not write this, if it is not under way; whether that is so."""
        return self._journal.withdraw(asked)

    def load(
        self, system_name: str, after: int, limit: int, max_bytes: int, on_loaded: OnLoaded
    ) -> None:
        """Have the next entries of a system loaded; of what was asked to be written before, all
        that was done is in them."""

        def answered(answer: Answer) -> None:
            on_loaded(answer.entries if isinstance(answer, Loaded) else None)

        self.read(Load(0, system_name, after, limit, max_bytes), answered)

    def read(self, question: Question, on_answer: OnAnswer) -> None:
        """Have a question answered, whatever ends meanwhile. Of what was asked to be written
        before, all that was done is in the answer.

        Args:
            question: its number does not count.
        """
        self._questions += 1
        question = attrs.evolve(question, number=self._questions)
        self._asking[question.number] = _Asking(question, on_answer)
        if self._is_open:
            self._tell(question)

    def flush(self) -> None:
        """Send off what may go now."""
        now = self._context.now
        write = self._journal.next_write(now)
        if write is not None:
            self._tell(write)
            self._wait_for_answer()
        elif self._is_open and (due := self._journal.retry_at) not in (None, self._retry_at):
            assert due is not None
            self._retry_at = due
            self._context.timers.at(due, lambda: None)  # whatever is due flushes, too

    # ---- what the shell tells ---------------------------------------------------------------

    def said(self, life: int, message: Any) -> None:
        """Anything that a process of the journal said."""
        if life != self._life:
            return
        match message:
            case JournalOpened():
                self._opened(message)
            case JournalFailed():
                self._failed(message.text)
            case Written(number=number):
                self._answered()
                self._journal.written(number)
            case WriteRefused(number=number, text=text):
                self._answered()
                self._journal.refused(number, text, self._context.now)
            case _ if isinstance(message, Answer):
                if isinstance(message, LoadFailed):
                    self._log(logging.ERROR, f"the journal cannot be read: {message.text}")
                asking = self._asking.pop(message.number, None)
                if asking is not None:
                    asking.on_answer(message)

    def exited(self, life: int, how: str) -> None:
        """A process of the journal is gone, or could not be made.

        Args:
            how: it ended, to follow "the journal's process".
        """
        if life != self._life or not self._is_alive:
            return
        self._is_alive = self._is_open = False
        self._answered()
        self._journal.closed()
        self._failures += 1
        if self.why_not is None:
            self._log(logging.WARNING, f"the journal's process {how}; starting the next")
        if self._failures > 1:  # the first costs nobody anything
            self._refuse(self.why_not or f"its process {how}")
        delay = backoff_delay(_AGAIN, self._failures, self._context.random)
        self._context.timers.after(delay, self._start)

    # ---- details ----------------------------------------------------------------------------

    def _start(self) -> None:
        self._life += 1
        self._is_alive = True
        self._context.act(StartJournal(self._life))
        self._open(self._life)

    def _open(self, life: int) -> None:
        options = self._context.options
        if life == self._life and self._is_alive and options.state_dir is not None:
            self._tell(OpenJournal(options.state_dir, _limits(options)))
            self._wait_for_answer()

    def _opened(self, opened: JournalOpened) -> None:
        self._answered()
        if self.why_not is not None:
            self._log(logging.WARNING, "the journal is open again")
        self.why_not = None
        self._failures = 0
        self._is_open = True
        again = self._journal.opened(opened.last_write)
        if again is not None:
            self._tell(again)
            self._wait_for_answer()
        for asking in self._asking.values():
            self._tell(asking.question)  # behind what is written, which it may be about
        self.on_opened(opened)

    def _failed(self, text: str) -> None:
        """It cannot be opened, or not be used any more."""
        self._answered()
        was_open, self._is_open = self._is_open, False
        self._journal.closed()
        if text != self.why_not:
            self._log(logging.ERROR, f"nothing can be sent durably: {text}")
        self._refuse(text)
        if not was_open:  # else its process ends
            self._failures += 1
            life = self._life
            delay = backoff_delay(_AGAIN, self._failures + 1, self._context.random)
            self._context.timers.after(delay, lambda: self._open(life))

    def _refuse(self, text: str) -> None:
        self.why_not = text
        self._journal.refuse_gathering(text)
        self.on_failed(text)

    def _wait_for_answer(self) -> None:
        self._answered()
        life = self._life

        def kill() -> None:
            if life == self._life and self._is_alive:
                text = f"the journal's process has said nothing for {STANDS_STILL:g} s; killing it"
                self._log(logging.ERROR, text)
                self._context.act(KillJournal(life))

        self._patience = self._context.timers.after(STANDS_STILL, kill)

    def _answered(self) -> None:
        if self._patience is not None:
            self._context.timers.cancel(self._patience)
            self._patience = None

    def _tell(self, message: object) -> None:
        self._context.act(TellJournal(self._life, message))

    def _log(self, level: int, text: str) -> None:
        self._context.act(Log(level, text))


def _limits(options: SupervisorOptions) -> JournalLimits:
    kept_for = as_seconds(options.dead_letters_for)
    return JournalLimits(
        max_bytes=options.journal_bytes,
        max_dead_letters=options.dead_letters,
        dead_letters_for=None if math.isinf(kept_for) else kept_for,
    )
