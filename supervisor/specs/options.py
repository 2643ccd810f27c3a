"""What a supervisor can be told about itself, apart from its systems."""

from __future__ import annotations

import enum
import logging
from typing import Final

import attrs

from actors.messages.supervision import MAX_PAYLOAD_BYTES
from actors.settings import one_of, seconds, text, time_limit, whole_number


class LogLevel(enum.StrEnum):
    """The least severe record that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"

    @property
    def number(self) -> int:
        """The level as the ``logging`` module counts."""
        return logging.getLevelNamesMapping()[self.name]


_LOG_LEVEL: Final = one_of(*LogLevel)
_PATH: Final = text("the absolute path of a directory", lambda path: path.startswith("/"))


def _to_level(value: LogLevel | str) -> LogLevel:
    level: LogLevel = _LOG_LEVEL.convert(value)
    return level


@attrs.frozen(kw_only=True)
class SupervisorOptions:
    """The options of one supervisor; the table ``[supervisor]`` of a configuration.

    Raises:
        ValueError: a field's value makes no sense; the text names the field.
    """

    request_timeout: float = attrs.field(default=30.0, validator=seconds())
    """Seconds until a request that names no timeout is answered with ``timeout``."""
    connect_timeout: float = attrs.field(default=60.0, validator=seconds())
    """The same for a request to connect."""
    max_payload_bytes: int = attrs.field(default=MAX_PAYLOAD_BYTES, validator=whole_number(1))
    """The size of an item above which a request is refused, and an answer is a failure."""
    crash_reports: int = attrs.field(default=10, validator=whole_number(0))
    """How many crash reports are kept of each system."""
    state_dir: str | None = attrs.field(default=None, validator=_PATH.or_none())
    """The directory for what outlives all processes, above all what was sent durably; one
    supervisor at a time has it. None: there is none, and nothing is durable; but ``extsys run``
    then takes ``$STATE_DIRECTORY``, or ``extsys`` in ``$XDG_STATE_HOME`` (``~/.local/state``)."""
    journal_bytes: int = attrs.field(default=4 << 30, validator=whole_number(1 << 20))
    """The size of the journal's file above which nothing is accepted any more, whichever system it
    is for. What each system may have waiting is in its ``durable``."""
    dead_letters: int = attrs.field(default=100_000, validator=whole_number(0))
    """So many are kept, of all systems; the oldest are forgotten first."""
    dead_letters_for: float | str = attrs.field(default=30 * 86_400.0, validator=time_limit())
    """Seconds after which a dead letter is forgotten, or "infinity"."""
    log_level: LogLevel = attrs.field(
        default=LogLevel.WARNING,
        converter=_to_level,
        validator=_LOG_LEVEL,
    )
    """The least severe record that is in the log."""
    system_log_level: LogLevel = attrs.field(
        default=LogLevel.INFO,
        converter=_to_level,
        validator=_LOG_LEVEL,
    )
    """The least severe record that the process of a system says: to the memory of what it said
    last, to crash reports, and, if it is not below ``log_level``, to the log."""
