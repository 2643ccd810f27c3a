"""The one place that chooses and starts a Thespian actor-system base."""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path
from typing import Any, Final

from thespian.actors import ActorSystem, ActorSystemException
from thespian.system.transport.IPBase import IPActorAddress

from actors import loggers
from actors.processes.shortages import in_words
from actors.unix_base import ADMIN_PORT, BASE_NAME, SOCKET_DIRECTORY, SocketDirectoryError
from supervisor.runtime.belongings import ACTOR_SOCKETS, LOG

BASE_VARIABLE: Final = "EXTSYS_BASE"
"""The environment variable that chooses another base than the one that fits best."""
FALLBACK: Final = "multiprocTCPBase"
WORKING: Final = (BASE_NAME, FALLBACK, "multiprocUDPBase", "multiprocQueueBase")
"""The bases that a runtime works on: each actor has a process of its own there."""
_ATTEMPTS: Final = 5


def choose_base() -> str:
    """The name of the base to use. Says aloud what is lost where the best is not possible.

    Raises:
        RuntimeError: the environment chooses one that does not work.
    """
    chosen = os.environ.get(BASE_VARIABLE)
    if chosen in WORKING:
        return chosen
    if chosen:
        raise RuntimeError(
            f"{BASE_VARIABLE} is {chosen[:40]!r}; the bases that work are {', '.join(WORKING)}: "
            "set it to one of them, or unset it"
        )
    if hasattr(socket, "AF_UNIX"):
        return BASE_NAME
    _log().warning(
        "no Unix sockets here: actors talk by TCP on loopback instead (%s). Whoever can reach "
        "their ports on this host can run code as you, and requests take several times as long, "
        "the longer the more systems there are",
        FALLBACK,
    )
    return FALLBACK


def start_actor_system(directory: Path) -> Any:
    """Start an actor system of its own; runs in a runtime's root process.

    Args:
        directory: of the runtime, private to it. Sockets go there, and Thespian's internal
            log, which says little to users.

    Raises:
        RuntimeError: it did not start.
    """
    os.environ.setdefault("THESPLOG_FILE", str(directory / LOG))
    # A hung process takes no messages, and Thespian's own bases stop all sending once this
    # many are not taken; the default is 20. It is read when one is first imported.
    os.environ.setdefault("THESPIAN_MAX_PENDING_TRANSMITS", "1000")
    base = choose_base()
    if base == BASE_NAME:
        capabilities = {SOCKET_DIRECTORY: str(directory), ADMIN_PORT: ACTOR_SOCKETS}
        return _start(base, capabilities)
    stay_on_loopback()
    errors = []
    for _ in range(_ATTEMPTS):
        # Between finding a free port and using it, somebody else may take it.
        try:
            return _start(base, {ADMIN_PORT: free_port()})
        except RuntimeError as error:
            errors.append(str(error))
    raise RuntimeError("; ".join(dict.fromkeys(errors)))  # the same one is told once


def _start(base: str, capabilities: dict[str, Any]) -> Any:
    try:
        # Unique: a second one, after the first was killed, would be taken for the first.
        return ActorSystem(base, capabilities, transientUnique=True)
    except SocketDirectoryError as error:
        raise RuntimeError(f"the actor system ({base}) did not start: {error.why}") from error
    except (ActorSystemException, OSError) as error:
        text = f"the actor system ({base}) did not start: {in_words(error)}"
        raise RuntimeError(text) from error
    except ImportError as error:
        raise RuntimeError(f"the actor system ({base}) cannot be imported: {error}") from error


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


def _log() -> logging.Logger:
    return logging.getLogger(loggers.ROOT)
