"""What a supervisor needs to know of its children: OTP's child specifications.

A child is a system or a group of children; a group is what OTP calls a supervisor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy
from typing import Any, Final, Unpack, cast

import attrs

from actors.interface import ExternalSystemInterface, check_system_name
from actors.messages import SystemDefinition
from actors.payload import Payload, encode
from actors.resilience.backoff import BackoffPolicy
from actors.resilience.policy import NO_POLICY, Policy
from actors.settings import (
    INFINITY,
    Allowed,
    flag,
    one_of,
    seconds,
    table_of,
    text,
    time_limit,
    whole_number,
)
from supervisor.specs.durable import DurablePolicy, durable_policy
from supervisor.specs.policies import (
    AutoShutdown,
    GiveUp,
    OnStartFailure,
    ReconnectPolicy,
    RestartPolicy,
    RestartType,
    Shutdown,
    Startup,
    Strategy,
    refuse_unreachable,
    shutdown_time,
    usual_give_up,
)
from supervisor.specs.system_options import SystemOptions

ROOT: Final = "root"
"""The name of the group that all others are in, unless its spec gives it another."""


def _choice(choices: Any, default: Any) -> Any:
    """A keyword field for a member of an enum, or its value."""
    allowed = one_of(*choices)
    return attrs.field(default=default, kw_only=True, converter=allowed.convert, validator=allowed)


def _limit(allowed: Allowed, default: Any) -> Any:
    """A keyword field for a number of seconds or a word; from Python, too, it may be "5s"."""
    return attrs.field(default=default, kw_only=True, converter=allowed.convert, validator=allowed)


_DURABLE: Final = durable_policy()


def _to_durable(value: DurablePolicy | bool | None) -> DurablePolicy | None:
    # What is none of them is for the validator to tell.
    policy: DurablePolicy | None = _DURABLE.convert(value)
    return policy


def _in_order(children: Iterable[ChildSpec]) -> tuple[ChildSpec, ...]:
    if not isinstance(children, Iterable):
        raise ValueError(
            f"children must be SystemSpecs and GroupSpecs in a tuple or a list, "
            f"not a {type(children).__name__}"
        )
    return tuple(children)


def _check_significance(restart_type: RestartType, significant: bool) -> None:
    if significant and restart_type is RestartType.PERMANENT:
        raise ValueError(
            "significant is for transient and temporary children: a permanent one never ends "
            'for good; set restart_type to "transient" or "temporary", or significant to false'
        )


@attrs.frozen
class SystemSpec:
    """One system: how to build it, and how to look after it.

    Raises:
        ValueError: a field's value makes no sense; the text names the field.
    """

    name: str = attrs.field(validator=lambda _, __, value: check_system_name(value) and None)
    kind: str = attrs.field(validator=text())
    """``mock``, ``tcp``, or ``package.module:Class``."""
    connection_details: dict[str, Any] | Payload = attrs.field(
        factory=dict, repr=False, validator=Allowed(text="a table of keys", types=(dict, Payload))
    )
    """Passed to the class as it is. Never printed: it may hold a password."""
    connect: bool = attrs.field(default=False, kw_only=True, validator=flag())
    """Connect as soon as the system is started."""
    startup: Startup = _choice(Startup, Startup.RETRY)
    """What becomes of it if its first connect fails; for ``connect``."""
    restart_type: RestartType = _choice(RestartType, RestartType.PERMANENT)
    restart: RestartPolicy = attrs.field(
        factory=RestartPolicy, kw_only=True, validator=table_of(RestartPolicy)
    )
    significant: bool = attrs.field(default=False, kw_only=True, validator=flag())
    """Whether its end counts for the ``auto_shutdown`` of its group."""
    reconnect: BackoffPolicy = attrs.field(
        factory=ReconnectPolicy,
        kw_only=True,
        validator=attrs.evolve(table_of(ReconnectPolicy), types=(BackoffPolicy,)),
    )
    """Between attempts to connect a system that is meant to be connected, and is not."""
    start_timeout: float = attrs.field(default=10.0, kw_only=True, validator=seconds())
    """Seconds the class may take to be imported and built, from when its process begins."""
    shutdown: Shutdown = _limit(shutdown_time(), 5.0)
    """Seconds to disconnect in when stopped, then its process is killed; or ``"infinity"``,
    or ``"brutal_kill"``."""
    hang_timeout: float | str = _limit(time_limit(), 30.0)
    """Seconds for which its message thread or its event loop may be silent; then it hangs,
    is killed and counts as crashed. ``"infinity"`` looks for no hang."""
    mailbox_size: int = attrs.field(default=10_000, kw_only=True, validator=whole_number(1))
    """Unanswered items above which the system is ``overloaded``."""
    policy: Policy = attrs.field(default=NO_POLICY, kw_only=True, validator=table_of(Policy))
    """How its calls are looked after; in a file its fields are keys of the system itself."""
    durable: DurablePolicy | None = attrs.field(
        default=None, kw_only=True, converter=_to_durable, validator=_DURABLE
    )
    """How its outbox treats what is sent to it; True is the usual way. None, or False: what is
    sent to it does not go by way of an outbox, unless its sender says so."""
    inbox: bool = attrs.field(default=False, kw_only=True, validator=flag())
    """Whether what comes from it is on the disk before anybody is given it, and until a reader has
    acknowledged it: see ``manager.take``."""
    snapshot: bytes | None = attrs.field(
        default=None,
        kw_only=True,
        repr=False,
        validator=Allowed(text="a pickle", types=(bytes,)).or_none(),
    )
    """A pickled instance to start from, in place of ``kind``."""

    def __attrs_post_init__(self) -> None:
        _check_significance(self.restart_type, self.significant)
        if self.startup is not Startup.RETRY and not self.connect:
            raise ValueError(
                f'startup is "{self.startup}", but nothing is connected at the start: '
                "set connect to true, or leave startup out"
            )

    @classmethod
    def of(cls, system: ExternalSystemInterface, **options: Unpack[SystemOptions]) -> SystemSpec:
        """The spec of an existing object: each incarnation starts as a copy of it.

        Raises:
            PayloadError: the object cannot be pickled.
            ValueError: its name cannot name a system.
        """
        system_class = type(system)
        if mistakes := options.get("policy", NO_POLICY).mistakes_for(system_class):
            raise ValueError("; ".join(mistakes))
        return cls(
            check_system_name(system.system_name),
            f"{system_class.__module__}:{system_class.__qualname__}",
            snapshot=encode(system),
            **cast(dict[str, Any], options),
        )

    def definition(self) -> SystemDefinition:
        """The part that the system actor needs."""
        return SystemDefinition(
            self.name, self.kind, self.connection_details, self.snapshot, self.policy
        )


@attrs.frozen
class GroupSpec:
    """A group of children that are started, stopped and restarted together.

    Children are started in their order, each after the one before it is up, and stopped in
    reverse order. Names are unique in the whole tree.

    Raises:
        ValueError: a field's value makes no sense, or two children have one name.
    """

    name: str = attrs.field(validator=lambda _, __, value: check_system_name(value) and None)
    children: tuple[ChildSpec, ...] = attrs.field(default=(), converter=_in_order)
    strategy: Strategy = _choice(Strategy, Strategy.ONE_FOR_ONE)
    give_up: GiveUp = _choice(
        GiveUp, attrs.Factory(lambda self: usual_give_up(self.strategy), takes_self=True)
    )
    """What suits the strategy, unless it is said."""
    max_restarts: int = attrs.field(default=3, kw_only=True, validator=whole_number(0))
    """With ``period`` the budget that the children of a group share which gives up by
    ``escalate``. OTP's ``intensity``."""
    period: float = attrs.field(default=5.0, kw_only=True, validator=seconds())
    """Seconds."""
    on_start_failure: OnStartFailure = _choice(
        OnStartFailure, OnStartFailure.RETRY_CONNECTION_ERRORS
    )
    auto_shutdown: AutoShutdown = _choice(AutoShutdown, AutoShutdown.NEVER)
    restart_type: RestartType = _choice(RestartType, RestartType.PERMANENT)
    """As a child of the group it is in, like the fields below."""
    restart: RestartPolicy = attrs.field(
        factory=RestartPolicy, kw_only=True, validator=table_of(RestartPolicy)
    )
    significant: bool = attrs.field(default=False, kw_only=True, validator=flag())
    shutdown: Shutdown = _limit(shutdown_time(), INFINITY)
    """Seconds for all its children to stop in, after which all that are left are killed."""

    def __attrs_post_init__(self) -> None:
        _check_significance(self.restart_type, self.significant)
        for child in self.children:
            if not isinstance(child, SystemSpec | GroupSpec):
                raise ValueError(
                    f"children must be SystemSpecs and GroupSpecs, not a {type(child).__name__}"
                )
            refuse_combination(self, child)
        twice = first_repeated(spec.name for spec in self.walk())
        if twice is not None:
            raise ValueError(
                f"{twice!r} is the name of two; rename one: names are unique in the whole tree"
            )
        refuse_unreachable_budget(self, self.children)

    def walk(self) -> Iterator[ChildSpec]:
        """This group and all that are in it at any depth, each after the group it is in."""
        yield self
        for child in self.children:
            if isinstance(child, GroupSpec):
                yield from child.walk()
            else:
                yield child

    @property
    def systems(self) -> tuple[SystemSpec, ...]:
        """The systems in it at any depth, in the order of their start."""
        return tuple(spec for spec in self.walk() if isinstance(spec, SystemSpec))


