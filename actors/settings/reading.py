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
cattrs makes the objects; what it finds wrong is put into our words here. Pure: no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cache
from types import GenericAlias
from typing import Any, Final, TypeVar

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn_from_attrs, override

from actors.errors import ActorSetupError
from actors.settings.allowed import (
    Allowed,
    NotAllowedError,
)
from actors.settings.mistakes import Mistake, MistakesError, describe_value, unknown_key

T = TypeVar("T", bound=attrs.AttrsInstance)


# ---- tables in tables ------------------------------------------------------------------


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
        settings=settings,
    )


@attrs.frozen(kw_only=True)
class _Table(Allowed):
    settings: type[attrs.AttrsInstance]

    def read(self, written: Any, _type: object = None) -> Any:
        if isinstance(written, Mapping):
            return _structure_function(self.settings)(dict(written), self.settings)
        return super().read(written)


@attrs.frozen(kw_only=True)
class _Tables(Allowed):
    settings: type[attrs.AttrsInstance]

    def read(self, written: Any, _type: object = None) -> Any:
        if isinstance(written, list | tuple):
            array: Any = GenericAlias(tuple, (self.settings, ...))
            return _CONVERTER.structure(written, array)
        return super().read(written)


# ---- reading ---------------------------------------------------------------------------

_CONVERTER: Final = cattrs.Converter(detailed_validation=True, forbid_extra_keys=True)
_CONVERTER.register_structure_hook_factory(attrs.has, lambda settings: table_of(settings).read)


def _fields(
    settings: type[attrs.AttrsInstance], leave_out: Collection[str] = ()
) -> dict[str, attrs.Attribute[Any]]:
    return {f.name: f for f in attrs.fields(settings) if f.init and f.name not in leave_out}


@cache
def _structure_function(
    settings: type[attrs.AttrsInstance],
    leave_out: frozenset[str] = frozenset(),
    ignore_unknown: bool = False,
) -> Callable[[dict[Any, Any], Any], Any]:
    """What makes an object of a table: a plain dict, as others may invent missing keys."""
    fields = _fields(settings, leave_out)
    hooks: dict[str, Any] = {
        name: override(struct_hook=_hook(field)) for name, field in fields.items()
    }
    # From the fields, as from the class cattrs would look up annotations that nobody needs.
    return make_dict_structure_fn_from_attrs(
        list(fields.values()),
        settings,
        _CONVERTER,
        _cattrs_forbid_extra_keys=not ignore_unknown,
        **hooks,
    )


def _hook(field: attrs.Attribute[Any]) -> Callable[[Any, Any], Any]:
    validator = field.validator
    if isinstance(validator, Allowed):
        return validator.read

    def read(written: Any, _type: object) -> Any:
        try:
            if validator is not None:
                # One that is used with tables looks at the value only.
                validator(None, field, written)
        except ValueError as error:
            raise MistakesError([Mistake((), str(error))]) from error
        return written

    return read


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
    structure = _structure_function(settings, frozenset(leave_out), ignore_unknown)
    try:
        built: T = structure(dict(table), settings)
        return built
    except cattrs.BaseValidationError as error:
        group = error
    # Out here, so that no traceback shows the group and the values in it.
    mistakes = list(_mistakes(group, table, show_values, leave_out))
    rest = _rest(settings, table, mistakes, leave_out)
    raise MistakesError(mistakes, rest)


def _mistakes(
    error: Exception, written: Any, show_values: bool, leave_out: Collection[str] = ()
) -> Iterator[Mistake]:
    """What cattrs found wrong with ``written``, in our words; its own may quote values.

    Raises:
        Exception: what is no mistake in a table, but a bug in a check or a class.
    """
    match error:
        case NotAllowedError():
            yield error.mistake(show_value=show_values)
        case MistakesError():
            yield from error.mistakes
        case cattrs.IterableValidationError():
            for inner, place in error.group_exceptions()[0]:
                for mistake in _mistakes(inner, written[place.index], show_values):
                    yield mistake.under(place.index)
        case cattrs.ClassValidationError():
            fields = _fields(error.cl, leave_out)
            of_keys, of_table = error.group_exceptions()
            for inner in of_table:
                yield from _mistakes_of_table(inner, written, fields)
            wrong = []
            for inner, note in of_keys:
                field = fields[note.name]
                wrong.append(Mistake((field.name,), ""))
                if field.name not in written:
                    yield _missing(field)
                    continue
                show = show_values and field.repr is True
                for mistake in _mistakes(inner, written[field.name], show):
                    yield mistake.under(field.name)
            if not any(isinstance(inner, ValueError) for inner in of_table):
                yield from _mistakes_together(_rest(error.cl, written, wrong, leave_out))
        case _:
            raise error


def _rest(
    settings: type[T],
    table: Mapping[Any, Any],
    wrong: Iterable[Mistake],
    leave_out: Collection[str],
) -> T:
    """An object with what is right in a table. What is wrong, or needed and missing, it lacks:
    nobody can tell what it would be."""
    places = {mistake.path[0] for mistake in wrong if mistake.path}
    rest = settings.__new__(settings)
    for field in attrs.fields(settings):
        if field.name in places:
            continue
        if field.name in table and field.init and field.name not in leave_out:
            value = _hook(field)(table[field.name], None)
        elif isinstance(field.default, attrs.Factory):  # type: ignore[arg-type]
            try:
                make = field.default.factory
                value = make(rest) if field.default.takes_self else make()
            except AttributeError:
                continue  # it depends on what is lacking
        elif field.default is attrs.NOTHING:
            continue
        else:
            value = field.default
        object.__setattr__(rest, field.name, value)
    return rest


def _mistakes_together(rest: Any) -> Iterable[Mistake]:
    """What of it does not go together, whatever the rest will be."""
    check = getattr(rest, "__attrs_post_init__", None)
    if check is None:
        return []
    try:
        check()
    except MistakesError as error:
        return error.mistakes
    except ValueError as error:
        return [Mistake((), str(error))]
    except AttributeError:
        pass  # it depends on what is lacking
    return []


def _mistakes_of_table(
    error: Exception, table: Mapping[Any, Any], known: Collection[str]
) -> Iterable[Mistake]:
    match error:
        case cattrs.ForbiddenExtraKeysError():
            # A set: the table has the order.
            return [unknown_key(key, known) for key in table if key in error.extra_fields]
        case MistakesError():
            return error.mistakes
        case ValueError():
            return [Mistake((), str(error))]
    raise error


def _missing(field: attrs.Attribute[Any]) -> Mistake:
    allowed = field.validator
    what = f"must be {allowed.text}" if isinstance(allowed, Allowed) else "is needed"
    return Mistake((field.name,), f"is missing; it {what}")


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
