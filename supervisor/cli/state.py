"""What the commands about a journal's files have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from supervisor.cli.client import EXIT_BUSY, EXIT_FAILED, EXIT_NOTHING, fail
from supervisor.durable.store.errors import HeldJournalError, JournalError, NoJournalError
from supervisor.durable.store.files import HeldJournal, default_state_directory, journal_to_read
from supervisor.durable.store.reading import JournalReader
from supervisor.durable.store.store import Store
from supervisor.messages.journal import JournalLimits

C = TypeVar("C", bound=Callable[..., Any])

_WITHOUT_LIMITS: Final = JournalLimits(
    max_bytes=1 << 62, max_dead_letters=1 << 62, dead_letters_for=None
)
"""What is forgotten is for the supervisor to decide, which knows the limits that were set."""
_PATIENCE: Final = 1.0
"""Seconds."""


def state_dir(command: C) -> C:
    """The option of a command for where the journal is; :func:`state_directory` reads it."""
    return click.option(
        "--state-dir",
        type=click.Path(path_type=Path, file_okay=False),
        envvar="EXTSYS_STATE_DIR",
        help="Where the journal is: state_dir of the supervisor. Default: $STATE_DIRECTORY, or "
        "extsys in $XDG_STATE_HOME or ~/.local/state.",
    )(command)


def state_directory(chosen: Path | None) -> str:
    """What was chosen, for this command or one above it, or else the usual directory."""
    context = click.get_current_context().parent
    while chosen is None and context is not None:
        chosen = context.params.get("state_dir")
        context = context.parent
    return str(chosen or default_state_directory())


@contextmanager
def reading(chosen: Path | None) -> Iterator[JournalReader]:
    """The journal as it is on the disk; ends the command where it cannot be read."""
    try:
        with journal_to_read(state_directory(chosen)) as reader:
            yield reader
    except NoJournalError as error:
        fail(EXIT_NOTHING, str(error))
    except JournalError as error:
        fail(EXIT_FAILED, str(error))


@contextmanager
def changing(chosen: Path | None) -> Iterator[Store]:
    """The journal, for this command alone; ends the command where it cannot be had."""
    try:
        journal = HeldJournal(
            state_directory(chosen), _WITHOUT_LIMITS, make=False, patience=_PATIENCE
        )
    except NoJournalError as error:
        fail(EXIT_NOTHING, str(error))
    except HeldJournalError as error:
        fail(EXIT_BUSY, str(error))
    except JournalError as error:
        fail(EXIT_FAILED, str(error))
    try:
        yield journal.store
    except JournalError as error:
        fail(EXIT_FAILED, str(error))
    finally:
        journal.close()
