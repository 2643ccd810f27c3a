"""What a process that forks system actors does beforehand, so that each is up sooner.

A fork starts as its parent is: what is done once before it need not be done after it, in
every incarnation. Memory that neither of the two writes to, they share.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
from functools import cache
from typing import Any, Final

from actors.connectors.classes import check_coroutines, check_signature
from actors.connectors.kinds import KINDS, resolve_kind
from actors.interface import command_names

_ROUNDS: Final = 20


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
    """Import the module of a built-in kind, make the reader of its connection details, and look
    at what else is the same for all its systems.

    Only of a built-in one: importing anybody else's may start threads, or end the process.
    """
    if kind in KINDS or kind in KINDS.values():
        system_class: Any = resolve_kind(kind)
        system_class.check_details({})
        check_signature(system_class)
        check_coroutines(system_class)
        command_names(system_class)


@cache
def prepare_loop() -> None:
    """Have an event loop go round, for what asyncio makes at its first one, and until the
    interpreter has adapted its code, which it does by writing into it."""
    if multiprocessing.parent_process() is None:
        return  # the host may be running one
    loop = asyncio.new_event_loop()
    for _ in range(_ROUNDS):
        loop.call_later(0.0, loop.get_debug).cancel()
        loop.call_soon(loop.call_soon_threadsafe, loop.stop)
        loop.run_forever()
    loop.close()
