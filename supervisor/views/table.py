"""Tables that fit a terminal. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Final

_GAP: Final = "  "
_LEAST: Final = 16
"""Columns in which a text can still be read."""


def table(
    rows: Sequence[Sequence[str]],
    width: int | None = None,
    *,
    spare: Sequence[str] = (),
    wraps: bool = False,
) -> str:
    """A line for each row, with its cells below each other.

    Args:
        rows: the headings first.
        width: columns there are; None has it as wide as it is.
        spare: headings of what is left out if there is no room, the first one first. All
            else is shown in whole, if need be on lines of its own below a row's first cell.
        wraps: whether the last column is a text that goes on below.
    """
    shown = [list(row) for row in rows]
    for heading in spare:
        if width is None or _least_width(shown, wraps) <= width:
            break
        column = shown[0].index(heading)
        shown = [row[:column] + row[column + 1 :] for row in shown]
    if width is not None and _least_width(shown, wraps) > width:
        return "\n".join(line for row in shown for line in _below(row, width))
    widths = _widths(shown)
    if width is not None and wraps:
        room = width - _total(widths[:-1]) - len(_GAP)
        shown = [line for row in shown for line in _wrapped(row, room)]
        widths = _widths(shown)
    return "\n".join(
        _GAP.join(cell.ljust(most) for cell, most in zip(row, widths, strict=True)).rstrip()
        for row in shown
    )


def wrap(text: str, width: int | None) -> list[str]:
    """A text's lines, of ``width`` columns at most where its words have no more."""
    if width is None:
        return [text]
    return [
        part
        for line in text.split("\n")
        for part in textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False)
        or [""]
    ]


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _least_width(rows: Sequence[Sequence[str]], wraps: bool) -> int:
    widths = _widths(rows)
    if wraps:
        words = (word for row in rows for word in row[-1].split())
        widths[-1] = min(widths[-1], max(_LEAST, max(map(len, words), default=0)))
    return _total(widths)


def _wrapped(row: Sequence[str], room: int) -> list[list[str]]:
    first, *rest = wrap(row[-1], room)
    empty = [""] * (len(row) - 1)
    return [[*row[:-1], first], *([*empty, line] for line in rest)]


def _below(row: Sequence[str], width: int) -> list[str]:
    rest = wrap(_GAP.join(row[1:]), width - len(_GAP))
    return [row[0], *(_GAP + line for line in rest)]
