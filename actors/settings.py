"""Settings that people write (``connection_details``, TOML), read strictly into classes.

A settings class is a frozen attrs class in which the validator of each field is an
:class:`Allowed`, the one place that says what the field takes::

    @attrs.frozen(kw_only=True)
    class PumpDetails:
        host: str = attrs.field(validator=host_name())
        speed: int = attrs.field(default=100, validator=whole_number(0, 3000))
        read_timeout: float = attrs.field(default=5.0, validator=seconds())

:func:`read_details` reads it, and :func:`mistakes_in` is all of a ``check_details``. Both
tell every mistake at once, and nothing is converted silently: "3" is no number, ``true``
is no 1. Built from Python, the class checks the same. What does not go together is for
``__attrs_post_init__``, which raises :class:`MistakesError`.

No text quotes a value, as it may be a secret, unless :func:`read_table` is told so.
Pure: no I/O.
"""

from __future__ import annotations

import difflib
import json
import re
import reprlib
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, TypeVar

import attrs

from actors.errors import ActorSetupError

T = TypeVar("T", bound=attrs.AttrsInstance)

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


# ---- mistakes --------------------------------------------------------------------------


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

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("; ".join(map(str, self.mistakes)))


def show_path(path: Iterable[str | int]) -> str:
    """A path as TOML would write it; array entries are counted from 1, as people do."""
    shown = ""
    for step in path:
        if isinstance(step, int):
            shown += f"[{step + 1}]"
        else:
            shown += f".{_bare(step)}" if shown else _bare(step)
    return shown


def _bare(word: object) -> str:
    shown = str(word)
    return shown if _BARE_KEY.fullmatch(shown) else json.dumps(shown)


def _did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f'; did you mean "{close[0]}"?' if close else otherwise


def unknown_key(key: object, known: Collection[str], what: str = "key") -> Mistake:
    """The mistake of a key that nothing is known by."""
    otherwise = f"; known are {', '.join(sorted(known))}"
    hint = _did_you_mean(str(key), known, otherwise)
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


