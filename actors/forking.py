"""What a process that forks system actors does beforehand, so that each is up sooner.

A fork starts as its parent is: what is done once before it need not be done after it, in
every incarnation. Memory that neither of the two writes to, they share.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
from functools import cache
from typing import Any

from actors.kinds import KINDS, resolve_kind


def share_memory_with_forks() -> None:
    """Have the garbage collector of processes forked from this one pass over what they got
    from it.

    It writes into every object that it looks at, and what is written to has to be copied.
    """
    if multiprocessing.parent_process() is None:
        return  # actors share the host's process; its forks are the host's
    os.register_at_fork(before=gc.freeze, after_in_parent=gc.unfreeze)


@cache
def prepare_kind(kind: str) -> None:
    """Import the module of a built-in kind, and make the reader of its connection details.

    Only of a built-in one: importing anybody else's may start threads, or end the process.
    """
    if kind in KINDS or kind in KINDS.values():
        system_class: Any = resolve_kind(kind)
        system_class.check_details({})
