"""What a journal answers to a supervisor's questions."""

from __future__ import annotations

from supervisor.durable.store.reading import JournalReader
from supervisor.messages.journal import (
    Answer,
    DeadLettersFound,
    DeadLettersLoaded,
    FindDeadLetters,
    JournalMeasured,
    Load,
    LoadDeadLetters,
    Loaded,
    LoadReceived,
    MeasureJournal,
    Question,
    ReceivedLoaded,
)


def answer(reader: JournalReader, question: Question) -> Answer:
    """
    Raises:
        JournalError: what was asked for cannot be read.
    """
    match question:
        case Load(number, name, after, limit, most):
            return Loaded(number, *reader.load(name, after, limit, most))
        case LoadDeadLetters(number, every, ids, after, limit, most):
            letters, more = reader.load_dead_letters(every, ids, after, limit, most)
            return DeadLettersLoaded(number, letters, more)
        case FindDeadLetters(number, every, ids):
            return DeadLettersFound(number, reader.find_dead_letters(every, ids))
        case LoadReceived(number, name, after, limit, most):
            return ReceivedLoaded(number, *reader.load_received(name, after, limit, most))
        case MeasureJournal(number):
            return JournalMeasured(number, reader.depths())
