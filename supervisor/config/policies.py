"""Policies in a configuration: keys of a system's own, and named ones that systems share. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from actors.connectors.kinds import resolve_kind
from actors.errors import ActorSetupError
from actors.resilience.policy import NO_POLICY, Policy
from actors.resilience.rate_limit import RateLimit
from actors.settings import Mistake, MistakesError, describe_value, did_you_mean, read_table

POLICY_KEYS: Final = tuple(field.name for field in attrs.fields(Policy))


@attrs.define
class NamedPolicies:
    """The ``[policy.NAME]`` tables of one document."""

    _tables: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    """What is right in each of them."""
    _shared: dict[str, tuple[object, RateLimit]] = attrs.field(factory=dict)
    """By the name of each shared rate limit: the system that first said it, and how."""

    def read(self, tables: object) -> list[Mistake]:
        """Learn them; what is wrong with them."""
        if not isinstance(tables, Mapping):
            text = f"must be a table of tables, not {describe_value(tables)}"
            return [Mistake(("policy",), f"{text}; begin each with [policy.NAME]")]
        mistakes = []
        for name, table in tables.items():
            found: Sequence[Mistake] = ()
            try:
                read_table(Policy, table, show_values=True)
            except MistakesError as error:
                found = error.mistakes
            wrong = {mistake.path[0] for mistake in found if mistake.path}
            good = table if isinstance(table, Mapping) else {}
            self._tables[name] = {key: good[key] for key in good if key not in wrong}
            mistakes += [mistake.under(name).under("policy") for mistake in found]
        return mistakes

    def of_system(self, table: Mapping[str, Any]) -> tuple[Policy, list[Mistake]]:
        """The policy of a system, and what is wrong with what its table says of it.

        A key of the system's own takes the place of the named policy's.
        """
        mistakes: list[Mistake] = []
        named: Mapping[str, Any] = {}
        if "policy" in table:
            name = table["policy"]
            if isinstance(name, str) and name in self._tables:
                named = self._tables[name]
            else:
                mistakes.append(Mistake(("policy",), self._refusal(name)))
        own = {key: table[key] for key in POLICY_KEYS if key in table}
        try:
            policy = read_table(Policy, {**named, **own}, show_values=True)
        except MistakesError as error:
            return NO_POLICY, [*mistakes, *error.mistakes]
        return policy, mistakes + self._check_shared(table.get("name"), policy.rate_limit)

    def _check_shared(self, system: object, limit: RateLimit | None) -> list[Mistake]:
        """Whether those that share a rate limit say the same of it."""
        if limit is None or limit.shared is None:
            return []
        first, other = self._shared.setdefault(limit.shared, (system, limit))
        if (limit.rate, limit.burst) == (other.rate, other.burst):
            return []
        text = f"says {limit}, and {first!r} says {other}; say the same in both"
        return [Mistake(("rate_limit",), text)]

    def _refusal(self, name: object) -> str:
        known = ", ".join(f'"{each}"' for each in self._tables) or "none"
        if not isinstance(name, str):
            return f"must be the name of a [policy.NAME], not {describe_value(name)}"
        hint = did_you_mean(name, list(self._tables), f"; there are: {known}")
        return f'names "{name}", and there is no [policy.{name}]{hint}'


def mistakes_for_kind(policy: Policy, kind: str) -> list[str]:
    """What of a policy cannot be done for systems of a kind, if its class can be found here."""
    if policy is NO_POLICY:
        return []
    try:
        system_class = resolve_kind(kind)
    except ActorSetupError:
        return []  # which is told of the kind itself
    return policy.mistakes_for(system_class)
