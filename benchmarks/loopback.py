"""Thespian's IP bases on loopback only.

The runtime has this too (``supervisor.runtime.actor_system``); but whoever imports that has
imported all of the runtime, which a bare Thespian program would not have in its memory.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from thespian.system.transport.IPBase import IPActorAddress


def stay_on_loopback() -> None:
    """Have actor systems of this process and its forks listen on loopback only.

    They would listen on all interfaces, and unpickle what arrives there. Their own variable
    changes only the address that they announce.
    """
    os.environ["THESPIAN_BASE_IPADDR"] = "127.0.0.1"
    announce_only = IPActorAddress.__init__
    if getattr(announce_only, "on_loopback", False):
        return

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        announce_only(self, *args, **kwargs)
        self.bindname = self.sockname

    init.on_loopback = True  # type: ignore[attr-defined]
    IPActorAddress.__init__ = init


def free_port() -> int:
    """A port that nobody uses now; somebody may take it before its asker does."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
