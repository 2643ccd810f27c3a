"""Whose process a manager belongs to: a fork has a copy of it that would speak for the parent."""

from __future__ import annotations

import os


class OwnProcess:
    """The process that this was made in."""

    def __init__(self, what: str) -> None:
        """
        Args:
            what: belongs to it, such as ``"a SynchronousManager"``.
        """
        self._what = what
        self._pid = os.getpid()

    @property
    def is_here(self) -> bool:
        """Whether this is the process, and no fork of it."""
        return os.getpid() == self._pid

    def check(self) -> None:
        """Make sure that this is no fork.

        Raises:
            RuntimeError: it is one.
        """
        if not self.is_here:
            raise RuntimeError(
                f"{self._what} cannot be used in a fork of its process: this is process "
                f"{os.getpid()}, and it belongs to {self._pid}; make one in each process that "
                "needs one, after the fork"
            )
