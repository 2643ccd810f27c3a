"""What a supervisor can be told about itself, apart from its systems."""

from __future__ import annotations

import enum
import logging
from typing import Any

import attrs


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


def _positive(_: Any, attribute: attrs.Attribute[Any], value: float) -> None:
    if not value > 0:
        raise ValueError(f"{attribute.name} must be greater than 0, not {value!r}")


@attrs.frozen(kw_only=True)
class SupervisorOptions:
    """The options of one supervisor; the table ``[supervisor]`` of a configuration.

    Raises:
        ValueError: a field's value makes no sense; the text names the field.
    """

    request_timeout: float = attrs.field(default=30.0, validator=_positive)
    """Seconds until a request that names no timeout is answered with ``timeout``."""
    connect_timeout: float = attrs.field(default=60.0, validator=_positive)
    """The same for a request to connect."""
    max_payload_bytes: int = attrs.field(default=16 * 1024 * 1024, validator=_positive)
    """The size of an item above which a request is refused."""
    log_level: LogLevel = attrs.field(default=LogLevel.WARNING, converter=LogLevel)
