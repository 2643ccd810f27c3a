"""Where the rate limits of a runtime's systems are kept: outside all their processes, and the
supervisor's, so that none takes one with it. A file for each limit, which its systems make.
"""

from __future__ import annotations

import hashlib
import re
import time
from pathlib import Path
from typing import Final

from actors.resilience.rate_limit import RateLimit
from actors.unix_base.kernel.private_directory import NotPrivateError, PrivateDirectory
from actors.wire.level_file import remove_if_drained
from supervisor.runtime.belongings import LEVEL_NAMES, LEVELS

_TIDY_EVERY: Final = 60.0
"""Seconds between two looks for files that say nothing."""


class Levels:
    """Of one runtime."""

    def __init__(self, runtime: Path) -> None:
        self._runtime = runtime
        self._names = re.compile(LEVEL_NAMES)
        self._tidy_at = 0.0

    def path_for(self, limit: RateLimit | None, system_name: str) -> str | None:
        """Of the file that a system keeps its limit in; None if it has none, or there is no
        place for it."""
        if limit is None:
            return None
        try:
            self._open(make=True).close()
        except (OSError, NotPrivateError):
            return None  # its process says what that means
        of_all = limit.shared is not None
        owner = f"shared {limit.shared}" if of_all else f"system {system_name}"
        name = hashlib.sha256(owner.encode()).hexdigest()[:32]
        return str(self._runtime / LEVELS / name)

    def look(self) -> None:
        """Remove what says nothing any more, such as of a system that is gone; to be called now
        and then."""
        now = time.monotonic()
        if now >= self._tidy_at:
            self._tidy_at = now + _TIDY_EVERY
            self._tidy(now)

    def close(self) -> None:
        """The supervisor ends. What still says something is for the next one."""
        self._tidy(time.monotonic())

    def _tidy(self, now: float) -> None:
        try:
            with self._open(make=False) as directory:
                for name in directory.names():
                    if self._names.fullmatch(name):
                        remove_if_drained(directory, name, now)
                directory.remove()
        except (OSError, NotPrivateError):
            pass  # there is none, or it is not the runtime's any more

    def _open(self, *, make: bool) -> PrivateDirectory:
        with PrivateDirectory(str(self._runtime), make=make) as runtime:
            return PrivateDirectory(LEVELS, make=make, inside=runtime)
