"""``extsys broadcast``: the same to several systems at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from actors.messages import Failure
from supervisor.cli.client import as_json, attached, say
from supervisor.cli.help import WholeCommand
from supervisor.cli.input import as_form, items_of
from supervisor.errors import PartlyFailedError
from supervisor.host.manager import ExternalSystemManager
from supervisor.views import bulk as fmt


@click.command(cls=WholeCommand)
@click.argument("to", metavar="PATTERN")
@click.argument("data", nargs=-1, required=True)
@click.option(
    "--also", multiple=True, metavar="PATTERN", help="And to these; may be given several times."
)
@click.option("--query", is_flag=True, help="Ask, and print the answer of each.")
@as_form
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=None,
    help="With --query: seconds to wait for each answer. Default: the system's own.",
)
@as_json
@click.pass_obj
def broadcast(
    directory: Path,
    to: str,
    data: tuple[str, ...],
    also: tuple[str, ...],
    query: bool,
    form: str,
    wait: float | None,
    json_: bool,
) -> None:
    """Send items to several systems at once, in order, and print a line for each system.

    PATTERN is a name, or has * for any text, ? for one character and [ab] for one of these; in
    quotes, or the shell takes it for files. A DATA of - stands for the lines of standard input.
    The first item that a system does not take, or a pattern that matches none, ends it.
    """
    if wait is not None and not query:
        raise click.UsageError("--wait is for --query: a send waits for no answer")
    items = items_of(data, form)

    async def ask(manager: ExternalSystemManager) -> None:
        those = (to, *also)
        for item in items:
            try:
                if query:
                    _show(await manager.broadcast_query(those, item, wait), query, json_)
                else:
                    _show(await manager.broadcast(those, item), query, json_)
            except PartlyFailedError as error:
                _show(error.results, query, json_)
                raise

    attached(directory, ask)


def _show(results: Any, is_answer: bool, json_: bool) -> None:
    for name, result in results.items():
        if json_:
            say(fmt.result_as_json(name, result, is_answer=is_answer))
        elif not isinstance(result, Failure):  # those are said on standard error
            say(fmt.result_as_text(name, result, is_answer=is_answer))
