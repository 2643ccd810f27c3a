"""The one place that chooses and starts a Thespian actor-system base."""

from __future__ import annotations

import os
import socket
from typing import Any, Final

from thespian.actors import ActorSystem, ActorSystemException
from thespian.system.transport.IPBase import IPActorAddress

DEFAULT_BASE: Final = "multiprocTCPBase"
"""The environment variable EXTSYS_BASE chooses another."""

_ATTEMPTS: Final = 5


def start_actor_system(log_file: str) -> Any:
    """Start an actor system of its own; runs in a runtime's root process.

    Args:
        log_file: where Thespian writes its internal log, which says little to users.

    Raises:
        RuntimeError: it did not start.
    """
    stay_on_loopback()
    os.environ.setdefault("THESPLOG_FILE", log_file)
    # A hung process takes no messages, and Thespian stops all sending once this many are
    # not taken; the default is 20. It is read when a base is first imported.
    os.environ.setdefault("THESPIAN_MAX_PENDING_TRANSMITS", "1000")
    base = os.environ.get("EXTSYS_BASE", DEFAULT_BASE)
    errors = []
    for _ in range(_ATTEMPTS):
        # Between finding a free port and using it, somebody else may take it.
        try:
            # Unique: a second one, after the first was killed, would be taken for the first.
            return ActorSystem(base, {"Admin Port": free_port()}, transientUnique=True)
        except (ActorSystemException, OSError) as error:
            errors.append(f"{type(error).__name__}: {error}")
        except ImportError as error:
            raise RuntimeError(f"EXTSYS_BASE names no actor-system base: {base}") from error
    raise RuntimeError(f"the actor system ({base}) did not start: {'; '.join(errors)}")


def forget_actor_system(system: Any) -> None:
    """Close what this process holds of an actor system that was killed."""
    transport: Any = getattr(getattr(system, "_systemBase", None), "transport", None)
    if hasattr(transport, "close"):
        transport.close()
    system._systemBase = None


def stay_on_loopback() -> None:
    """Have Thespian's IP bases listen on loopback only, in this process and its forks.

    They would listen on all interfaces, and unpickle what arrives there: whoever can reach
    the port could run code. Their own variable changes only the address they announce.
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
    """A TCP port that nobody uses now; somebody may take it before its asker does."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
