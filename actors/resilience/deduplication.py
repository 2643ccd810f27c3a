"""What has come once is not let through again for a while. Pure: the time is an argument."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final

import attrs

from actors.settings import seconds, setting, text, whole_number

_FUNCTION: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
_FIELDS: Final = re.compile(r"[^.:]+(\.[^.:]+)*")


def _is_key(value: str) -> bool:
    return bool(_FUNCTION.fullmatch(value) or _FIELDS.fullmatch(value))


@attrs.frozen(kw_only=True)
class Deduplication:
    """Which received items are the same, and for how long."""

    key: str | None = attrs.field(
        default=None,
        validator=text(
            'the path of a field such as "header.id", or "package.module:function"', _is_key
        ).or_none(),
    )
    """What items are compared by: a field of each, by its path through tables, lists and
    attributes, or what a function gives for it. None compares them whole."""
    window: float = setting(seconds())
    """Seconds for which the same is dropped, from when it was let through."""
    max_keys: int = attrs.field(default=10_000, validator=whole_number(1))
    """Of how many items it is known that they came. With more within the window, the oldest are
    forgotten, and could come again."""

    @property
    def is_function(self) -> bool:
        """Whether :attr:`key` names a function."""
        return self.key is not None and ":" in self.key


class Seen:
    """The keys of what was let through within the window."""

    def __init__(self, policy: Deduplication) -> None:
        self._policy = policy
        self._until: OrderedDict[Hashable, float] = OrderedDict()
        """Until when each key is the same again, in the order of their coming, which is also that
        of their ends."""

    def __len__(self) -> int:
        return len(self._until)

    def is_new(self, key: Hashable, now: float) -> bool:
        """Whether an item with this key is to be let through; it is known from then on."""
        while self._until:
            oldest, until = next(iter(self._until.items()))
            if now < until:
                break
            del self._until[oldest]
        if key in self._until:
            return False
        if len(self._until) >= self._policy.max_keys:
            self._until.popitem(last=False)
        self._until[key] = now + self._policy.window
        return True


class NoSuchFieldError(LookupError):
    """An item has not the field that it is to be known by."""


def field_of(item: Any, path: str) -> Any:
    """The field of an item: of a mapping by its key, of a sequence by its number, of anything else
    the attribute.

    Raises:
        NoSuchFieldError: it has none.
    """
    for step in path.split("."):
        try:
            item = _step(item, step)
        except (LookupError, AttributeError, ValueError, TypeError) as error:
            raise NoSuchFieldError(f"it has no {path!r}") from error
    return item


def _step(item: Any, step: str) -> Any:
    if isinstance(item, Mapping):
        return item[step]
    if isinstance(item, Sequence) and not isinstance(item, str | bytes):
        is_number = step.removeprefix("-").isdecimal()
        return item[int(step)] if is_number else getattr(item, step)
    return getattr(item, step)
