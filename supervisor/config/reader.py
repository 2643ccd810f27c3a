"""What the tables of a configuration mean: options, systems, and groups in groups.

Gathers every mistake with its place. Pure but for the imports that a kind needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import attrs

from actors.settings import (
    Mistake,
    MistakesError,
    describe_value,
    did_you_mean,
    read_table,
    unknown_key,
)
from supervisor.config.policies import POLICY_KEYS, NamedPolicies, mistakes_for_kind
from supervisor.config.variables import expand_variables
from supervisor.specs.options import SupervisorOptions
from supervisor.specs.policies import GiveUp, RestartType, Strategy
from supervisor.specs.spec import (
    ROOT,
    ChildSpec,
    GroupSpec,
    SystemSpec,
    refuse_combination,
    refuse_unreachable_budget,
)

CheckKind = Callable[[str, Mapping[str, Any]], list[str]]
"""Says what is wrong with a kind and its connection details, one text per mistake. A text
names the key it is about and never quotes a value of the details."""

_TABLES: Final = ("supervisor", "policy", "system", "group")
_OPTION_KEYS: Final = tuple(field.name for field in attrs.fields(SupervisorOptions))
_ROOT_KEYS: Final = (
    "strategy",
    "give_up",
    "max_restarts",
    "period",
    "on_start_failure",
    "auto_shutdown",
)
"""The fields of the root group; the others are about a child of a group, which it is not."""
_SYSTEM_KEYS: Final = tuple(f.name for f in attrs.fields(SystemSpec) if f.name != "snapshot")
_GROUP_KEYS: Final = tuple(f.name for f in attrs.fields(GroupSpec) if f.name != "children")
_CHILD_KEYS: Final = ("order", "system", "group")
"""Keys of a ``[[group]]`` that are no fields of its spec."""


@attrs.frozen
class _Child:
    """What one ``[[system]]`` or ``[[group]]`` says."""

    where: str
    name: object
    spec: ChildSpec | None
    """A group's without its children; None if the table has mistakes."""
    children: tuple[_Child, ...] = ()
    rest: Any = None
    """What is right in a table with mistakes; it lacks the attributes that are wrong."""


@attrs.define
class _WrongKind:
    """A kind that is wrong whatever the details: said once."""

    place: int
    """Of the line about it."""
    others: int = 0
    """Systems of this kind, after the first."""


