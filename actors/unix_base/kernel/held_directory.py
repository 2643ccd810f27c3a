"""A private directory that one process at a time has for itself, also when it is removed.

It is held by a lock on the directory, and by a claim to its path where there is such a thing. The
lock is seen also from where the claim is not, such as another network namespace; the claim stays
when the directory is removed. Where there is only the lock, another process may hold the directory
once it was removed and made again: the first finds that at its next look.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from actors.unix_base.kernel.path_claim import ClaimedError, PathClaim, claimant
from actors.unix_base.kernel.private_directory import (
    NotPrivateError,
    PrivateDirectory,
    is_locked,
)

_TRIES: Final = 10
"""How often to make what others may remove at the same moment."""


class HeldError(Exception):
    """Another process holds the directory."""

    def __init__(self, path: str, pid: int | None) -> None:
        super().__init__(f"process {'of an unknown id' if pid is None else pid} holds {path}")
        self.pid = pid


class HeldDirectory:
    """One that this process holds, until :meth:`close` or its end."""

    def __init__(self, path: str, make: Callable[[], PrivateDirectory]) -> None:
        """
        Args:
            make: makes the directory if there is none, and opens it.

        Raises:
            HeldError: another process holds it.
            NotPrivateError: it is not this user's alone, or cannot be made.
        """
        self.path = path
        self._make = make
        try:
            self._claim = PathClaim(path)
        except ClaimedError as error:
            raise HeldError(path, error.pid) from None
        except OSError as error:
            raise NotPrivateError(f"{path} cannot be claimed: {error.strerror}", path) from error
        try:
            self.directory = self._lock()
        except BaseException:
            self._claim.close()
            raise

    def _lock(self) -> PrivateDirectory:
        for _ in range(_TRIES):
            try:
                directory = self._make()
            except FileNotFoundError:
                continue  # its last holder removed it just now
            try:
                directory.lock()
                return directory
            except FileNotFoundError:
                directory.close()
            except BlockingIOError:
                directory.close()
                raise HeldError(self.path, None) from None
            except BaseException:
                directory.close()
                raise
        raise NotPrivateError(f"{self.path} is removed by others whenever it is made", self.path)

    def look(self, accept: Callable[[PrivateDirectory], None] = lambda _: None) -> bool:
        """See that it is in its place, and make it again if it is not; to be called now and then.

        Args:
            accept: is shown what is in its place, and raises what this call is to raise for it.

        Returns:
            whether it is another one now.

        Raises:
            HeldError: another process holds what is in its place.
            NotPrivateError: something else is there, or it cannot be made.
        """
        self._claim.let_askers_go()
        if self.directory.is_at_its_path:
            return False
        anew = self._lock()
        try:
            accept(anew)
        except BaseException:
            anew.close()
            raise
        self.directory.close()
        self.directory = anew
        return True

    def let_askers_go(self) -> None:
        """Hang up on those who asked who has it; to be called now and then, or :meth:`look`."""
        self._claim.let_askers_go()

    @property
    def is_claim_taken(self) -> bool:
        """Whether another user has the name of the claim, so that there is only the lock."""
        return self._claim.is_kept_by_others

    def close(self) -> None:
        """Let go of it; in a forked process: leave it to the parent."""
        self.directory.close()
        self._claim.close()


def is_held(path: str) -> bool:
    """Whether a process holds a directory. Nothing is made.

    Raises:
        NotPrivateError: there is something else, or it cannot be opened.
    """
    return claimant(path) is not None or is_locked(path)
