"""``extsys dead-letters``: what could not be delivered, from the journal's files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, TextIO

import attrs
import click

from supervisor.cli.client import EXIT_FAILED, as_json, columns, fail, say
from supervisor.cli.help import WholeGroup
from supervisor.cli.state import changed, reading, state_dir
from supervisor.durable.entry import DeadLetter
from supervisor.durable.exchange import LineError, to_line
from supervisor.durable.store.reading import JournalReader
from supervisor.durable.store.store import Store
from supervisor.host.dead_letters import letter_of_line
from supervisor.messages.journal import Discard, Operation, Revive, TakeIn
from supervisor.views import outbox as fmt

_AT_ONCE: Final = 1000


@click.group(cls=WholeGroup)
def dead_letters() -> None:
    """List, show, retry and discard what could not be delivered; export it, and import it.

    Those that only look read the journal's files, whether a supervisor runs or not. What is to be
    changed is changed there, or by the supervisor that has the journal.
    """


@dead_letters.command(name="list")
@click.argument("name", required=False)
@state_dir
@as_json
def list_(name: str | None, state_dir: Path | None, json_: bool) -> None:
    """List all dead letters, or those of one system."""
    with reading(state_dir) as reader:
        letters = list(_all(reader, name))
        if json_:
            say(json.dumps([_as_json(each, reader) for each in letters]))
            return
    say(fmt.letters_as_table(letters, columns()))


@dead_letters.command()
@click.argument("id", type=int)
@state_dir
@as_json
def show(id: int, state_dir: Path | None, json_: bool) -> None:
    """Show all about one: its data, and why it failed each time."""
    with reading(state_dir) as reader:
        [letter] = _chosen(reader, (id,))
        if json_:
            say(json.dumps(_as_json(letter, reader)))
            return
        delivery_id = letter.entry.delivery_id(reader.about.journal_id)
    say(fmt.letter_as_text(letter, delivery_id, columns()))


@dead_letters.command()
@click.argument("ids", metavar="ID...", nargs=-1, type=int)
@click.option("--all", "all_", is_flag=True, help="Retry all.")
@click.option("--system", "name", help="With --all: of this system.")
@state_dir
def retry(ids: tuple[int, ...], all_: bool, name: str | None, state_dir: Path | None) -> None:
    """Have them delivered after all: they wait again, at their old places."""
    _check(ids, all_, name)
    done = changed(
        state_dir,
        lambda store: _change(store, ids, name, Revive),
        lambda manager: manager.retry_dead_letters(ids or None, name=name),
    )
    say(f"{_count(done)} to be delivered")


@dead_letters.command()
@click.argument("ids", metavar="ID...", nargs=-1, type=int)
@click.option("--all", "all_", is_flag=True, help="Discard all.")
@click.option("--system", "name", help="With --all: of this system.")
@state_dir
def discard(ids: tuple[int, ...], all_: bool, name: str | None, state_dir: Path | None) -> None:
    """Forget them for good."""
    _check(ids, all_, name)
    done = changed(
        state_dir,
        lambda store: _change(store, ids, name, Discard),
        lambda manager: manager.discard_dead_letters(ids or None, name=name),
    )
    say(f"{_count(done)} discarded")


@dead_letters.command()
@click.argument("name", required=False)
@state_dir
def export(name: str | None, state_dir: Path | None) -> None:
    """Print them as JSON lines, one each, with their data and history. They stay in the journal."""
    with reading(state_dir) as reader:
        for letter in _all(reader, name):
            say(to_line(letter, reader.about.journal_id))


@dead_letters.command(name="import")
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option(
    "--allow-pickle",
    is_flag=True,
    help="Also take pickled data. Who made it has code run in the process of its system.",
)
@state_dir
def import_(file: TextIO, allow_pickle: bool, state_dir: Path | None) -> None:
    """Take in dead letters from a FILE of JSON lines, - for standard input.

    All of it is taken in, or nothing. Those that the journal has already are passed over.
    """
    letters = _read(file, allow_pickle)

    def work(store: Store) -> int:
        first = store.about.next_id
        numbered = [
            attrs.evolve(each, entry=attrs.evolve(each.entry, id=first + count))
            for count, each in enumerate(letters)
        ]
        store.write(store.about.last_write + 1, [TakeIn(each) for each in numbered])
        return len(store.find_dead_letters(ids=[each.entry.id for each in numbered]))

    new = changed(state_dir, work, lambda manager: manager.take_in_dead_letters(letters))
    passed = len(letters) - new
    say(f"{_count(new)} taken in" + (f", {passed:,} there already" if passed else ""))


# ---- details -------------------------------------------------------------------------------


def _check(ids: tuple[int, ...], all_: bool, name: str | None) -> None:
    if bool(ids) == all_:
        raise click.UsageError("give either IDs or --all")
    if name is not None and not all_:
        raise click.UsageError("--system goes with --all")


def _change(
    store: Store,
    ids: tuple[int, ...],
    name: str | None,
    order: Callable[[tuple[int, ...]], Operation],
) -> int:
    letters = _chosen(store, ids) if ids else list(_all(store, name))
    chosen = tuple(letter.entry.id for letter in letters)
    store.write(store.about.last_write + 1, [order(chosen)])
    return len(chosen)


def _all(reader: JournalReader, name: str | None) -> Iterator[DeadLetter]:
    after, more = 0, True
    while more:
        letters, more = reader.load_dead_letters(name, after=after, limit=_AT_ONCE)
        yield from letters
        after = letters[-1].entry.id if letters else after


def _chosen(reader: JournalReader, ids: Sequence[int]) -> list[DeadLetter]:
    """The dead letters with these ids; ends the command where there is none with one of them."""
    letters: list[DeadLetter] = []
    for id_ in dict.fromkeys(ids):
        found, _ = reader.load_dead_letters(ids=(id_,))
        if not found:
            fail(EXIT_FAILED, f"there is no dead letter {id_}; nothing was done")
        letters += found
    return letters


def _read(file: TextIO, allow_pickle: bool) -> list[DeadLetter]:
    letters: list[DeadLetter] = []
    mistakes: list[str] = []
    for number, line in enumerate(_lines(file), 1):
        if line.strip():
            try:
                letters.append(letter_of_line(line, number, allow_pickle))
            except LineError as error:
                mistakes.append(str(error))
    for mistake in mistakes:
        click.echo(f"extsys: {file.name}, {mistake}", err=True)
    if mistakes:
        fail(EXIT_FAILED, f"{file.name}: nothing was taken in")
    return letters


def _lines(file: TextIO) -> Iterator[str]:
    try:
        yield from file
    except UnicodeDecodeError as error:
        fail(EXIT_FAILED, f"{file.name} is not UTF-8 ({error}); nothing was taken in")


def _as_json(letter: DeadLetter, reader: JournalReader) -> object:
    return fmt.letter_as_json(letter, to_line(letter, reader.about.journal_id))


def _count(letters: int) -> str:
    return "1 dead letter" if letters == 1 else f"{letters:,} dead letters"
