"""Fields of settings classes."""

from __future__ import annotations

from typing import Any

import attrs

from actors.settings.allowed import Allowed


def setting(allowed: Allowed, default: Any = attrs.NOTHING) -> Any:
    """A field that takes what is allowed; from Python, too, it may be written as in a file, such
    as "5s"."""
    return attrs.field(default=default, converter=allowed.convert, validator=allowed)
