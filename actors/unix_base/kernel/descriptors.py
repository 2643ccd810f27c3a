"""What a forked process does with the descriptors of the one it was forked from.

A fork has all of them: sockets of a sibling, a file of the host. Left open, a connection
would outlive its owner, and a port would stay taken.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any

_STANDARD = frozenset({0, 1, 2})


def open_descriptors() -> frozenset[int]:
    """All that this process has open, but for the standard ones."""
    try:
        listed = [int(name) for name in os.listdir("/dev/fd")]
    except OSError:
        return frozenset()
    # The directory itself was open while it was read.
    return frozenset(filter(_is_open, listed)) - _STANDARD


def logged_to(definitions: Any) -> frozenset[int]:
    """The descriptors of the open files in a logging configuration."""
    if isinstance(definitions, dict):
        definitions = definitions.values()
    elif not isinstance(definitions, list | tuple):
        fd = _fileno(definitions)
        return frozenset() if fd is None else frozenset({fd})
    return frozenset().union(*map(logged_to, definitions))


def let_go(inherited: Iterable[int], keep: Iterable[int]) -> None:
    """Have this process hold none of the inherited descriptors any more.

    Their numbers are given to the null device and not freed: an object that came along with
    the fork may close "its" number one day, which must not be one of ours by then.
    """
    streams = (_fileno(stream) for stream in (sys.stdin, sys.stdout, sys.stderr))
    spared = {*keep, *_STANDARD, *(fd for fd in streams if fd is not None)}
    doomed = (open_descriptors() & frozenset(inherited)) - spared
    if not doomed:
        return
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for fd in doomed:
        try:
            os.dup2(null, fd, inheritable=False)
        except OSError:  # above the limit that holds by now: nobody will get this number
            os.close(fd)
    os.close(null)


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def _fileno(stream: Any) -> int | None:
    try:
        fd = stream.fileno()
    except Exception:  # whatever stands in for a file raises what it likes
        return None
    return fd if isinstance(fd, int) else None
