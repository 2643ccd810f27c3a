"""What runs first in a new process of an actor system."""

from __future__ import annotations

import importlib.util
import logging
import multiprocessing
import pickle
import signal
import sys
from typing import Any, Final

from thespian.actors import ActorAddress
from thespian.system.logdirector import ThespianLogForwarder
from thespian.system.messages.multiproc import EndpointConnected
from thespian.system.multiprocCommon import (
    get_min_log_level,
    shutdown_signal_detector,
    signal_detector,
)
from thespian.system.transport import TransmitIntent
from thespian.system.utilis import setProcName

from actors.unix_base.transport.endpoint import Endpoint
from actors.unix_base.transport.transport import UnixTransport

_EXIT_SIGNALS: Final = (signal.SIGTERM, signal.SIGQUIT)
_NOTED_SIGNALS: Final = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGALRM,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
"""Signals that an actor survives; at SIGUSR1 it also logs its status. Others do what they do by
default: after a handler in Python a crash of native code would run the faulting instruction
again, for ever."""
_HAS_TITLES: Final = importlib.util.find_spec("setproctitle") is not None
"""Looked up before the fork: each actor would look everywhere for what is not there."""


def run_actor(
    endpoint: Endpoint,
    actor_class: str,
    global_name: str | None,
    source_hash: str | None,
    source: Any,
    parent: ActorAddress,
    admin: ActorAddress,
    notify: ActorAddress,
    logger: ActorAddress,
    requirements: Any,
    capabilities: dict[str, Any],
    manager_class: Any,
    transport_class: Any,
    context: Any,
    log_definitions: Any,
) -> None:
    """The life of an actor's process, from its start to its end.

    Args:
        manager_class: of what is put around the actor.
    """
    multiprocessing.current_process().daemon = False
    number = endpoint.addrInst
    try:
        transport = transport_class(endpoint)
    except OSError as error:  # not with a traceback: it is nobody's bug
        sys.exit(f"no {actor_class} at {endpoint.name}: {error.strerror or error}")
    level = get_min_log_level(log_definitions)
    logging.root = logging.Logger.root = ThespianLogForwarder(logger, transport, logLevel=level)
    logging.Logger.manager = logging.Manager(logging.Logger.root)
    manager = manager_class(
        actor_class,
        global_name,
        transport,
        source_hash,
        source,
        parent,
        admin,
        requirements,
        capabilities,
        context,
        log_definitions,
    )
    manager.asLogger = logger
    connected = TransmitIntent(notify, EndpointConnected(number))
    transport.scheduleTransmit(None, connected.addCallback(onFailure=manager.end_unknown))
    name = actor_class.rpartition(".")[-1]
    if _HAS_TITLES:
        setProcName(name, transport.myAddress)
    _handle_signals(name, manager)
    manager.run()


def run_ordered_actor(keep: frozenset[int], for_all: tuple[Any, ...], order: bytes) -> None:
    """The same in a process that a nursery forked, which inherits nothing of the actor's parent
    but what all its children do.

    Args:
        keep: descriptors to log to.
        for_all: the last arguments of :func:`run_actor`.
        order: the name of the process, and the other arguments, as pickled by the parent.
    """
    multiprocessing.current_process().name, endpoint, args = pickle.loads(order)
    endpoint.keep = keep
    run_actor(endpoint, *args, *for_all)


def become_nursery(transport: UnixTransport) -> None:
    """Of the actor's process that a nursery was forked from, it is to keep nothing.

    Args:
        transport: the actor's.
    """
    transport.leave_to_parent()
    if _HAS_TITLES:
        setProcName("Nursery", transport.myAddress)


def _handle_signals(name: str, manager: Any) -> None:
    address = manager.transport.myAddress
    noted = signal_detector(name, address, manager)
    exits = shutdown_signal_detector(name, address, manager)
    signal.signal(signal.SIGCHLD, manager.signalChildDied)
    for number in _EXIT_SIGNALS:
        signal.signal(number, exits)
    for number in _NOTED_SIGNALS:
        signal.signal(number, noted)
