"""What a supervisor needs to know to keep one system alive: OTP's child specification."""

from __future__ import annotations

from typing import Any

import attrs

from actors.interface import ExternalSystemInterface, check_system_name
from actors.messages import SystemDefinition
from actors.payload import Payload, encode
from actors.settings import Allowed, flag, seconds, table_of, text, whole_number


@attrs.frozen(kw_only=True)
class BackoffPolicy:
    """How long to wait between attempts: twice as long each time, within limits."""

    backoff_min: float = attrs.field(default=0.1, validator=seconds())
    """Seconds to wait after the second failure in a row; after the first, nothing."""
    backoff_max: float = attrs.field(default=1.0, validator=seconds())
    """Seconds never to be exceeded."""

    def __attrs_post_init__(self) -> None:
        if self.backoff_max < self.backoff_min:
            raise ValueError(
                f"backoff_max ({self.backoff_max:g}) must not be less than "
                f"backoff_min ({self.backoff_min:g})"
            )


@attrs.frozen(kw_only=True)
class RestartPolicy(BackoffPolicy):
    """When a crashed system is restarted, and when that is given up.

    Restart intensity follows OTP (https://www.erlang.org/doc/system/sup_princ.html,
    "Maximum Restart Intensity"): more than ``max_restarts`` within ``period`` seconds
    sets the system aside in quarantine. The first restart after a stable time is
    immediate; each further one within ``period`` waits twice as long as the one before.
    """

    max_restarts: int = attrs.field(default=3, validator=whole_number(0))
    period: float = attrs.field(default=5.0, validator=seconds())
    """Seconds."""


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
    restart: RestartPolicy = attrs.field(
        factory=RestartPolicy, kw_only=True, validator=table_of(RestartPolicy)
    )
    reconnect: BackoffPolicy = attrs.field(
        factory=lambda: BackoffPolicy(backoff_min=0.2, backoff_max=30.0),
        kw_only=True,
        validator=table_of(BackoffPolicy),
    )
    """Between attempts to connect a system that is meant to be connected, after a restart."""
    start_timeout: float = attrs.field(default=10.0, kw_only=True, validator=seconds())
    """Seconds the class may take to be imported and built."""
    shutdown: float = attrs.field(default=5.0, kw_only=True, validator=seconds(zero=True))
    """Seconds to disconnect in when stopped; then the process is killed."""
    mailbox_size: int = attrs.field(default=10_000, kw_only=True, validator=whole_number(1))
    """Unanswered items above which the system is ``overloaded``."""
    snapshot: bytes | None = attrs.field(
        default=None,
        kw_only=True,
        repr=False,
        validator=Allowed(text="a pickle", types=(bytes,)).or_none(),
    )
    """A pickled instance to start from, in place of ``kind``."""

    @classmethod
    def of(cls, system: ExternalSystemInterface, **options: Any) -> SystemSpec:
        """The spec of an existing object: each incarnation starts as a copy of it.

        Raises:
            PayloadError: the object cannot be pickled.
            ValueError: its name cannot name a system.
        """
        system_class = type(system)
        return cls(
            check_system_name(system.system_name),
            f"{system_class.__module__}:{system_class.__qualname__}",
            snapshot=encode(system),
            **options,
        )

    def definition(self) -> SystemDefinition:
        """The part that the system actor needs."""
        return SystemDefinition(self.name, self.kind, self.connection_details, self.snapshot)
