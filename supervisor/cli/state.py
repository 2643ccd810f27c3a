"""What the commands about a journal's files have in common."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from actors.unix_base.kernel.held_directory import is_held
from supervisor.cli.client import EXIT_BUSY, EXIT_FAILED, EXIT_NOTHING, attached, fail
from supervisor.durable.store.errors import HeldJournalError, JournalError, NoJournalError
from supervisor.durable.store.files import HeldJournal, default_state_directory, journal_to_read
from supervisor.durable.store.reading import JournalReader
from supervisor.durable.store.store import Store
from supervisor.host.manager import ExternalSystemManager
from supervisor.messages.journal import JournalLimits

T = TypeVar("T")
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
        help="Where the journal is: state_dir of the supervisor. Default: that of the supervisor "
        "which runs; else $STATE_DIRECTORY, or extsys in $XDG_STATE_HOME or ~/.local/state.",
    )(command)


def state_directory(chosen: Path | None) -> str:
    """What was chosen, for this command or one above it; or else what the supervisor has that
    runs, or would have by default."""
    context = click.get_current_context().parent
    while chosen is None and context is not None:
        chosen = context.params.get("state_dir")
        context = context.parent
    return str(chosen or _of_running() or default_state_directory())


def _of_running() -> str | None:
    """Where the supervisor in the runtime directory has its journal, if there is one."""
    runtime: Path = click.get_current_context().obj
    return attached(runtime, _state_dir_of) if is_held(str(runtime)) else None


async def _state_dir_of(manager: ExternalSystemManager) -> str | None:
    return manager.state_dir


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


def changed(
    chosen: Path | None,
    work: Callable[[Store], T],
    ask: Callable[[ExternalSystemManager], Coroutine[Any, Any, T]],
) -> T:
    """What comes of a change to the journal: by this command alone, or by the supervisor that has
    it. Ends the command where neither can be done.

    Args:
        work: does it in the journal.
        ask: has the supervisor do it.
    """
    directory = state_directory(chosen)
    try:
        journal = HeldJournal(directory, _WITHOUT_LIMITS, make=False, patience=_PATIENCE)
    except NoJournalError as error:
        fail(EXIT_NOTHING, str(error))
    except HeldJournalError as error:
        return _by_its_supervisor(directory, ask, str(error))
    except JournalError as error:
        fail(EXIT_FAILED, str(error))
    try:
        return work(journal.store)
    except JournalError as error:
        fail(EXIT_FAILED, str(error))
    finally:
        journal.close()


def _by_its_supervisor(
    directory: str,
    ask: Callable[[ExternalSystemManager], Coroutine[Any, Any, T]],
    why_held: str,
) -> T:
    """
    Args:
        why_held: what to say if it is not the one that runs in the runtime directory.
    """
    with reading(Path(directory)) as reader:
        journal_id = reader.about.journal_id
    runtime: Path = click.get_current_context().obj

    async def ask_if_it_is_its(manager: ExternalSystemManager) -> T | None:
        if await manager.journal_id() != journal_id:
            return None
        return await ask(manager)

    if not is_held(str(runtime)):
        fail(EXIT_BUSY, why_held)
    done = attached(runtime, ask_if_it_is_its)
    if done is None:
        fail(EXIT_BUSY, why_held)
    return done
