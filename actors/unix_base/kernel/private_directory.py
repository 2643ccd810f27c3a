"""Directories that only this user may enter: what is in them was put there by nobody else."""

from __future__ import annotations

import os
import stat


class NotPrivateError(Exception):
    """A directory cannot be made, or is not this user's alone; the text says which."""

    def __init__(self, text: str, *, can_be_closed: bool = False) -> None:
        super().__init__(text)
        self.can_be_closed = can_be_closed
        """Whether it would do after a ``chmod``."""


def make_private(path: str, *, follow: bool = False) -> None:
    """Make a directory that only this user may enter, or make sure that an existing one is.

    Args:
        follow: whether it may be a symbolic link to one.

    Raises:
        NotPrivateError: it is not, or cannot be made.
    """
    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            pass
        status = os.stat(path, follow_symlinks=follow)
    except OSError as error:
        raise NotPrivateError(f"{path} cannot be made: {error.strerror}") from error
    if not stat.S_ISDIR(status.st_mode):
        raise NotPrivateError(f"{path} is no directory")
    if status.st_uid != os.geteuid():
        raise NotPrivateError(f"{path} belongs to user id {status.st_uid}")
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise NotPrivateError(f"others may enter {path} (mode {mode:04o})", can_be_closed=True)
