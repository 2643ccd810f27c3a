"""The commands about the supervision tree: ``extsys tree`` and ``extsys child``."""

from __future__ import annotations

from pathlib import Path

import click

from supervisor.cli.client import again_and_again, as_json, attached, columns, in_colour, load, say
from supervisor.cli.help import WholeCommand, WholeGroup
from supervisor.host.manager import ExternalSystemManager
from supervisor.views import tree as fmt


@click.command(cls=WholeCommand)
@click.option("--watch", is_flag=True, help="Show it again whenever something happens.")
@as_json
@click.pass_obj
def tree(directory: Path, watch: bool, json_: bool) -> None:
    """Show the supervision tree, in colour on a terminal."""

    async def show(manager: ExternalSystemManager) -> None:
        root = await manager.tree()
        assert root is not None
        say(
            fmt.tree_as_json(root)
            if json_
            else fmt.tree_as_text(root, colour=in_colour(), width=columns())
        )

    attached(directory, again_and_again(show, json_) if watch else show, follows=watch)


@click.group(cls=WholeGroup)
def child() -> None:
    """Start, terminate, restart and delete systems and groups while the supervisor runs:
    OTP's functions of a supervisor."""


@child.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--group", help="The group they are to be in. Default: the root group.")
@click.pass_obj
def start(directory: Path, config: Path, group: str | None) -> None:
    """Add the systems and groups of a TOML file, and start them, in their order."""
    loaded = load(config)

    async def begin(manager: ExternalSystemManager) -> None:
        for spec in loaded.tree.children:
            await manager.start_child(spec, group)
            say(f"{spec.name}: started")

    attached(directory, begin)


@child.command()
@click.argument("name")
@click.pass_obj
def terminate(directory: Path, name: str) -> None:
    """Stop a system or a group. It stays so until it is restarted by hand."""
    attached(directory, lambda manager: manager.terminate_child(name))


@child.command()
@click.argument("name")
@click.pass_obj
def restart(directory: Path, name: str) -> None:
    """Start what was terminated, has ended, or is in quarantine. Refuses what runs."""
    attached(directory, lambda manager: manager.restart_child(name))


@child.command()
@click.argument("name")
@click.pass_obj
def delete(directory: Path, name: str) -> None:
    """Forget a system or a group that does not run."""
    attached(directory, lambda manager: manager.delete_child(name))


@child.command(name="list")
@click.argument("group", required=False)
@as_json
@click.pass_obj
def which(directory: Path, group: str | None, json_: bool) -> None:
    """Show the children of a group, in the order of their start."""
    children = attached(directory, lambda manager: manager.which_children(group))
    say(fmt.children_as_json(children) if json_ else fmt.children_as_text(children, columns()))


@child.command()
@click.argument("group", required=False)
@as_json
@click.pass_obj
def count(directory: Path, group: str | None, json_: bool) -> None:
    """Count the children of a group."""
    counts = attached(directory, lambda manager: manager.count_children(group))
    assert counts is not None
    say(fmt.counts_as_json(counts) if json_ else fmt.counts_as_text(counts))


@child.command()
@click.argument("name")
@as_json
@click.pass_obj
def spec(directory: Path, name: str, json_: bool) -> None:
    """Show the spec of a system or a group, without connection details."""
    found = attached(directory, lambda manager: manager.get_child_spec(name))
    assert found is not None
    say(fmt.spec_as_json(found) if json_ else fmt.spec_as_text(found))
