"""Help texts say all they have to say, also on a narrow terminal."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from supervisor.cli import main

pytestmark = pytest.mark.pure


def commands(command: click.Command, *path: str) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from commands(each, *path, name)


def command_of(path: tuple[str, ...]) -> click.Command:
    found: click.Command = main
    for name in path:
        assert isinstance(found, click.Group)
        found = found.commands[name]
    return found


def help_of(monkeypatch: pytest.MonkeyPatch, columns: int, *path: str) -> str:
    monkeypatch.setenv("COLUMNS", str(columns))
    done = CliRunner().invoke(main, [*path, "--help"], prog_name="extsys")
    assert done.exit_code == 0
    return done.output


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("path", [(), ("child",)], ids=["extsys", "child"])
def test_a_list_of_commands_says_of_each_all_of_its_first_sentence(
    monkeypatch: pytest.MonkeyPatch, path: tuple[str, ...], columns: int
) -> None:
    group = command_of(path)
    assert isinstance(group, click.Group)
    shown = " ".join(help_of(monkeypatch, columns, *path).split())
    for name, command in group.commands.items():
        first = " ".join((command.help or "").split("\n\n")[0].split()).partition(". ")[0]
        assert f" {name} {first}" in shown


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("path", list(commands(main)), ids=" ".join)
def test_a_help_text_is_as_wide_as_the_terminal_at_most(
    monkeypatch: pytest.MonkeyPatch, path: tuple[str, ...], columns: int
) -> None:
    shown = help_of(monkeypatch, columns, *path).splitlines()
    # What is to be pasted stays on its line.
    lines = [line for line in shown if not line.startswith(("  bash: ", "  zsh: ", "  fish: "))]
    assert [line for line in lines if len(line) > columns] == []


def test_the_exit_codes_are_told_in_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = " ".join(help_of(monkeypatch, 40).split())
    assert "3 no supervisor runs in the runtime directory, or it died meanwhile 4 the" in shown
