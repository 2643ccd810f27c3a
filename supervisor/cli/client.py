"""What the commands that talk to a running supervisor have in common."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from actors import loggers
from actors.messages import FailureCode
from supervisor.cli import event_loop
from supervisor.cli.help import WholeGroup
from supervisor.config.file import Config, ConfigError, load_config
from supervisor.errors import ExternalSystemError
from supervisor.host.manager import ExternalSystemManager
from supervisor.runtime.directory import DirectoryError, RuntimeDirectory

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3
EXIT_BUSY = 4
EXIT_NOTHING = 5
EXIT_INTERRUPTED = 130
EXIT_CODES = (
    (0, "done"),
    (EXIT_FAILED, "the request failed; one line on standard error says why"),
    (EXIT_USAGE, "wrong usage, or mistakes in the configuration"),
    (EXIT_UNREACHABLE, "no supervisor runs in the runtime directory, or it died meanwhile"),
    (EXIT_BUSY, "the runtime directory, or the journal, is taken, or cannot be used"),
    (EXIT_NOTHING, "receive: nothing came; outbox, dead-letters: there is no journal"),
    (70, "run: the supervisor did not start, or died"),
    (
        EXIT_INTERRUPTED,
        "interrupted by Ctrl-C; but 0 of what shows things until then, and of run once it was up",
    ),
)

T = TypeVar("T")
Work = Callable[[ExternalSystemManager], Coroutine[Any, Any, T]]

as_json = click.option("--json", "json_", is_flag=True, help="Print JSON, one value a line.")


class Interruptible(WholeGroup):
    """Ends at a Ctrl-C with its exit code, and without a word."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        try:
            return super().make_context(*args, **extra)
        except KeyboardInterrupt:
            sys.exit(EXIT_INTERRUPTED)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            sys.exit(EXIT_INTERRUPTED)


def attached(directory: Path, work: Work[T], *, follows: bool = False) -> T:
    """Run a coroutine with a manager attached to the supervisor; end on any failure.

    Args:
        follows: whether a Ctrl-C is how it is meant to end.
    """

    async def attach() -> T:
        async with ExternalSystemManager.attach(directory, strict=True, direct=False) as manager:
            return await work(manager)

    if not follows:  # what is logged on the way is what the last line says
        logging.getLogger(loggers.ALL).addHandler(logging.NullHandler())
    try:
        RuntimeDirectory(directory).check_length()
        return event_loop.run(attach)
    except KeyboardInterrupt:
        sys.exit(0 if follows else EXIT_INTERRUPTED)
    except DirectoryError as error:
        fail(EXIT_BUSY, str(error))
    except OSError as error:
        fail(EXIT_UNREACHABLE, str(error))
    except (ExternalSystemError, ExceptionGroup) as error:
        errors = list(_leaves(error))
        for text in dict.fromkeys(map(str, errors)):
            click.echo(f"extsys: {text}", err=True)
        # A failure that names no system is the supervisor's own absence.
        lost = any(each.failure.code is FailureCode.UNAVAILABLE for each in errors) and any(
            each.failure.system_name is None for each in errors
        )
        sys.exit(EXIT_UNREACHABLE if lost else EXIT_FAILED)


def again_and_again(show: Work[None], json_: bool) -> Work[None]:
    """What shows something now, and again whenever something happens."""

    async def show_again(manager: ExternalSystemManager) -> None:
        events = manager.events()
        await show(manager)
        async for _ in events:
            await asyncio.sleep(0.05)
            if not events.queue.empty():
                continue  # what happens together is shown together
            if not json_ and in_colour():
                click.clear()
            await show(manager)

    return show_again


def columns() -> int | None:
    """Of the terminal; None where the output goes elsewhere, and stays whole."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def in_colour() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def _leaves(error: Exception) -> Iterator[ExternalSystemError]:
    if isinstance(error, ExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    elif isinstance(error, ExternalSystemError):
        yield error
    else:
        raise error


def load(path: Path) -> Config:
    # A kind's module may lie beside the file that names it.
    sys.path.insert(0, str(path.resolve().parent))
    try:
        return load_config(path)
    except ConfigError as error:
        for mistake in error.mistakes:
            click.echo(f"extsys: {mistake}", err=True)
        sys.exit(EXIT_USAGE)


def say(text: str) -> None:
    """Print a line, whatever the terminal can show of it.

    What was received is gone from the system: a sign that the output cannot encode, or a
    reader that left, must not hide that.
    """
    stream = sys.stdout
    try:
        encoding = stream.encoding or "utf-8"
        text.encode(encoding, stream.errors or "strict")
    except UnicodeEncodeError:
        text = text.encode(encoding, "backslashreplace").decode(encoding)
    try:
        click.echo(text)
    except OSError as error:
        # The interpreter would flush it once more at exit, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        if not isinstance(error, BrokenPipeError):  # "| head": nobody wants the rest
            click.echo(f"extsys: cannot write the output: {error.strerror}", err=True)
        # Said by a task, a SystemExit would end the event loop in the middle of everything.
        raise click.exceptions.Exit(EXIT_FAILED) from None


def fail(code: int, text: str) -> NoReturn:
    click.echo(f"extsys: {text}", err=True)
    sys.exit(code)
