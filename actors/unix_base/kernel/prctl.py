"""What a process can ask of the Linux kernel about parents and their ends: prctl(2)."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Final

_SET_DEATH_SIGNAL: Final = 1
_GET_DEATH_SIGNAL: Final = 2
_SET_CHILD_SUBREAPER: Final = 36

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

HAS_PRCTL: Final = _libc is not None
"""Where it is false, the functions below do nothing, and give 0."""


def set_death_signal(number: int) -> None:
    """Have this process sent a signal when the thread that is its parent ends; 0 is none.

    A fork begins without one.
    """
    _prctl(_SET_DEATH_SIGNAL, ctypes.c_ulong(number))


def death_signal() -> int:
    """The signal that this process is sent when its parent ends; 0 is none."""
    number = ctypes.c_int()
    _prctl(_GET_DEATH_SIGNAL, ctypes.byref(number))
    return number.value


def adopt_orphans() -> None:
    """Have this process become the parent of descendants whose own parent ends."""
    _prctl(_SET_CHILD_SUBREAPER, ctypes.c_ulong(1))


def _prctl(option: int, value: object) -> None:
    """
    Raises:
        OSError: the kernel refuses.
    """
    if _libc is not None and _libc.prctl(option, value, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"prctl({option}): {os.strerror(code)}")
