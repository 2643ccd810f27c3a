"""What a guardian decides: whether its supervisor is started again, and from what. Pure."""

from __future__ import annotations

import enum
from random import Random
from typing import Final

import attrs

from supervisor.messages import SupervisorClosing
from supervisor.messages.record import ConfigureSupervisor, RecordKeeper
from supervisor.runtime.limits import SUPERVISOR_INTENSITY
from supervisor.specs.restarts import RestartHistory

ASK_AFTER: Final = 20
"""Looks at a supervisor after which it is asked whether it is there."""
HANGS_AFTER: Final = 80
"""Looks without an answer after which it hangs. Looks are counted, and not time: the whole
machine may have stood still."""


@attrs.frozen
class StartSupervisor:
    """Start the next supervisor."""

    life: int
    delay: float = 0.0
    """Seconds to wait first."""


@attrs.frozen
class GivingUp:
    """Leave it to whoever started the guardian."""

    reason: str


class Look(enum.Enum):
    """What a look at the supervisor leads to."""

    WAIT = enum.auto()
    ASK = enum.auto()
    """Ask whether it is there."""
    HANGS = enum.auto()
    """Kill it."""


Decision = StartSupervisor | GivingUp


@attrs.define
class Guarding:
    """One supervisor at a time; ``life`` counts them."""

    setup: ConfigureSupervisor
    _random: Random = attrs.field(factory=Random)
    life: int = 0
    keeper: RecordKeeper = attrs.field(factory=RecordKeeper)
    """What the supervisors told to be kept."""
    closing: SupervisorClosing | None = None
    """Set once the supervisor ended for good: nothing is started after that."""
    _is_alive: bool = False
    _looks: int = 0
    """Since it was asked, or since it answered."""
    _asked: bool = False
    _history: RestartHistory = attrs.field(factory=lambda: RestartHistory(SUPERVISOR_INTENSITY))

    def begin(self) -> StartSupervisor:
        """Start the first one."""
        return self._start(0.0)

    def _start(self, delay: float) -> StartSupervisor:
        self.life += 1
        self._is_alive = True
        self.answered()
        return StartSupervisor(self.life, delay)

    def configuration(self) -> ConfigureSupervisor:
        """What to tell the next supervisor."""
        record = self.keeper.record or self.setup.record
        return ConfigureSupervisor(
            self.setup.options,
            self.setup.socket_path,
            self.setup.tree,
            record,
            self.setup.has_scribe,
        )

    def looked(self) -> Look:
        """Count a look at a supervisor that is ready, and say what is to be done."""
        self._looks += 1
        if self._asked:
            return Look.HANGS if self._looks > HANGS_AFTER else Look.WAIT
        if self._looks <= ASK_AFTER:
            return Look.WAIT
        self._asked, self._looks = True, 0
        return Look.ASK

    def answered(self) -> None:
        """The supervisor does not hang."""
        self._asked, self._looks = False, 0

    def supervisor_ended(self, life: int, how: str, now: float) -> Decision | None:
        """A supervisor's process is gone.

        Args:
            life: which one; an end that was heard of before changes nothing.
            how: for whoever reads the log.
            now: seconds of a monotonic clock.
        """
        if life != self.life or not self._is_alive or self.closing is not None:
            return None
        self._is_alive = False
        delay = self._history.next_delay(now, self._random)
        if delay is None:
            return GivingUp(
                f"the supervisor ended more than {SUPERVISOR_INTENSITY.max_restarts} times within "
                f"{SUPERVISOR_INTENSITY.period:g} s, the last time: {how}"
            )
        return self._start(delay)
