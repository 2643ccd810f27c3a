"""What a connector starts is its process's, however far it went: also what went into the
background, and whose own parent has ended.

A process that adopts such orphans has all that came of it below itself, and so whoever is above
knows whose they are when it ends: what it adopts then was that process's, and can be ended.
"""

from __future__ import annotations

import os
from typing import Final

from actors.unix_base.kernel.kinship import child_pids, stat_of
from actors.unix_base.kernel.prctl import adopt_orphans

OWNERS_TURN: Final = 60.0
"""Seconds in which whoever started a process may ask how it ended."""


class Orphans:
    """That this process adopts. It alone can wait for those that have ended."""

    def __init__(self) -> None:
        adopt_orphans()
        self._ended: dict[int, float] = {}
        """When each was first seen to have ended, and nobody had waited for it."""

    def wait(self, now: float) -> None:
        """Wait for those that have ended; to be called now and then, in the main thread.

        They cannot be told from what a thread that is no more has started, which its owner may
        still wait for: so each is left alone for a while.

        Args:
            now: seconds of a monotonic clock.
        """
        if not _some_have_ended():
            self._ended.clear()
            return
        ended = [pid for pid in child_pids() if (stat_of(pid) or "?")[0] == "Z"]
        self._ended = {pid: self._ended.get(pid, now) for pid in ended}
        for pid, since in self._ended.items():
            if now - since >= OWNERS_TURN:
                _wait_for(pid)


def _some_have_ended() -> bool:
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return False


def _wait_for(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass  # its owner has waited for it just now
