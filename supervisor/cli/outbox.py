"""``extsys outbox``: what is sent durably and waits, from the journal's files."""

from __future__ import annotations

import time
from pathlib import Path

import click

from supervisor.cli.client import EXIT_FAILED, EXIT_NOTHING, as_json, columns, fail, say
from supervisor.cli.help import WholeGroup
from supervisor.cli.state import reading, state_dir, state_directory
from supervisor.durable.store.errors import JournalError, NoJournalError
from supervisor.durable.store.files import check_journal, rescue_journal
from supervisor.views import outbox as fmt

_REMEDY = """\
What to do:
1. Stop its supervisor: extsys stop
2. Keep a copy of the directory, for whatever comes.
3. Save what can be read: extsys outbox check --rescue FILE
4. Move the journal's files (journal.db and those that begin with it) away, and see to the disk.
5. Start the supervisor, which makes a new journal; stop it again, and have it take in what was
   saved: extsys dead-letters import FILE, and extsys dead-letters retry --all
6. Start the supervisor. Of what was saved some may have been delivered before.
"""


@click.group(cls=WholeGroup, invoke_without_command=True)
@state_dir
@as_json
@click.pass_context
def outbox(context: click.Context, state_dir: Path | None, json_: bool) -> None:
    """Show what waits to be delivered to each system: how much, since when, and how much came
    and went in the last minute.

    It is read from the journal's files, whether a supervisor runs or not.
    """
    if context.invoked_subcommand is not None:
        return
    with reading(state_dir) as reader:
        depths = reader.depths()
    now = time.time()
    say(fmt.depths_as_json(depths, now) if json_ else fmt.depths_as_table(depths, now, columns()))


@outbox.command()
@click.option(
    "--rescue",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write what waits, and dead letters, as far as they can be read, to a new file, as "
    "'extsys dead-letters import' takes them.",
)
@state_dir
def check(rescue: Path | None, state_dir: Path | None) -> None:
    """Verify a journal: all of it is read. What is wrong is told, and what to do about it."""
    directory = state_directory(state_dir)
    try:
        report = check_journal(directory)
    except NoJournalError as error:
        fail(EXIT_NOTHING, str(error))
    for fault in report.faults:
        say(fault)
    if rescue is not None:
        _rescue(directory, rescue)
    if report.is_damaged:
        say("")
        say(_REMEDY.rstrip())
        fail(EXIT_FAILED, f"the journal in {directory} is damaged")
    if report.faults:
        fail(EXIT_FAILED, f"the journal in {directory} cannot be used as it is")
    say(f"{report.path}: sound, with {report.held:,} messages and items")


def _rescue(directory: str, to: Path) -> None:
    try:
        with to.open("x", encoding="utf-8") as file:
            saved = rescue_journal(directory, file.write)
    except JournalError as error:
        fail(EXIT_FAILED, str(error))
    except OSError as error:
        fail(EXIT_FAILED, f"{to} cannot be written: {error.strerror}")
    say(f"{saved:,} messages were written to {to}")
