"""Memory to receive into."""

from __future__ import annotations

import mmap


def room_for(size: int) -> memoryview:
    """So many bytes, of which each page is there only once something was written to it. To
    have them once is cheaper than a new buffer for each piece: one of this size is mapped and
    unmapped each time."""
    return memoryview(mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
