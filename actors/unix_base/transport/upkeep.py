"""What a process sees to now and then: others may clear away files that they think nobody needs.

A process whose socket file is gone has the connections it has, and listens anew for others. The
admin also sees to the directory. A process whose child was killed clears away what those left
that ended with it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from thespian.system.utilis import thesplog

from actors.unix_base.kernel.held_directory import HeldError
from actors.unix_base.kernel.private_directory import NotPrivateError, PrivateDirectory
from actors.unix_base.transport.directory import (
    YOUNG,
    SocketDirectoryError,
    SystemLock,
    remove_dead_sockets,
)
from actors.unix_base.transport.exchange import Exchange

_LOOK_EVERY: Final = 5.0
_ADMIN_LOOKS_EVERY: Final = 0.5
"""Seconds between two looks, of most processes, and of the one that hosts look for."""
_ENDED_BY: Final = 0.5
"""Seconds in which those end whose parent was killed."""


class Upkeep:
    """Of one process."""

    def __init__(
        self,
        directory: str,
        exchange: Exchange,
        lock: SystemLock | None,
        on_replaced: Callable[[], None],
    ) -> None:
        """
        Args:
            directory: of the system.
            lock: of the admin.
            on_replaced: called when another admin has taken the place of the directory.
        """
        self._directory = directory
        self._exchange = exchange
        self._lock = lock
        self._on_replaced = on_replaced
        self._every = _LOOK_EVERY if lock is None else _ADMIN_LOOKS_EVERY
        self._trouble = ""
        """Why the directory is not there, as was said last."""
        self._sweeps = False
        exchange.later(self._every, self._look)

    def _look(self) -> None:
        self._exchange.later(self._every, self._look)
        self.look()

    def look(self) -> None:
        """Make again what is missing of what others need of this process."""
        if self._lock is not None:
            try:
                self._lock.look()
            except HeldError as error:
                thesplog("this actor system ends: %s", error, level=logging.ERROR)
                self._lock = None
                self._on_replaced()
                return
            except (OSError, SocketDirectoryError) as error:
                if str(error) != self._trouble:
                    thesplog("nobody finds this actor system: %s", error, level=logging.ERROR)
                self._trouble = str(error)
                return
            self._trouble = ""
        self._exchange.be_reachable()

    def child_was_killed(self) -> None:
        """Clear away soon what is left of those that end with it."""
        if not self._sweeps:
            self._sweeps = True
            self._exchange.later(_ENDED_BY, self._sweep)

    def _sweep(self) -> None:
        try:
            with PrivateDirectory(self._directory) as place:
                if remove_dead_sockets(place, older_than=YOUNG):
                    self._exchange.later(YOUNG, self._sweep)
                    return
        except (OSError, NotPrivateError):
            pass  # it is not there just now, or no descriptor is left
        self._sweeps = False
