"""``extsys send``."""

from __future__ import annotations

from pathlib import Path

import click

from supervisor.cli.client import attached, say
from supervisor.cli.help import WholeCommand
from supervisor.cli.input import as_form, items_of, parts
from supervisor.host.manager import ExternalSystemManager


@click.command(cls=WholeCommand)
@click.argument("name")
@click.argument("data", nargs=-1, required=True)
@as_form
@click.option(
    "--durable",
    is_flag=True,
    help="By way of the system's outbox: accepted once it is on the disk, and delivered at least "
    "once. So it is in any case if the system is durable.",
)
@click.option("--wait", is_flag=True, help="Of what is durable: wait until it is delivered.")
@click.pass_obj
def send(
    directory: Path,
    name: str,
    data: tuple[str, ...],
    form: str,
    durable: bool,
    wait: bool,
) -> None:
    """Send items to a system, in order. A DATA of - stands for the lines of standard input.

    With --durable, and without --wait, prints the id of each item that was accepted.
    """
    items = items_of(data, form)
    sent = 0

    async def ask(manager: ExternalSystemManager) -> None:
        nonlocal sent
        # Some at a time, for a mailbox has an end; and what fails is not followed by more.
        for part in parts(items):
            try:
                if durable and not wait:
                    for accepted in await manager.accept_many(name, part):
                        say(str(accepted))
                else:
                    how = True if durable else None
                    await manager.send_many_to_system(name, part, durable=how, wait=wait)
            except ExceptionGroup as error:
                sent += len(part) - len(error.exceptions)
                raise
            sent += len(part)

    try:
        attached(directory, ask)
    finally:
        if 1 < len(items) != sent:
            click.echo(f"extsys: {name}: {sent} of {len(items)} items were sent", err=True)
