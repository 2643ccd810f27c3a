"""Help texts: whole, however narrow the terminal."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from typing import Any, Final

import click

WIDEST: Final = 78
"""Columns of text; more is hard to read."""
_NARROWEST: Final = 30
_NARROW: Final = 60
_WHOLE: Final = 1000
"""Characters of a summary; all have fewer."""


class _Formatter(click.HelpFormatter):
    """Click's takes no terminal to be narrower than 50 columns, and gives what stands on the left
    30 of them."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.width = max(min(shutil.get_terminal_size().columns - 2, WIDEST), _NARROWEST)

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        if self.width < _NARROW:
            col_max = self.width // 3
        super().write_dl(rows, col_max, col_spacing)


class _Context(click.Context):
    formatter_class = _Formatter


class WholeCommand(click.Command):
    """A command whose help fits the terminal."""

    context_class = _Context


class WholeGroup(click.Group):
    """A group of commands with all of their summaries, which Click cuts to a line."""

    context_class = _Context
    command_class = WholeCommand
    exit_codes: Sequence[tuple[int, str]] = ()

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [
            (name, command.get_short_help_str(_WHOLE)) for name, command in self.commands.items()
        ]
        with formatter.section("Commands"):
            formatter.write_dl(sorted(rows))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.exit_codes:
            with formatter.section("Exit codes"):
                formatter.write_dl([(str(code), text) for code, text in self.exit_codes])
