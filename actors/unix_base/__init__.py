"""A Thespian actor-system base over Unix sockets: safe, fast, and flat.

For any Thespian program on Linux or macOS, whether it uses the rest of this distribution or
not::

    import actors.unix_base
    from thespian.actors import ActorSystem

    system = ActorSystem(actors.unix_base.BASE_NAME)

Importing this package makes the base known to Thespian. See docs/unix_base.rst.
"""

from __future__ import annotations

import sys

from actors.unix_base import base
from actors.unix_base.base import BASE_NAME, ActorSystemBase
from actors.unix_base.directory import ADMIN_PORT, SOCKET_DIRECTORY, SocketDirectoryError
from actors.unix_base.hooks import event_loop_of, never_wait

# Thespian finds a base by its name, as a module among its own.
sys.modules[f"thespian.system.{BASE_NAME}"] = base

__all__ = [
    "ADMIN_PORT",
    "BASE_NAME",
    "SOCKET_DIRECTORY",
    "ActorSystemBase",
    "SocketDirectoryError",
    "event_loop_of",
    "never_wait",
]
