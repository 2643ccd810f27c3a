"""What the command line takes as data: arguments, and the lines of standard input."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any, Final

import click

FORMS: Final = click.Choice(["text", "bytes", "hex", "json"])
"""What data that somebody types may be."""

as_form = click.option(
    "--as", "form", type=FORMS, default="text", show_default=True, help="What each DATA is."
)

_SENT_AT_ONCE: Final = 100
"""Items; a mailbox has an end."""


def read_lines() -> list[bytes]:
    """The lines of standard input, which may be anything: only a line feed ends one."""
    lines = sys.stdin.buffer.read().split(b"\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix(b"\r") for line in lines]


def parse_item(data: bytes, form: str) -> Any:
    """An item from what somebody typed.

    Args:
        form: ``text``, ``bytes``, ``hex`` or ``json``.

    Raises:
        click.UsageError: it is not of that form.
    """
    if form == "bytes":
        return data
    try:
        text = data.decode()
    except UnicodeDecodeError:
        hint = "" if form == "hex" else "; --as bytes takes anything"
        raise click.UsageError(f"{data[:40]!r} is not UTF-8{hint}") from None
    try:
        match form:
            case "hex":
                return bytes.fromhex(text)
            case "json":
                return json.loads(text)
    except ValueError as error:
        raise click.UsageError(f"{text[:40]!r} is not {form}: {error}") from None
    return text


def items_of(data: Iterable[str], form: str) -> list[Any]:
    """The items that arguments stand for; one of ``-`` is the lines of standard input.

    Raises:
        click.UsageError: as of :func:`parse_item`.
    """
    lines: list[bytes] = []
    for text in data:
        lines += read_lines() if text == "-" else [os.fsencode(text)]
    return [parse_item(line, form) for line in lines]


def parts(items: list[Any]) -> Iterator[list[Any]]:
    """The items in parts that may be sent at once."""
    for start in range(0, len(items), _SENT_AT_ONCE):
        yield items[start : start + _SENT_AT_ONCE]


def parse_args(args: tuple[str, ...]) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a command, by position and by name."""
    positional: list[Any] = []
    keyword: dict[str, Any] = {}
    for arg in args:
        key, equals, value = arg.partition("=")
        if equals and key.isidentifier():
            keyword[key] = _json_or_text(value)
        else:
            positional.append(_json_or_text(arg))
    return positional, keyword


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