# ---- what a field allows ---------------------------------------------------------------


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

    def __call__(self, _instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if not self._allows(value):
            raise ValueError(f"{attribute.name} {self._refusal(value, value, show=False)}")

    def read(self, written: Any, *, show_values: bool) -> Any:
        """The value that is written in a table.

        Raises:
            MistakesError: it is not allowed.
        """
        value = self.convert(written)
        if not self._allows(value):
            raise MistakesError([Mistake((), self._refusal(value, written, show=show_values))])
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

    def _refusal(self, value: object, written: object, *, show: bool) -> str:
        refusal = f"must be {self.text}"
        if not self._has_type(value):
            refusal += f", not {describe_value(written, show=show)}"
        elif show and isinstance(written, int | float | str):
            refusal += f", not {reprlib.repr(written)}"
        return refusal + (_did_you_mean(written, self.words) if isinstance(written, str) else "")


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


def one_of(*values: Any) -> Allowed:
    """One of a few values, all strings, all whole numbers, or all members of a string enum:
    a table has these by their values."""
    kind = type(values[0])
    by_word = {value: value for value in values if isinstance(value, str)}
    return Allowed(
        text="one of " + ", ".join(map(_bare, values)),
        types=(str if by_word else int,),
        check=lambda value: type(value) is kind and value in values,
        convert=lambda value: by_word.get(value, value) if isinstance(value, str) else value,
        words=tuple(map(str, by_word)),
    )


def text(what: str = "a string", check: Callable[[str], bool] = lambda _: True) -> Allowed:
    """A ``str`` that passes ``check``."""
    return Allowed(text=what, types=(str,), check=check)


def flag() -> Allowed:
    """True or False."""
    return Allowed(text="true or false", types=(bool,))


def host_name() -> Allowed:
    """What can be looked up: a host name or an address."""
    return text("a host name or an address", is_host_name)


def is_host_name(value: str) -> bool:
    """Whether ``value`` can be looked up."""
    try:
        value.encode("idna")
    except UnicodeError:
        return False
    return bool(value) and value.isprintable() and " " not in value


def table_of(settings: type[T]) -> Allowed:
    """An object of a settings class; in a file, a table of its keys."""
    return _Table(
        text=f"a table of keys (in Python a {settings.__name__})",
        types=(settings,),
        settings=settings,
    )


def tables_of(settings: type[T]) -> Allowed:
    """A tuple of such objects; in a file, an array of tables."""
    return _Tables(
        text="an array of tables",
        types=(tuple, list),
        check=lambda value: all(isinstance(item, settings) for item in value),
        entry=table_of(settings),
    )


@attrs.frozen(kw_only=True)
class _Table(Allowed):
    settings: type[attrs.AttrsInstance]

    def read(self, written: Any, *, show_values: bool) -> Any:
        if isinstance(written, Mapping):
            return read_table(self.settings, written, show_values=show_values)
        return super().read(written, show_values=show_values)


@attrs.frozen(kw_only=True)
class _Tables(Allowed):
    entry: Allowed

    def read(self, written: Any, *, show_values: bool) -> Any:
        if not self._has_type(written):
            return super().read(written, show_values=show_values)
        items, mistakes = [], []
        for index, item in enumerate(written):
            try:
                items.append(self.entry.read(item, show_values=show_values))
            except MistakesError as error:
                mistakes += [mistake.under(index) for mistake in error.mistakes]
        if mistakes:
            raise MistakesError(mistakes)
        return tuple(items)


# ---- reading ---------------------------------------------------------------------------


def read_table(
    settings: type[T],
    table: object,
    *,
    show_values: bool = False,
    leave_out: Collection[str] = (),
    ignore_unknown: bool = False,
) -> T:
    """Build the settings class ``settings`` from a table of its fields.

    Args:
        show_values: may the texts quote a wrong value? Not where it may be a secret. Of
            fields with ``repr=False`` they never do.
        leave_out: fields of ``settings`` that a table must not set.
        ignore_unknown: pass over keys that ``settings`` has no field for.

    Raises:
        MistakesError: every mistake in the table.
    """
    if not isinstance(table, Mapping):
        raise MistakesError([Mistake((), f"must be a table of keys, not {describe_value(table)}")])
    fields = {f.name: f for f in attrs.fields(settings) if f.name not in leave_out}
    mistakes: list[Mistake] = []
    if not ignore_unknown:
        mistakes += [unknown_key(key, fields) for key in table if key not in fields]
    values: dict[str, Any] = {}
    for key, field in fields.items():
        try:
            if key in table:
                values[key] = _read_field(field, table[key], show_values)
            elif field.default is attrs.NOTHING:
                allowed = field.validator
                what = f"must be {allowed.text}" if isinstance(allowed, Allowed) else "is needed"
                mistakes.append(Mistake((key,), f"is missing; it {what}"))
        except MistakesError as error:
            mistakes += [mistake.under(key) for mistake in error.mistakes]
    if mistakes:
        raise MistakesError(mistakes)
    try:
        return settings(**values)
    except MistakesError:
        raise
    except ValueError as error:
        raise MistakesError([Mistake((), str(error))]) from error


def _read_field(field: attrs.Attribute[Any], written: Any, show_values: bool) -> Any:
    validator = field.validator
    if isinstance(validator, Allowed):
        return validator.read(written, show_values=show_values and field.repr is True)
    if validator is not None:
        try:
            # A validator of its own looks at the value only, if it is used with tables.
            validator(None, field, written)
        except ValueError as error:
            raise MistakesError([Mistake((), str(error))]) from error
    return written


def read_details(
    settings: type[T], system_name: str, details: object, *, ignore_unknown: bool = False
) -> T:
    """The settings in the ``connection_details`` of a system, for its constructor.

    Raises:
        ActorSetupError: with every mistake in them.
    """
    try:
        return read_table(settings, details, ignore_unknown=ignore_unknown)
    except MistakesError as error:
        raise ActorSetupError(
            f"system {system_name!r}: wrong connection_details: {error}"
        ) from error


def mistakes_in(settings: type[T], details: object, *, ignore_unknown: bool = False) -> list[str]:
    """What is wrong with ``connection_details``, one text per mistake, each naming its key
    and none quoting a value."""
    try:
        read_table(settings, details, ignore_unknown=ignore_unknown)
    except MistakesError as error:
        return [str(mistake) for mistake in error.mistakes]
    return []
