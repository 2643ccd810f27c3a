"""``extsys invalidate``: answers that are not to be given again."""

from __future__ import annotations

from pathlib import Path

import click

from supervisor.cli.client import attached, say
from supervisor.cli.help import WholeCommand
from supervisor.host.manager import ExternalSystemManager


@click.command(cls=WholeCommand)
@click.argument("name")
@click.argument("command", required=False)
@click.pass_obj
def invalidate(directory: Path, name: str, command: str | None) -> None:
    """Have a system's cache give no answer again that it has: all, or those of one COMMAND."""

    async def ask(manager: ExternalSystemManager) -> int | None:
        return await manager.invalidate_cache(name, command)

    count = attached(directory, ask)
    say("1 answer forgotten" if count == 1 else f"{count} answers forgotten")
