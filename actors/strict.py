"""Tables that people write (TOML, connection details) into attrs classes, strictly.

cattrs dispatches on the types; the hooks here convert nothing silently ("3" is no number,
``true`` is no 1) and collect every mistake with the path of its key, where cattrs alone
would stop at the first value that a validator refuses. Pure: no I/O.
"""

from __future__ import annotations

import difflib
import enum
import json
import math
import re
import reprlib
import typing
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, TypeVar

import attrs
import cattrs

T = TypeVar("T")

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

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(map(str, self.mistakes)))


def show_path(path: Iterable[str | int]) -> str:
    """A path as TOML would write it; array entries are counted from 1, as people do."""
    shown = ""
    for step in path:
        if isinstance(step, int):
            shown += f"[{step + 1}]"
        else:
            key = step if _BARE_KEY.fullmatch(step) else json.dumps(step)
            shown += f".{key}" if shown else key
    return shown


def did_you_mean(word: str, known: Collection[str]) -> str:
    """A clause with the known word closest to ``word``, or with all of them."""
    close = difflib.get_close_matches(word, known, n=1)
    if close:
        return f'did you mean "{close[0]}"?'
    return "known are " + ", ".join(sorted(known))


def describe_value(value: object, *, show: bool) -> str:
    """What ``value`` is, for the end of "must be a number, not ...".

    Tables and arrays never show what they hold: there may be a secret in them.
    """
    word = _TYPE_WORDS.get(type(value), f"a {type(value).__name__}")
    if not show or not isinstance(value, bool | int | float | str):
        return word
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{word.replace('a ', 'the ', 1)} {reprlib.repr(value)}"


def structure_table(
    converter: cattrs.Converter,
    cls: type[T],
    table: object,
    *,
    leave_out: Collection[str] = (),
    ignore_unknown: bool = False,
) -> T:
    """Build the attrs class ``cls`` from a table of its fields.

    Args:
        converter: structures the values; usually from :func:`strict_converter`.
        leave_out: fields of ``cls`` that a table must not set.
        ignore_unknown: pass over keys that ``cls`` has no field for.

    Raises:
        MistakesError: every mistake in the table.
    """
    if not isinstance(table, Mapping):
        raise _mistake(f"must be a table of keys, not {describe_value(table, show=False)}")
    types = typing.get_type_hints(cls)
    fields = {
        field.alias or field.name: field
        for field in attrs.fields(typing.cast(Any, cls))
        if field.init and field.name not in leave_out
    }
    mistakes: list[Mistake] = []
    if not ignore_unknown:
        for key in table:
            if key not in fields:
                hint = did_you_mean(str(key), fields)
                mistakes.append(Mistake((str(key),), f"is no known key; {hint}"))
    values: dict[str, Any] = {}
    for key, field in fields.items():
        if key not in table:
            if field.default is attrs.NOTHING:
                mistakes.append(Mistake((key,), "is missing; it has no default, so add it"))
            continue
        try:
            value = converter.structure(table[key], types[field.name])
            if field.validator is not None:
                # The validators used with tables look at the value only.
                field.validator(None, field, value)
            values[key] = value
        except MistakesError as error:
            mistakes += [mistake.under(key) for mistake in error.mistakes]
        except ValueError as error:
            mistakes.append(Mistake((key,), str(error).removeprefix(f"{field.name} ")))
    if mistakes:
        raise MistakesError(mistakes)
    try:
        return cls(**values)
    except MistakesError:
        raise
    except ValueError as error:
        raise _mistake(str(error)) from error


def strict_converter(
    *, show_values: bool, parse_float: Callable[[object], float] | None = None
) -> cattrs.Converter:
    """A converter that takes each value for what it is, and reports all mistakes.

    Args:
        show_values: may the texts quote a wrong value? Not where it may be a secret.
        parse_float: replaces the check of ``float`` fields; raises ValueError.
    """
    converter = cattrs.Converter()

    def must_be(expected: str, value: object) -> MistakesError:
        return _mistake(f"must be {expected}, not {describe_value(value, show=show_values)}")

    def structure_float(value: object, _: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise must_be("a number", value)
        return finite(value)

    def structure_int(value: object, _: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise must_be("a whole number", value)
        return value

    def structure_str(value: object, cls: Any) -> Any:
        if cls is not str:  # cattrs dispatches by class, and a str enum is a str
            return structure_enum(value, cls)
        if not isinstance(value, str):
            raise must_be("a string", value)
        return value

    def structure_bool(value: object, _: Any) -> bool:
        if not isinstance(value, bool):
            raise must_be("true or false", value)
        return value

    def structure_enum(value: object, cls: type[enum.StrEnum]) -> enum.StrEnum:
        known = [member.value for member in cls]
        if value in known:
            return cls(str(value))
        expected = f"one of {', '.join(known)}"
        if isinstance(value, str) and (close := difflib.get_close_matches(value, known, n=1)):
            expected = f'one of {", ".join(known)} (perhaps "{close[0]}")'
        raise must_be(expected, value)

    def structure_tuple(value: object, cls: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise must_be("an array", value)
        item_type = typing.get_args(cls)[0]
        items, mistakes = [], []
        for index, item in enumerate(value):
            try:
                items.append(converter.structure(item, item_type))
            except MistakesError as error:
                mistakes += [mistake.under(index) for mistake in error.mistakes]
        if mistakes:
            raise MistakesError(mistakes)
        return tuple(items)

    def structure_dict(value: object, _: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            # Never the value: a connection string would hold the password.
            raise _mistake(f"must be a table, not {describe_value(value, show=False)}")
        return value

    def structure_parsed(value: object, cls: Any) -> float:
        return parse_float(value) if parse_float else structure_float(value, cls)

    converter.register_structure_hook_factory(
        attrs.has, lambda cls: lambda value, _: structure_table(converter, cls, value)
    )
    converter.register_structure_hook_func(lambda cls: _origin(cls) is tuple, structure_tuple)
    converter.register_structure_hook_func(lambda cls: _origin(cls) is dict, structure_dict)
    converter.register_structure_hook(int, structure_int)
    converter.register_structure_hook(str, structure_str)
    converter.register_structure_hook(bool, structure_bool)
    converter.register_structure_hook(float, structure_parsed)
    return converter


def finite(value: int | float) -> float:
    """``value`` as a float.

    Raises:
        ValueError: it is infinite, no number, or too large.
    """
    try:
        if math.isfinite(number := float(value)):
            return number
    except OverflowError:
        pass
    raise ValueError("must be a finite number")


def _origin(cls: Any) -> Any:
    return typing.get_origin(cls)


def _mistake(text: str) -> MistakesError:
    return MistakesError([Mistake((), text)])