class Reader:
    """One pass over one document."""

    def __init__(self, environ: Mapping[str, str], check_kind: CheckKind) -> None:
        self.mistakes: list[str] = []
        """One line each, in the order of the file."""
        self.warnings: list[str] = []
        """The same of what can be meant so, but hardly is."""
        self._environ = environ
        self._check_kind = check_kind
        self._places: dict[str, str] = {}
        """Where each name was first given."""
        self._policies = NamedPolicies()
        self._wrong_kinds: dict[str, _WrongKind] = {}
        """Those that no system of them could be built, whatever its details."""

    def read(self, document: dict[str, Any]) -> tuple[SupervisorOptions, GroupSpec] | None:
        """The options and the root group; None if there are mistakes."""
        self._add(unknown_key(key, _TABLES, "table") for key in document if key not in _TABLES)
        self._add(self._policies.read(document.get("policy", {})))
        table = document.get("supervisor", {})
        options, own, rest = self._read_supervisor(table)
        order = table.get("order") if isinstance(table, dict) else None
        children = self._read_children(document, (), "supervisor.", order)
        self._check_children(own or rest, children, "supervisor: ")
        self._tell_wrong_kinds()
        if self.mistakes or own is None:
            return None
        return options, _built(own, children)

    def _read_supervisor(self, table: object) -> tuple[SupervisorOptions, GroupSpec | None, Any]:
        of_options, of_root = table, {}
        if isinstance(table, dict):
            known = (*_OPTION_KEYS, *_ROOT_KEYS, "order")
            self._add(
                unknown_key(key, known).under("supervisor") for key in table if key not in known
            )
            of_options = {key: table[key] for key in table if key in _OPTION_KEYS}
            of_root = {key: table[key] for key in table if key in _ROOT_KEYS}
        options, own, rest = SupervisorOptions(), None, None
        try:
            options = read_table(SupervisorOptions, of_options, show_values=True)
        except MistakesError as error:
            self._add(mistake.under("supervisor") for mistake in error.mistakes)
        try:
            own = _read_group_fields({"name": ROOT, **of_root})
        except MistakesError as error:
            rest = error.rest
            self._add(mistake.under("supervisor") for mistake in error.mistakes)
        return options, own, rest

    # ---- children --------------------------------------------------------------------

    def _read_children(
        self, table: dict[str, Any], groups: tuple[str, ...], where: str, order: object
    ) -> tuple[_Child, ...]:
        """The children of a group in the order of their start.

        Args:
            groups: the places of the groups it is in and its own, outermost first; empty
                for the root group.
            where: what a mistake in ``order`` begins with.
        """
        systems = [
            self._read_system(number, system, groups)
            for number, system in enumerate(self._tables(table, "system", groups), 1)
        ]
        inner = [
            self._read_group(number, group, groups)
            for number, group in enumerate(self._tables(table, "group", groups), 1)
        ]
        children = [*systems, *inner]
        if order is None:
            return tuple(children)
        self._add(_mistakes_of_order(order, [child.name for child in children]), where)
        if not isinstance(order, list):
            return tuple(children)
        return tuple(sorted(children, key=lambda child: _index(order, child.name)))

    def _tables(self, table: dict[str, Any], key: str, groups: tuple[str, ...]) -> list[Any]:
        tables = table.get(key, [])
        if isinstance(tables, list):
            return tables
        header = ".".join([*["group"] * len(groups), key])
        text = (
            f"{key}: must be an array of tables, not {describe_value(tables)}; "
            f"begin each {key} with [[{header}]]"
        )
        self._add([Mistake((), text)], f"{', '.join(groups)}: " if groups else "")
        return []

    def _read_system(self, number: int, table: Any, groups: tuple[str, ...]) -> _Child:
        place = _place("system", number, table, groups)
        where = f"{', '.join(place)}: "
        if not isinstance(table, dict):
            self._add([Mistake((), f"must be a table, not {describe_value(table)}")], where)
            return _Child(where, None, None)
        kind = table.get("kind")
        mistakes = self._claim("system", number, table.get("name"), groups)
        details = table.get("connection_details", {})
        if isinstance(details, dict):
            details, missing = expand_variables(details, self._environ)
            mistakes += [mistake.under("connection_details") for mistake in missing]
            table = {**table, "connection_details": details}
        known = (*_SYSTEM_KEYS, *POLICY_KEYS)
        mistakes += [unknown_key(key, known) for key in table if key not in known]
        policy, wrong = self._policies.of_system(table)
        mistakes += wrong
        own = {key: table[key] for key in table if key in _SYSTEM_KEYS} | {"policy": policy}
        spec = rest = None
        try:
            spec = read_table(SystemSpec, own, show_values=True, leave_out=("snapshot",))
        except MistakesError as error:
            mistakes += error.mistakes
            rest = error.rest
        self._add(mistakes, where)
        if isinstance(kind, str):
            self._read_kind(kind, details if isinstance(details, dict) else {}, where)
            if kind not in self._wrong_kinds:
                texts = mistakes_for_kind(policy, kind)
                self._add([Mistake((), text) for text in texts], where)
        return _Child(where, table.get("name"), spec, rest=rest)

    def _read_kind(self, kind: str, details: Mapping[str, Any], where: str) -> None:
        wrong = self._wrong_kinds.get(kind)
        if wrong is not None:
            wrong.others += 1  # its module is not run again for each of them
            return
        texts = self._check_kind(kind, details)
        self._add([Mistake((), text) for text in texts], where)
        if texts and not any(text.startswith("connection_details") for text in texts):
            self._wrong_kinds[kind] = _WrongKind(len(self.mistakes) - 1)

    def _tell_wrong_kinds(self) -> None:
        for wrong in self._wrong_kinds.values():
            if wrong.others:
                more = "1 more system" if wrong.others == 1 else f"{wrong.others} more systems"
                self.mistakes[wrong.place] += f" (so for {more} of this kind)"

    def _read_group(self, number: int, table: Any, groups: tuple[str, ...]) -> _Child:
        place = _place("group", number, table, groups)
        where = f"{', '.join(place)}: "
        if not isinstance(table, dict):
            self._add([Mistake((), f"must be a table, not {describe_value(table)}")], where)
            return _Child(where, None, None)
        mistakes = self._claim("group", number, table.get("name"), groups)
        known = (*_GROUP_KEYS, *_CHILD_KEYS)
        mistakes += [unknown_key(key, known) for key in table if key not in known]
        spec = rest = None
        try:
            spec = _read_group_fields({key: table[key] for key in table if key in _GROUP_KEYS})
        except MistakesError as error:
            mistakes += error.mistakes
            rest = error.rest
        self._add(mistakes, where)
        children = self._read_children(table, place, where, table.get("order"))
        self._check_children(spec or rest, children, where)
        return _Child(where, table.get("name"), spec, children, rest)

    def _claim(
        self, what: str, number: int, name: object, groups: tuple[str, ...]
    ) -> list[Mistake]:
        """Note who has a name; a mistake if somebody else has it."""
        if not isinstance(name, str):
            return []
        if name == ROOT:
            text = "is the name of the group that all others are in; choose another"
            return [Mistake(("name",), text)]
        place = ", ".join([*groups, f"{what} #{number}"])
        first = self._places.setdefault(name, place)
        if first == place:
            return []
        return [Mistake(("name",), f"is the name of {first} too; rename #{number}")]

    def _check_children(
        self, group: GroupSpec | None, children: tuple[_Child, ...], where: str
    ) -> None:
        """What goes wrong only together.

        Args:
            group: it, and its children, may lack what is wrong in their tables.
        """
        if group is None:
            return
        specs = [child.spec or child.rest for child in children]
        for child, spec in zip(children, specs, strict=True):
            if spec is not None:
                self._try(child.where, _refuse_combination, group, spec)
        if None not in specs:
            self._try(where, refuse_unreachable_budget, group, specs)
        self._try(where, self._warn_of_strategy, group, specs, where)

    def _warn_of_strategy(self, group: GroupSpec, specs: list[Any], where: str) -> None:
        alone = group.strategy is Strategy.ONE_FOR_ONE or len(specs) < 2
        if group.give_up is GiveUp.QUARANTINE and not alone:
            self.warnings.append(
                f'{where}give_up = "quarantine" leaves the others running without the one that is '
                f'set aside, which with strategy = "{group.strategy}" they cannot do without; '
                'leave give_up out, or say "quarantine_group" or "escalate"'
            )

    def _try(self, where: str, check: Callable[..., None], *args: Any) -> None:
        try:
            check(*args)
        except ValueError as error:
            self._add([Mistake((), str(error))], where)
        except AttributeError:
            pass  # it depends on what has a mistake already

    def _add(self, mistakes: Iterable[Mistake], where: str = "") -> None:
        # A text may come from an import or a check_details; it gets one line all the same.
        self.mistakes += [" ".join(f"{where}{mistake}".split()) for mistake in mistakes]


