"""What is wrong with a table that people wrote, in words that name the key and the remedy.

Pure: no I/O.
"""

from __future__ import annotations

import difflib
import json
import re
import reprlib
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final

import attrs

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_TYPE_WORDS: Final[dict[type, str]] = {
    bool: "a boolean",
    int: "a whole number",
    float: "a decimal number",
    str: "a string",
    bytes: "bytes",
    list: "an array",
    tuple: "an array",
    dict: "a table",
    type(None): "nothing",
}


@attrs.frozen
class Mistake:
    """One thing that is wrong in a table."""

    path: tuple[str | int, ...]
    """Keys and array indices that lead to the value, outermost first."""
    text: str
    """What is wrong with it, and how to mend it. Follows the key: "must be ..."."""

    def under(self, *path: str | int) -> Mistake:
        """The same mistake, seen from a table further out."""
        return Mistake((*path, *self.path), self.text)

    def __str__(self) -> str:
        return f"{show_path(self.path)}: {self.text}" if self.path else self.text


class MistakesError(ValueError):
    """A table cannot become an object. The fault of whoever wrote the table."""

    def __init__(self, mistakes: Iterable[Mistake], rest: Any = None) -> None:
        """
        Args:
            rest: an object with what is right in the table, and defaults; it lacks the
                attributes that have mistakes.
        """
        self.mistakes = tuple(mistakes)
        self.rest = rest
        super().__init__("; ".join(map(str, self.mistakes)))


def show_path(path: Iterable[str | int]) -> str:
    """A path as TOML would write it; array entries are counted from 1, as people do."""
    shown = ""
    for step in path:
        if isinstance(step, int):
            shown += f"[{step + 1}]"
        else:
            shown += f".{bare(step)}" if shown else bare(step)
    return shown


def bare(word: object) -> str:
    shown = str(word)
    return shown if _BARE_KEY.fullmatch(shown) else json.dumps(shown)


def did_you_mean(
    word: str,
    known: Iterable[str],
    otherwise: str = "",
    quote: Callable[[str], str] = '"{}"'.format,
) -> str:
    """The end of a sentence about a word that is not known.

    Args:
        otherwise: the end if no known word is like it.
        quote: around the word that is: as in TOML, or ``repr`` where Python or a shell is written.
    """
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {quote(close[0])}?" if close else otherwise


def unknown_key(key: object, known: Collection[str], what: str = "key") -> Mistake:
    """The mistake of a key that nothing is known by."""
    otherwise = f"; known are {', '.join(sorted(known))}"
    hint = did_you_mean(str(key), known, otherwise)
    return Mistake((str(key),), f"is no known {what}{hint}")


def describe_value(value: object, *, show: bool = False) -> str:
    """What ``value`` is, for the end of "must be a number, not ...".

    Tables and arrays never show what they hold: there may be a secret in them.
    """
    word = _TYPE_WORDS.get(type(value), f"a {type(value).__name__}")
    if not show or not isinstance(value, bool | int | float | str):
        return word
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{word.replace('a ', 'the ', 1)} {reprlib.repr(value)}"