ChildSpec = SystemSpec | GroupSpec


def seal_details(spec: Any) -> Any:
    """The same spec, with connection details that only the host and the system unpickle."""
    if isinstance(spec, SystemSpec) and isinstance(spec.connection_details, dict):
        return attrs.evolve(spec, connection_details=Payload(spec.connection_details))
    if isinstance(spec, GroupSpec):
        return with_children(spec, map(seal_details, spec.children))
    return spec


def with_children(spec: GroupSpec, children: Iterable[ChildSpec]) -> GroupSpec:
    """The same spec with other children, which are not looked at: those that a group has
    come to have at run time may be fewer, or others, than a new spec might name."""
    changed = copy(spec)
    object.__setattr__(changed, "children", tuple(children))
    return changed


def refuse_combination(group: GroupSpec, child: ChildSpec) -> None:
    """Make sure that a child fits into a group (OTP's ``bad_combination``).

    Raises:
        ValueError: it is significant, and that would mean nothing there.
    """
    if child.significant and group.auto_shutdown is AutoShutdown.NEVER:
        raise ValueError(
            f"{child.name} is significant, but auto_shutdown of its group {group.name} is "
            '"never"; choose "any_significant" or "all_significant" there'
        )


def refuse_unreachable_budget(group: GroupSpec, children: Iterable[ChildSpec]) -> None:
    """Make sure that a group which gives up by ``escalate`` does give up if all its children
    crash at once, whenever they are started.

    Raises:
        ValueError: their backoff makes them crash too seldom for that.
    """
    if group.give_up is GiveUp.ESCALATE:
        # A temporary child is never restarted, and so never uses the budget.
        again = [c.restart for c in children if c.restart_type is not RestartType.TEMPORARY]
        refuse_unreachable(group.max_restarts, group.period, again)


def first_repeated(names: Iterable[str]) -> str | None:
    """The first name that was there before; None if there is none."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
