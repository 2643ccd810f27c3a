"""How long each kind of call of a connector may take."""

from __future__ import annotations

import attrs

from actors.settings import Allowed, seconds


def _limit() -> Allowed:
    return seconds().or_none()


@attrs.frozen(kw_only=True)
class Timeouts:
    """Seconds that a call of a connector may take; then it is cancelled, and its caller told.

    They count from when the connector itself is called: time in line is the request's own
    ``timeout``. None leaves a call all the time that its request has.
    """

    connect: float | None = attrs.field(default=None, validator=_limit())
    disconnect: float | None = attrs.field(default=None, validator=_limit())
    send: float | None = attrs.field(default=None, validator=_limit())
    """Of each item; of all together, if the class sends many at once."""
    query: float | None = attrs.field(default=None, validator=_limit())
    """From when the question goes out until its answer is there, whatever it waited for."""
    command: float | None = attrs.field(default=None, validator=_limit())
    check_health: float | None = attrs.field(default=None, validator=_limit())
