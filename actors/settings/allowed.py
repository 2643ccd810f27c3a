"""What a field of a settings class takes: :class:`Allowed`, and its makers.

Pure: no I/O.
"""

from __future__ import annotations

import re
import reprlib
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import attrs

from actors.settings.mistakes import Mistake, MistakesError, bare, describe_value, did_you_mean


@attrs.frozen(kw_only=True)
class Allowed:
    """An attrs validator that says what it allows."""

    text: str
    """What is allowed, to follow "must be"."""
    types: tuple[type, ...]
    """The types of what people may write; a boolean is no whole number here."""
    check: Callable[[Any], bool] = lambda _: True
    """Whether a value of these types is allowed."""
    convert: Callable[[Any], Any] = lambda value: value
    """Makes the value of what is written in a table; what it cannot make one of it
    returns as it is."""
    words: tuple[str, ...] = ()
    """Words that may be written, to find the one that was meant."""
    hint: Callable[[str], str] = lambda _: ""
    """What to write in place of a string that is not allowed; empty if nobody knows. With it the
    string is not quoted, which may hold more than it should."""

    def __call__(self, _instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if not self._allows(value):
            raise ValueError(f"{attribute.name} {self.refusal(value, value, show=False)}")

    def read(self, written: Any, _type: object = None) -> Any:
        """The value that is written in a table. A structure hook of cattrs.

        Raises:
            NotAllowedError: it is not allowed.
        """
        value = self.convert(written)
        if not self._allows(value):
            raise NotAllowedError(self, value, written)
        return value

    def or_none(self) -> Allowed:
        """The same, or None."""
        check = self.check
        return attrs.evolve(
            self,
            types=(*self.types, type(None)),
            check=lambda value: value is None or check(value),
        )

    def _has_type(self, value: object) -> bool:
        if isinstance(value, bool):
            return bool in self.types
        return isinstance(value, self.types)

    def _allows(self, value: object) -> bool:
        return self._has_type(value) and self.check(value)

    def refusal(self, value: object, written: object, *, show: bool) -> str:
        """Why ``value``, which was made of ``written``, is not allowed."""
        refusal = f"must be {self.text}"
        if isinstance(value, str) and (hint := self.hint(value)):
            return f"{refusal}: {hint}"
        if not self._has_type(value):
            refusal += f", not {describe_value(written, show=show)}"
        elif show and isinstance(written, int | float | str):
            refusal += f", not {reprlib.repr(written)}"
        return refusal + (did_you_mean(written, self.words) if isinstance(written, str) else "")


class NotAllowedError(MistakesError):
    """A value is not what its field allows. Only :meth:`mistake` may quote it."""

    def __init__(self, allowed: Allowed, value: object, written: object) -> None:
        self._refusal = partial(allowed.refusal, value, written)
        super().__init__([self.mistake(show_value=False)])

    def mistake(self, *, show_value: bool) -> Mistake:
        """The one mistake."""
        return Mistake((), self._refusal(show=show_value))


def whole_number(low: int | None = None, high: int | None = None, unit: str = "") -> Allowed:
    """An ``int`` from ``low`` to ``high``."""

    def check(value: int) -> bool:
        return (low is None or value >= low) and (high is None or value <= high)

    return Allowed(text=f"a whole number{unit}{_range(low, high)}", types=(int,), check=check)


def number(low: float, high: float) -> Allowed:
    """A number from ``low`` to ``high``."""
    return Allowed(
        text=f"a number{_range(low, high)}",
        types=(int, float),
        check=lambda value: low <= value <= high,
    )


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        return ""
    return f", {low} or greater" if high is None else f" from {low} to {high}"


_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h)")


def seconds(most: float | None = None, *, zero: bool = False) -> Allowed:
    """A finite number of seconds up to ``most``, above zero unless ``zero``. In a table it
    may be a duration such as "500ms", "5s", "2m" or "1h"."""
    limit = sys.float_info.max if most is None else most

    def to_seconds(value: Any) -> Any:
        if isinstance(value, str) and (match := _DURATION.fullmatch(value.strip())):
            return float(match[1]) * _UNITS[match[2]]
        return value

    least = "0 or more" if zero else "more than 0"
    upper = "" if most is None else f", {most:g} at most"
    return Allowed(
        text=f'a finite number of seconds, {least}{upper}, or a duration such as "500ms" or "2m"',
        types=(int, float),
        check=lambda value: 0 < value <= limit or (zero and value == 0),
        convert=to_seconds,
    )


INFINITY: Final = "infinity"


def time_limit() -> Allowed:
    """A number of seconds above 0, or "infinity" for none. In a table it may be a duration."""
    duration = seconds()

    def check(value: Any) -> bool:
        return value == INFINITY if isinstance(value, str) else duration.check(value)

    return Allowed(
        text='a finite number of seconds, more than 0, a duration such as "30s", or "infinity"',
        types=(int, float, str),
        check=check,
        convert=duration.convert,
        words=(INFINITY,),
    )


def one_of(*values: Any) -> Allowed:
    """One of a few values, all strings, all whole numbers, or all members of a string enum:
    a table has these by their values, and however their letters and dashes are written."""
    kind = type(values[0])
    by_word = {value: value for value in values if isinstance(value, str)}
    plainly = {_plain(word): value for word, value in by_word.items()}

    def meant(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return by_word.get(value, plainly.get(_plain(value), value))

    return Allowed(
        text="one of " + ", ".join(map(bare, values)),
        types=(str if by_word else int,),
        check=lambda value: type(value) is kind and value in values,
        convert=meant,
        words=tuple(map(str, by_word)),
    )


def _plain(word: str) -> str:
    return word.lower().replace("-", "_").replace(" ", "_")


def text(what: str = "a string", check: Callable[[str], bool] = lambda _: True) -> Allowed:
    """A ``str`` that passes ``check``."""
    return Allowed(text=what, types=(str,), check=check)


def flag() -> Allowed:
    """True or False."""
    return Allowed(text="true or false", types=(bool,))


def host_name() -> Allowed:
    """What can be looked up: a host name or an address."""
    return attrs.evolve(text("a host name or an address", is_host_name), hint=_host_hint)


def is_host_name(value: str) -> bool:
    """Whether ``value`` can be looked up."""
    try:
        value.encode("idna")
    except UnicodeError:
        return False
    return bool(value) and value.isprintable() and " " not in value and not _host_hint(value)


_URL: Final = re.compile(
    r"(?:[A-Za-z][A-Za-z0-9+.-]*://)?(?:[^/]*@)?"
    r"(?P<host>\[[^\]/]*\]|[^:/\[\]]*)(?::(?P<port>[0-9]{1,5}))?(?:/.*)?"
)


def _host_hint(value: str) -> str:
    """What to write in place of a URL, of a host with its port, or of an address in brackets."""
    found = _URL.fullmatch(value)
    if found is None or (found["host"] == value and not value.startswith("[")):
        return ""
    host = found["host"].strip("[]")
    if not host:
        return "write the name alone, which is missing here"
    if found["port"]:
        return f'write host = "{host}" and port = {found["port"]}'
    return f'write "{host}" alone'