def _refuse_combination(group: GroupSpec, spec: ChildSpec) -> None:
    if not (spec.significant and spec.restart_type is RestartType.PERMANENT):  # that was told
        refuse_combination(group, spec)


def _read_group_fields(table: dict[str, Any]) -> GroupSpec:
    return read_table(GroupSpec, table, show_values=True, leave_out=("children",))


def _built(group: GroupSpec, children: tuple[_Child, ...]) -> GroupSpec:
    """A group with its children, at a time when nothing is wrong with them."""
    return attrs.evolve(
        group,
        children=tuple(
            _built(child.spec, child.children) if isinstance(child.spec, GroupSpec) else child.spec
            for child in children
            if child.spec is not None
        ),
    )


def _place(what: str, number: int, table: object, groups: tuple[str, ...]) -> tuple[str, ...]:
    name = table.get("name") if isinstance(table, dict) else None
    printable = isinstance(name, str) and name and name.isprintable()
    return (*groups, f'{what} "{name}"' if printable else f"{what} #{number}")


def _mistakes_of_order(order: object, names: list[object]) -> list[Mistake]:
    """What is wrong with the ``order`` of children of these names."""
    if not isinstance(order, list) or not all(isinstance(name, str) for name in order):
        is_array = isinstance(order, list)
        what = "an array with something else in it" if is_array else describe_value(order)
        return [Mistake(("order",), f"must be an array of the children's names, not {what}")]
    known = [name for name in names if isinstance(name, str)]
    texts = []
    for name in dict.fromkeys(order):
        if order.count(name) > 1:
            texts.append(f'names "{name}" {order.count(name)} times; name each child once')
        if name not in known and len(known) == len(names):
            children = ", ".join(f'"{child}"' for child in known)
            otherwise = f"; its children are {children}" if known else "; it has no children"
            hint = did_you_mean(name, known, otherwise)
            texts.append(f'names "{name}", which is no child of this group{hint}')
    missed = ", ".join(f'"{name}"' for name in dict.fromkeys(known) if name not in order)
    if missed:
        texts.append(f"misses {missed}; name all children, or leave order out")
    return [Mistake(("order",), text) for text in texts]


def _index(order: list[Any], name: object) -> int:
    return order.index(name) if name in order else len(order)
