"""The command line: ``extsys``."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from supervisor.cli import event_loop
from supervisor.cli.broadcast import broadcast
from supervisor.cli.caching import invalidate
from supervisor.cli.children import child, tree
from supervisor.cli.client import (
    EXIT_CODES,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_NOTHING,
    EXIT_UNREACHABLE,
    Interruptible,
    again_and_again,
    as_json,
    attached,
    columns,
    fail,
    load,
    say,
)
from supervisor.cli.completion import completion
from supervisor.cli.dead_letters import dead_letters
from supervisor.cli.input import as_form, parse_args, parse_item, read_lines
from supervisor.cli.logs import logs
from supervisor.cli.outbox import outbox
from supervisor.cli.sending import send
from supervisor.client.connection import STOPPED
from supervisor.errors import ExternalSystemError
from supervisor.host.manager import ExternalSystemManager
from supervisor.messages import DesiredState, SystemState, TreeNode
from supervisor.runtime.directory import RuntimeDirectory, default_directory
from supervisor.views import status as fmt


@click.group(cls=Interruptible, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--runtime-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the supervisor's socket is. Default: extsys in $XDG_RUNTIME_DIR or the "
    "temporary directory. Also read from $EXTSYS_RUNTIME_DIR.",
)
@click.version_option(package_name="extsys")
@click.pass_context
def main(context: click.Context, runtime_dir: Path | None) -> None:
    """Supervised connections to external systems: one process each, restarted when it
    crashes."""
    context.obj = runtime_dir or default_directory()


main.exit_codes = EXIT_CODES


# ---- the process ---------------------------------------------------------------------------


@main.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.pass_obj
def run(directory: Path, config: Path) -> None:
    """Run a supervisor with the systems of a TOML file, in the foreground.

    SIGTERM and Ctrl-C stop it: all systems disconnect, and nothing is left behind.
    """
    from supervisor.cli.run import run_standalone

    sys.exit(run_standalone(load(config), directory))


@main.command()
@click.argument("config", type=click.Path(path_type=Path))
def check(config: Path) -> None:
    """Say whether a TOML file is a valid configuration, without running it.

    Prints what it would start: the systems of each group, in the order of their start.
    """
    loaded = load(config)
    click.echo(fmt.spec_as_tree(loaded.tree))
    for warning in loaded.warnings:
        click.echo(f"extsys: {config}: warning: {warning}", err=True)
    click.echo(f"{config}: {fmt.count(len(loaded.systems))}, no mistakes")


@main.command()
@click.option("--json", "json_", is_flag=True, help="Print only a final report, in JSON.")
@click.option("--chaos", is_flag=True, help="Show a whole tree while its processes are killed.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=1),
    default=20.0,
    show_default=True,
    help="With --chaos: how long.",
)
@click.option("--seed", type=int, help="With --chaos: of what is done to whom. Default: by chance.")
def demo(json_: bool, chaos: bool, seconds: float, seed: int | None) -> None:
    """See it work: three systems, one is killed, it comes back. Or with --chaos: a tree of
    systems, live, while one after the other is killed, and all come back."""
    if chaos:
        from supervisor.demo.chaos_demo import run_chaos

        chosen = random.randrange(1_000_000) if seed is None else seed
        show = partial(run_chaos, seconds=seconds, seed=chosen, json_=json_)
    else:
        from supervisor.demo.demo import run_demo

        show = partial(run_demo, json_=json_)
    try:
        code = event_loop.run(show)
    except RuntimeError as error:
        fail(EXIT_FAILED, str(error))
    except KeyboardInterrupt:
        fail(EXIT_INTERRUPTED, "interrupted")
    sys.exit(code)


# ---- clients of a running supervisor -------------------------------------------------------


@main.command()
@click.argument("name", required=False)
@click.option("--watch", "watch_", is_flag=True, help="Show it again whenever something happens.")
@as_json
@click.pass_obj
def status(directory: Path, name: str | None, watch_: bool, json_: bool) -> None:
    """Show how all systems fare, or one in detail."""

    async def text(manager: ExternalSystemManager) -> str:
        if name is None:
            systems = await manager.status_all()
            return (
                fmt.statuses_as_json(systems)
                if json_
                else fmt.statuses_as_table(systems, columns())
            )
        one = await manager.status(name)
        assert one is not None
        return fmt.status_as_json(one) if json_ else fmt.status_as_text(one, columns())

    async def show(manager: ExternalSystemManager) -> None:
        say(await text(manager))

    attached(directory, again_and_again(show, json_) if watch_ else show, follows=watch_)


@main.command()
@click.argument("name")
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=None,
    help="Seconds to wait for data. Default: as long as the system's own receive does.",
)
@click.option("--count", type=click.IntRange(min=1), default=1, show_default=True)
@as_json
@click.pass_obj
def receive(directory: Path, name: str, wait: float | None, count: int, json_: bool) -> None:
    """Take items from a system, and print each on a line of its own."""

    async def ask(manager: ExternalSystemManager) -> list[Any]:
        return await manager.receive_many_from_system(name, count, wait)

    items = attached(directory, ask)
    for item in items:
        say(fmt.item_as_json(item) if json_ else fmt.item_as_text(item))
    if not items:
        fail(EXIT_NOTHING, f"{name}: nothing came")


@main.command()
@click.argument("name")
@click.argument("questions", metavar="DATA...", nargs=-1, required=True)
@as_form
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=None,
    help="Seconds to wait for each answer. Default: the system's own query_timeout.",
)
@as_json
@click.pass_obj
def query(
    directory: Path,
    name: str,
    questions: tuple[str, ...],
    form: str,
    wait: float | None,
    json_: bool,
) -> None:
    """Ask a system questions, one after the other, and print each answer on a line of its own.

    A DATA of - stands for the lines of standard input. The first question without an answer ends
    it.
    """

    async def ask(manager: ExternalSystemManager) -> None:
        for text in questions:
            for line in read_lines() if text == "-" else [os.fsencode(text)]:
                answer = await manager.query_system(name, parse_item(line, form), wait)
                say(fmt.item_as_json(answer) if json_ else fmt.item_as_text(answer))

    attached(directory, ask)


@main.command()
@click.argument("name")
@click.argument("command")
@click.argument("args", nargs=-1)
@as_json
@click.pass_obj
def call(directory: Path, name: str, command: str, args: tuple[str, ...], json_: bool) -> None:
    """Call a command of a system, and print what it returns.

    Each of ARGS is JSON, or else a text; KEY=VALUE passes it by name.
    """
    positional, keyword = parse_args(args)

    async def ask(manager: ExternalSystemManager) -> Any:
        return await manager.call_command(name, command, *positional, **keyword)

    result = attached(directory, ask)
    if json_ or result is not None:
        say(fmt.item_as_json(result) if json_ else fmt.item_as_text(result))


@main.command()
@click.argument("name", required=False)
@click.option("--all", "all_", is_flag=True, help="Connect all systems.")
@click.option(
    "--keep-trying/--no-keep-trying",
    default=True,
    show_default=True,
    help="What cannot be connected now is tried again until it works.",
)
@click.pass_obj
def connect(directory: Path, name: str | None, all_: bool, keep_trying: bool) -> None:
    """Connect a system. From now on it is meant to be connected: whenever it is not, it is
    connected again, until an extsys disconnect."""
    trying: list[str] = []

    async def ask(manager: ExternalSystemManager) -> None:
        try:
            if name is None:
                await manager.connect_all(keep_trying=keep_trying)
            else:
                await manager.connect_system(name, keep_trying=keep_trying)
        except (ExternalSystemError, ExceptionGroup):
            for each in await manager.status_all():
                is_meant_to_be = each.desired is DesiredState.CONNECTED and not each.is_connected
                is_tried = is_meant_to_be and each.state is not SystemState.FAILED
                if is_tried and name in (None, each.name):
                    trying.append(each.name)
            raise

    _check_one_or_all(name, all_)
    try:
        attached(directory, ask)
    finally:
        if trying:
            text = f"extsys: {', '.join(trying)}: tried again until it works; to end that: "
            click.echo(f"{text}extsys disconnect {name or '--all'}", err=True)


@main.command()
@click.argument("name", required=False)
@click.option("--all", "all_", is_flag=True, help="Disconnect all systems.")
@click.pass_obj
def disconnect(directory: Path, name: str | None, all_: bool) -> None:
    """Disconnect a system, and end all attempts to connect it."""
    _check_one_or_all(name, all_)

    async def ask(manager: ExternalSystemManager) -> None:
        if name is None:
            await manager.disconnect_all()
        else:
            await manager.disconnect_system(name)

    attached(directory, ask)


@main.command()
@click.argument("name")
@click.pass_obj
def restart(directory: Path, name: str) -> None:
    """End a system's process and start the next, also from quarantine."""
    attached(directory, lambda manager: manager.restart_system(name))


