"""Which systems are meant by names and patterns. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Final

import attrs

_WILDCARDS: Final = frozenset("*?[")


@attrs.frozen
class Selection:
    """What names and patterns stand for.

    Attributes:
        names: each once, in the order in which they were named; those of one pattern in the
            order of the systems' registration.
        unmatched: patterns that no system's name matches.
    """

    names: tuple[str, ...]
    unmatched: tuple[str, ...]


def wanted(to: str | Iterable[str]) -> tuple[str, ...]:
    """What was asked for, one or several.

    Raises:
        TypeError: it is neither a text nor several of them.
    """
    if isinstance(to, str):
        return (to,)
    try:
        several = tuple(to)
    except TypeError:
        several = (to,)  # type: ignore[assignment]
    for each in several:
        if not isinstance(each, str):
            raise TypeError(f"a system is meant by its name or a pattern, not {each!r}")
    return several


def has_wildcard(text: str) -> bool:
    return not _WILDCARDS.isdisjoint(text)


def select(those: Sequence[str], known: Sequence[str]) -> Selection:
    """Which systems are meant.

    Args:
        those: names, and patterns as a shell has them: ``*`` for any text, ``?`` for one
            character, ``[a-c]`` for one of these. A name of a system is that system, also with
            such a sign in it, and what has none is a name, known or not.
        known: the names of the systems, in their order.
    """
    names: dict[str, None] = {}
    unmatched: dict[str, None] = {}
    for text in those:
        if text in known or not has_wildcard(text):
            names[text] = None
            continue
        matching = [name for name in known if fnmatchcase(name, text)]
        names.update(dict.fromkeys(matching))
        if not matching:
            unmatched[text] = None
    return Selection(tuple(names), tuple(unmatched))
