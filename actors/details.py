"""Reads a connector's ``connection_details`` into a frozen class, naming every mistake.

A details class is a frozen attrs class whose fields each have an :class:`Allowed`
validator. The validator is the only place that says what a field takes: it checks the
class when it is built directly, it checks tables from a file, and it is the text of the
error.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import attrs
import cattrs
from cattrs.errors import (
    AttributeValidationNote,
    ClassValidationError,
    ForbiddenExtraKeysError,
)
from cattrs.gen import make_dict_structure_fn, override

T = TypeVar("T", bound=attrs.AttrsInstance)


@attrs.frozen
class Allowed:
    """An attrs validator that says what it allows.

    Attributes:
        text: what is allowed, to follow "must be".
        check: whether a value is.
        secret: never show the value that was refused.
    """

    text: str
    check: Callable[[Any], bool]
    secret: bool = False

    def __call__(self, _instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if not self.check(value):
            shown = type(value).__name__ if self.secret else _short(value)
            raise ValueError(f"{attribute.name} must be {self.text}, not {shown}")

    def or_none(self) -> Allowed:
        """The same, or None."""
        check = self.check
        return attrs.evolve(self, check=lambda value: value is None or check(value))


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def whole_number(low: int, high: int, unit: str = "") -> Allowed:
    """An ``int`` from ``low`` to ``high``; True and False are none."""
    return Allowed(
        f"a whole number{unit} from {low} to {high}",
        lambda value: type(value) is int and low <= value <= high,
    )


def seconds(high: float, *, zero: bool = False) -> Allowed:
    """A finite number of seconds up to ``high``, above zero unless ``zero``."""

    def check(value: object) -> bool:
        if type(value) not in (int, float):
            return False
        assert isinstance(value, int | float)
        return 0 < value <= high or (zero and value == 0)

    least = "from 0" if zero else "above 0 and"
    return Allowed(f"a number of seconds {least} up to {high:g}", check)


def one_of(*values: Any) -> Allowed:
    """One of a few values of the same type."""
    return Allowed(
        "one of " + ", ".join(map(repr, values)),
        lambda value: type(value) is type(values[0]) and value in values,
    )


def text(what: str, check: Callable[[str], bool] = bool, *, secret: bool = False) -> Allowed:
    """A ``str`` that passes ``check``: unless told, one that is not empty."""
    return Allowed(what, lambda value: isinstance(value, str) and check(value), secret)


def flag() -> Allowed:
    """True or False."""
    return Allowed("true or false", lambda value: isinstance(value, bool))


def is_host(value: str) -> bool:
    """Whether ``value`` can be looked up: a host name or an address."""
    try:
        value.encode("idna")
    except UnicodeError:
        return False
    return bool(value) and value.isprintable() and " " not in value


class DetailsReader(Generic[T]):
    """Structures mappings as one details class.

    Args:
        details_class: the frozen attrs class.
        tables: the reader of each field that may also be a table of its own.
    """

    def __init__(
        self, details_class: type[T], tables: Mapping[str, DetailsReader[Any]] | None = None
    ) -> None:
        self._class = details_class
        self._fields = {field.name: field for field in attrs.fields(details_class)}
        self._tables = dict(tables or {})
        self._converter = cattrs.Converter(detailed_validation=True)
        hooks: dict[str, Any] = {
            name: override(struct_hook=self._hook(field)) for name, field in self._fields.items()
        }
        self._converter.register_structure_hook(
            details_class,
            make_dict_structure_fn(
                details_class, self._converter, _cattrs_forbid_extra_keys=True, **hooks
            ),
        )

    def structure(self, raw: Mapping[str, Any]) -> T:
        """The details in ``raw``.

        Raises:
            ClassValidationError: with all mistakes; :meth:`mistakes` has them as text.
        """
        return self._converter.structure(raw, self._class)

    def mistakes(self, raw: object, prefix: str = "") -> list[str]:
        """What is wrong with ``raw``, each with the key and what is allowed."""
        if not isinstance(raw, Mapping):
            return [f"{prefix.rstrip('.') or 'it'} must be a table, not {type(raw).__name__}"]
        try:
            self.structure(raw)
        except ClassValidationError as error:
            return self._texts(error, prefix)
        return []

    def _hook(self, field: attrs.Attribute[Any]) -> Callable[[Any, Any], Any]:
        def hook(value: Any, _type: Any) -> Any:
            table = self._tables.get(field.name)
            if table is not None and isinstance(value, Mapping):
                return table.structure(value)
            if field.converter is not None:
                # Only plain functions are converters here, not attrs.Converter.
                value = field.converter(value)  # type: ignore[operator]
            if field.validator is not None:
                field.validator(None, field, value)
            return value

        return hook

    def _texts(self, error: ClassValidationError, prefix: str) -> list[str]:
        texts: list[str] = []
        for mistake in error.exceptions:
            notes = getattr(mistake, "__notes__", [])
            name = next((n.name for n in notes if isinstance(n, AttributeValidationNote)), "")
            if isinstance(mistake, ClassValidationError):
                texts += self._tables[name]._texts(mistake, f"{prefix}{name}.")
            elif isinstance(mistake, ForbiddenExtraKeysError):
                texts += [
                    self._unknown(key, prefix) for key in sorted(mistake.extra_fields, key=str)
                ]
            elif isinstance(mistake, KeyError):
                validator = self._fields[name].validator
                what = f": {validator.text}" if isinstance(validator, Allowed) else ""
                texts.append(f"{prefix}{name} is missing{what}")
            else:
                texts.append(f"{prefix}{mistake}")
        return texts

    def _unknown(self, key: object, prefix: str) -> str:
        close = difflib.get_close_matches(str(key), self._fields, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(self._fields)}"
        return f"{prefix}{key} is not known; {hint}"