@main.command()
@click.argument("names", nargs=-1)
@click.option("--data", is_flag=True, help="Show the data that comes, too. It is then received.")
@click.option("--since", type=int, help="Show first the events after the one of this number.")
@as_json
@click.pass_obj
def watch(
    directory: Path, names: tuple[str, ...], data: bool, since: int | None, json_: bool
) -> None:
    """Show what happens to systems, until Ctrl-C or the supervisor's end."""

    async def show_events(manager: ExternalSystemManager) -> None:
        async for event in manager.events(since):
            if not names or event.system_name in names:
                say(fmt.event_as_json(event) if json_ else fmt.event_as_text(event))

    async def show_data(manager: ExternalSystemManager) -> None:
        async for name, item in manager.data_from(*names):
            say(fmt.data_as_json(name, item) if json_ else fmt.data_as_text(name, item))

    async def show(manager: ExternalSystemManager) -> None:
        root = await manager.tree()
        known = set() if root is None else _names(root)
        for name in names:
            if name not in known:
                text = f"extsys: {name}: no such system or group yet; waiting for it"
                click.echo(text, err=True)
        async with asyncio.TaskGroup() as group:
            group.create_task(show_events(manager))
            if data:
                group.create_task(show_data(manager))
        if manager.ended != STOPPED:
            fail(EXIT_UNREACHABLE, f"{manager.ended}")

    attached(directory, show, follows=True)


@main.command()
@click.pass_obj
def stop(directory: Path) -> None:
    """Stop the supervisor, and wait until it is gone."""
    attached(directory, lambda manager: manager.stop_supervisor())
    if not RuntimeDirectory(directory).wait_until_free(30.0):
        fail(EXIT_FAILED, f"the supervisor in {directory} has stopped its systems, but runs on")


# ---- details -------------------------------------------------------------------------------


def _names(node: TreeNode) -> set[str]:
    return {node.name}.union(*map(_names, node.children))


def _check_one_or_all(name: str | None, all_: bool) -> None:
    if (name is None) != all_:
        raise click.UsageError("give either a NAME or --all")


main.add_command(send)
main.add_command(broadcast)
main.add_command(tree)
main.add_command(child)
main.add_command(logs)
main.add_command(outbox)
main.add_command(dead_letters)
main.add_command(invalidate)
main.add_command(completion)
