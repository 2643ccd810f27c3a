"""The admin of an actor system: what Thespian has for it, as this base needs it."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any, Final

from thespian.actors import ActorAddress, ActorExitRequest
from thespian.system.messages.admin import PendingActorResponse
from thespian.system.messages.multiproc import EndpointConnected
from thespian.system.multiprocCommon import MultiProcAdmin, _startLogger, startAdmin
from thespian.system.transport import ReceiveEnvelope, TransmitIntent, TransmitOnly
from thespian.system.utilis import thesplog

from actors.unix_base.kernel.credentials import kill_listener
from actors.unix_base.processes.actor_manager import UnixActorManager, Unthrottled
from actors.unix_base.processes.children import StartsChildren
from actors.unix_base.transport.address import address_of
from actors.unix_base.transport.directory import SocketDirectoryError
from actors.unix_base.transport.endpoint import Endpoint, External
from actors.unix_base.transport.transport import UnixTransport

_LOGGER_ENDS: Final = 1.0
"""Seconds that a logger may take to end."""
_SETTLES: Final = 5.0
"""Seconds in which logger and host hear of the end, or never."""
ENDS: Final = 8.0
"""Seconds in which actors end at a shutdown; then they are killed. A host waits ten."""
_DIES: Final = 1.0
"""Seconds in which a killed process is gone."""
_LOOK_EVERY: Final = 0.02
"""Seconds between two looks who is left."""
_SAYS: Final = 1.0
"""Seconds in which a starter hears that there is an admin."""


def run_admin(starter: ActorAddress, endpoint: Endpoint, *args: Any) -> None:
    """The life of an admin's process.

    Args:
        args: as of Thespian's own function.
    """
    try:
        startAdmin(UnixAdmin, starter, endpoint, *args)
    except SocketDirectoryError as error:  # another one was quicker
        thesplog("no admin started: %s", error, level=logging.WARNING)
        _say_that_there_is_one(starter, endpoint)
    except OSError as error:
        sys.exit(f"no actor system at {endpoint.name}: {error.strerror or error}")


def _say_that_there_is_one(starter: ActorAddress, endpoint: Endpoint) -> None:
    """The starter need not wait any longer; whose admin it is, is the same to it."""
    transport = UnixTransport(External(endpoint.directory))
    intent = TransmitIntent(starter, EndpointConnected(0))
    transport.scheduleTransmit(None, intent)
    transport.run(TransmitOnly, _SAYS)
    transport.close()


class UnixAdmin(StartsChildren, MultiProcAdmin):  # type: ignore[misc]
    """The admin of an actor system on one machine."""

    def __init__(self, transport: Any, address: ActorAddress, *args: Any) -> None:
        super().__init__(transport, address, *args)
        self._governer = Unthrottled()
        self._ends_by: float | None = None
        """When those are killed that live on after a shutdown."""

    def run(self) -> None:
        self.transport.hear_signals()
        super().run()
        # Thespian goes on when the logger has dealt with its last message, and then tells the
        # host; that was sent means no more than sent here.
        self.transport.settle(_SETTLES)
        logger = getattr(self, "asLogProc", None)
        if logger is not None:
            logger.childProc.join(_LOGGER_ENDS)  # its socket goes with the directory
        self.wait_for_children()
        self.transport.close()

    def _child_manager(self) -> type:
        return UnixActorManager

    def _never_began(self, info: Any) -> None:
        requests = self._pendingChildren
        for request in requests.pop(info.childNum, []) if isinstance(requests, dict) else []:
            code = PendingActorResponse.ERROR_Invalid_ActorClass
            why = f"the process of {info.childClass} ended before it began"
            self._sendPendingActorResponse(request, None, errorCode=code, errorStr=why)

    def h_SystemShutdown(self, envelope: ReceiveEnvelope) -> Any:
        if self._ends_by is None:
            self._ends_by = time.monotonic() + ENDS
            self.transport.call_later(ENDS, self._kill_all)
        return super().h_SystemShutdown(envelope)

    def _sayGoodbye(self) -> None:
        """All its children have ended."""
        self._end_orphans()
        super()._sayGoodbye()

    def _end_orphans(self) -> None:
        """End actors whose parent was killed, or exited without them, and such as begin just now.
        Since then they have nobody but the admin."""
        told = set[str]()
        while (left := self.transport.actors_left()) or self._begins():
            for name in filter(lambda each: each not in told, left):
                self._send_intent(TransmitIntent(address_of(name), ActorExitRequest()))
            told.update(left)
            late = time.monotonic() - (self._ends_by or 0.0)
            if late >= 0.0:
                self._kill_all()
            if late >= _DIES:
                thesplog("still there: %s", left, level=logging.ERROR)
                return
            self.transport.pass_time(_LOOK_EVERY)

    def _begins(self) -> bool:
        return any(
            not hasattr(info, "childRealAddr") and info.childProc.is_alive()
            for info in getattr(self, "_child_procs", [])
        )

    def _kill_all(self) -> None:
        """Kill all actors of this system: they had their time."""
        for name in self.transport.actors_left():
            thesplog("killing %s, which did not end", name, level=logging.WARNING)
            kill_listener(name)
        for info in getattr(self, "_child_procs", []):
            info.childProc.kill()  # one that never began to listen

    def _restart_logger(self) -> None:
        if not self.isShuttingDown():
            _startLogger(
                self.transport.__class__,
                self.transport,
                self,
                self.capabilities,
                self.logdefs,
                self.mpcontext,
            )

    def h_LoggerConnected(self, envelope: ReceiveEnvelope) -> bool:
        if self.asLogger is None:
            return bool(super().h_LoggerConnected(envelope))
        return True  # the last one was killed; the next has the same address
