"""The actor-system base that Thespian knows as ``multiprocUnixBase``."""

from __future__ import annotations

import multiprocessing
import os
import time
from typing import Any, Final

from thespian.actors import ActorAddress, InvalidActorAddress
from thespian.system.messages.multiproc import EndpointConnected
from thespian.system.multiprocCommon import (
    MAX_ADMIN_STARTUP_DELAY,
    detach_child,
    multiprocessCommon,
)
from thespian.system.transport import ReceiveEnvelope

from actors.unix_base.host import AsksAndTells, PrivateContext
from actors.unix_base.names import BASE_NAME
from actors.unix_base.processes.admin import run_admin
from actors.unix_base.transport.address import name_of
from actors.unix_base.transport.directory import SystemLock
from actors.unix_base.transport.transport import UnixTransport

_LOOK_EVERY: Final = 0.01
"""Seconds, as"""
_ENDS: Final = 5.0
"""for which an admin may clear up."""


class ActorSystemBase(AsksAndTells, multiprocessCommon):  # type: ignore[misc]
    """In a host: starts an actor system, or attaches to the one that runs.

    Each actor has a process of its own, as with Thespian's other multiprocess bases. All of
    them are on this machine, and this user's.
    """

    transportType = UnixTransport

    def __init__(self, system: Any, logDefs: Any = None) -> None:
        system.capabilities["Thespian ActorSystem Name"] = BASE_NAME
        system.capabilities["Thespian ActorSystem Version"] = 1
        system.capabilities["Thespian Watch Supported"] = True
        super().__init__(system, logDefs)

    def external_clone(self) -> PrivateContext:
        return PrivateContext(self.adminAddr, self.transport)

    def _startAdmin(
        self,
        address: ActorAddress,
        starter: ActorAddress,
        capabilities: dict[str, Any],
        log_definitions: Any,
    ) -> None:
        directory = os.path.dirname(name_of(address))
        if SystemLock.is_held(directory) and self._comes_up(address):
            return  # somebody else starts it just now
        endpoint = self.transport.prepEndpoint(address, capabilities)
        multiprocessing.current_process().daemon = False
        process = (self.mpcontext or multiprocessing).Process(
            target=run_admin,
            name="ThespianAdmin",
            args=(
                starter,
                endpoint,
                UnixTransport,
                address,
                capabilities,
                log_definitions,
                self.mpcontext,
            ),
        )
        process.start()
        detach_child(process)
        process.join()  # it forks the admin, and ends
        self.transport.connectEndpoint(endpoint)
        answer = self.transport.run(None, MAX_ADMIN_STARTUP_DELAY)
        started = isinstance(answer, ReceiveEnvelope) and isinstance(
            answer.message, EndpointConnected
        )
        if not started and not self.transport.probeAdmin(address):
            raise InvalidActorAddress(address, "not a valid ActorSystem admin")

    def shutdown(self) -> None:
        super().shutdown()
        self.transport.close()  # Thespian does not if the admin is gone already
        directory = os.path.dirname(name_of(self.adminAddr))
        deadline = time.monotonic() + _ENDS
        while SystemLock.is_held(directory) and time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY)  # the admin said that it ends, and does

    def _comes_up(self, address: ActorAddress) -> bool:
        deadline = time.monotonic() + MAX_ADMIN_STARTUP_DELAY.total_seconds()
        while not self.transport.probeAdmin(address):
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK_EVERY)
        return True
