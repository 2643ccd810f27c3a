"""How a system's outbox treats what is sent durably."""

from __future__ import annotations

import enum
from typing import Any, Final

import attrs

from actors.resilience.backoff import BackoffPolicy
from actors.settings import Allowed, one_of, seconds, table_of, whole_number


class OnDead(enum.StrEnum):
    """What becomes of those behind a message that is not tried any more."""

    SKIP = "skip"
    """It becomes a dead letter, and they go on."""
    BLOCK = "block"
    """They wait until it is retried or discarded by hand."""


class WhenFull(enum.StrEnum):
    """What a full outbox does with one more message."""

    REFUSE = "refuse"
    """It is refused with ``overloaded``."""
    DROP_OLDEST = "drop_oldest"
    """The oldest that is not under way becomes a dead letter."""


_ON_DEAD: Final = one_of(*OnDead)
_WHEN_FULL: Final = one_of(*WhenFull)


def _to_on_dead(value: OnDead | str) -> OnDead:
    choice: OnDead = _ON_DEAD.convert(value)
    return choice


def _to_when_full(value: WhenFull | str) -> WhenFull:
    choice: WhenFull = _WHEN_FULL.convert(value)
    return choice


@attrs.frozen(kw_only=True)
class DurablePolicy:
    """Of a system whose sends are on the disk before they are accepted, and are delivered in
    order, at least once.

    Raises:
        ValueError: a field's value makes no sense; the text names the field.
    """

    window: int = attrs.field(default=64, validator=whole_number(1, 10_000))
    """Messages that are under way to the system at once, one after the other. So many may come
    twice when its process or the supervisor is killed."""
    max_attempts: int = attrs.field(default=10, validator=whole_number(1))
    """Attempts after which a message that failed each time is not tried any more."""
    max_crashes: int = attrs.field(default=3, validator=whole_number(1))
    """Attempts in which the system's process ended, after which it is not."""
    on_dead: OnDead = attrs.field(default=OnDead.SKIP, converter=_to_on_dead, validator=_ON_DEAD)
    backoff_min: float = attrs.field(default=0.2, validator=seconds())
    """Seconds to wait after an attempt that failed, the first time."""
    backoff_max: float = attrs.field(default=30.0, validator=seconds())
    """Twice as long each time, but never longer; the next that is delivered ends that."""
    max_items: int = attrs.field(default=1_000_000, validator=whole_number(1))
    """Messages that wait above which the outbox is full."""
    max_bytes: int = attrs.field(default=1 << 30, validator=whole_number(1))
    """The same for the bytes of their data."""
    when_full: WhenFull = attrs.field(
        default=WhenFull.REFUSE, converter=_to_when_full, validator=_WHEN_FULL
    )

    def __attrs_post_init__(self) -> None:
        self.backoff  # noqa: B018  # they must go together

    @property
    def backoff(self) -> BackoffPolicy:
        """The waits between attempts."""
        return BackoffPolicy(backoff_min=self.backoff_min, backoff_max=self.backoff_max)


def durable_policy() -> Allowed:
    """What a field takes that is a :class:`DurablePolicy`, or true for the usual one."""
    return _Durable(
        text="true, false or a table of keys (in Python a DurablePolicy)",
        types=(DurablePolicy, type(None)),
        convert=_to_policy,
    )


def _to_policy(value: Any) -> Any:
    if isinstance(value, bool):
        return DurablePolicy() if value else None
    return value


@attrs.frozen(kw_only=True)
class _Durable(Allowed):
    def read(self, written: Any, _type: object = None) -> Any:
        if isinstance(written, dict):
            return table_of(DurablePolicy).read(written)
        return super().read(written)
