"""Memory to receive into."""

from __future__ import annotations

import mmap
from typing import Final

_BYTES: Final = 1 << 18
"""Received at once."""


def new_room() -> memoryview:
    """Memory of which each page is there only once something was written to it. To have it
    once is cheaper than a new buffer for each piece: one of this size is mapped and unmapped
    each time."""
    return memoryview(mmap.mmap(-1, _BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
