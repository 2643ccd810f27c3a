"""A Thespian actor-system base over Unix sockets: safe, fast, and flat.

For any Thespian program on Linux or macOS, whether it uses the rest of this distribution or
not::

    from actors.unix_base import BASE_NAME
    from thespian.actors import ActorSystem

    system = ActorSystem(BASE_NAME)

Importing this package makes the base known to Thespian. See docs/unix_base.rst.
"""

from __future__ import annotations

import importlib
import sys
import types
from typing import TYPE_CHECKING, Any, Final

from actors.unix_base.names import ADMIN_PORT, BASE_NAME, SOCKET_DIRECTORY

if TYPE_CHECKING:
    from actors.unix_base.base import ActorSystemBase
    from actors.unix_base.hooks import creation_error, never_wait, prepare_children, use_nursery
    from actors.unix_base.transport.directory import SocketDirectoryError

# Thespian itself is imported when the first of these is used: some want only a part of this
# package that needs no Thespian.
_HOME: Final = {
    "ActorSystemBase": "base",
    "SocketDirectoryError": "transport.directory",
    "creation_error": "hooks",
    "never_wait": "hooks",
    "prepare_children": "hooks",
    "use_nursery": "hooks",
}

__all__ = [
    "ADMIN_PORT",
    "BASE_NAME",
    "SOCKET_DIRECTORY",
    "ActorSystemBase",
    "SocketDirectoryError",
    "creation_error",
    "never_wait",
    "prepare_children",
    "use_nursery",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


class _BaseModule(types.ModuleType):
    """What Thespian finds when it looks for a base, by its name, among its own modules."""

    def __getattr__(self, name: str) -> Any:
        if name != "ActorSystemBase":
            raise AttributeError(name)
        return __getattr__(name)


_module_name = f"thespian.system.{BASE_NAME}"
sys.modules[_module_name] = _BaseModule(_module_name)
