"""``extsys logs``: what the processes of systems say."""

from __future__ import annotations

from pathlib import Path

import click

from actors.messages.output import OutputLine
from supervisor.cli.client import EXIT_UNREACHABLE, as_json, attached, fail, say
from supervisor.cli.help import WholeCommand
from supervisor.client.connection import STOPPED
from supervisor.host.manager import ExternalSystemManager
from supervisor.output.shown import line_as_json, line_as_log


@click.command(cls=WholeCommand)
@click.argument("name")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option(
    "-n",
    "--lines",
    "count",
    type=click.IntRange(0),
    default=100,
    show_default=True,
    help="Begin with so many lines, at most.",
)
@as_json
@click.pass_obj
def logs(directory: Path, name: str, follow: bool, count: int, json_: bool) -> None:
    """Show what a system's process has said: to its logs, and to its standard output and error,
    also in the incarnations before."""

    def show(line: OutputLine) -> None:
        say(line_as_json(line) if json_ else line_as_log(line).removesuffix("\n"))

    async def show_last(manager: ExternalSystemManager) -> None:
        for line in await manager.logs(name, count) if count else ():
            show(line)

    async def show_all(manager: ExternalSystemManager) -> None:
        await manager.status(name)  # of one that there is not nothing would ever come
        async for line in manager.logs_from(name, last=count):
            show(line)
        if manager.ended != STOPPED:
            fail(EXIT_UNREACHABLE, f"{manager.ended}")

    attached(directory, show_all if follow else show_last, follows=follow)
