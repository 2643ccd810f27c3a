"""What holds for a whole supervisor."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class SupervisorOptions:
    request_timeout: float = 30.0
    connect_timeout: float = 60.0
    max_payload_bytes: int = 64 << 20
    log_level: str = "warning"
