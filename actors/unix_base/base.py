"""The actor-system base that Thespian knows as ``multiprocUnixBase``."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from typing import Any, Final

import attrs
from thespian.actors import ActorAddress, DeadEnvelope, InvalidActorAddress
from thespian.system.messages.multiproc import EndpointConnected
from thespian.system.multiprocCommon import (
    MAX_ADMIN_STARTUP_DELAY,
    detach_child,
    multiprocessCommon,
)
from thespian.system.systemBase import BaseContext, ExternalOpsToActors
from thespian.system.transport import ReceiveEnvelope, SendStatus, TransmitIntent

from actors.unix_base.address import name_of
from actors.unix_base.directory import SystemLock
from actors.unix_base.starting import run_admin
from actors.unix_base.transport import UnixTransport

BASE_NAME: Final = "multiprocUnixBase"
_LOOK_EVERY: Final = 0.01
"""Seconds, as"""
_ENDS: Final = 2.0
"""for which an admin may clear up."""


@attrs.define(eq=False)
class Fate:
    """What became of a message of a host."""

    transport: Any
    admin: ActorAddress
    failure: Any = None
    awaited: bool = True
    """Whether the host still waits for what becomes of it."""

    @property
    def failed(self) -> bool:
        return self.failure is not None

    def transmit_failed(self, result: Any, intent: TransmitIntent) -> None:
        self.failure = result
        if result == SendStatus.DeadTarget and intent.targetAddr != self.admin:
            letter = DeadEnvelope(intent.targetAddr, intent.message)
            self.transport.scheduleTransmit(None, TransmitIntent(self.admin, letter))
        if self.awaited:
            self.transport.abort_run()


class Asks(ExternalOpsToActors):  # type: ignore[misc]
    """How a host sends and waits. The end of a wait is a matter of its own message alone: by
    Thespian's own way, to which "sent" means only that the other process has it, an earlier
    message that killed its actor would end the wait for a later one's answer."""

    _fates: threading.local | None = None
    """Of each thread its latest."""

    def _tx_to_actor(self, address: ActorAddress, message: Any) -> Fate:
        self._wait_for_no_other()
        assert self._fates is not None
        fate = self._fates.latest = Fate(self.transport, self.adminAddr)
        intent = TransmitIntent(address, message, onError=fate.transmit_failed)
        self.transport.scheduleTransmit(None, intent)
        return fate

    def listen(self, timeout: Any) -> Any:
        self._wait_for_no_other()
        return super().listen(timeout)

    def _wait_for_no_other(self) -> None:
        if self._fates is None:
            self._fates = threading.local()
        latest = getattr(self._fates, "latest", None)
        if latest is not None:
            latest.awaited = False


class Context(Asks, BaseContext):  # type: ignore[misc]
    """What ``ActorSystem.private()`` gives."""


class ActorSystemBase(Asks, multiprocessCommon):  # type: ignore[misc]
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

    def external_clone(self) -> Context:
        return Context(self.adminAddr, self.transport)

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
