"""What an actor may ask of this base, beyond what Thespian's own bases can do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from thespian.actors import Actor

from actors.unix_base.processes.actor_manager import UnixActorManager
from actors.unix_base.transport.transport import UnixTransport


def never_wait(actor: Actor) -> None:
    """Have an actor's sends never wait for a slow receiver, who then has no limit.

    For an actor that limits what it has on its way to each other one by itself, and must not
    stand still for one of them. Does nothing on another base. To be called from
    ``receiveMessage``.
    """
    transport = getattr(actor._myRef, "transport", None)
    if isinstance(transport, UnixTransport):
        transport.enableRXPauseFlowControl(False)


def use_nursery(actor: Actor) -> None:
    """Have the processes of the actors that an actor creates forked by another process, its
    nursery, which does nothing else. They share more memory then.

    They start as the actor's process is at this call: with the modules that it has imported by
    now, its environment and its directory. The actor must have no threads, and must start no
    processes but by creating actors. From now on its process adopts what an actor that it created
    had started and not ended, in the background or in a session of its own, and ends it when that
    actor has ended; for this it takes every child that it does not know.

    Does nothing on another base, or where the system is not Linux. To be called from
    ``receiveMessage``, early: what the actor has in memory by then, its children have too.
    """
    manager = getattr(actor, "_myRef", None)
    if isinstance(manager, UnixActorManager):
        manager.use_nursery()


def prepare_children(actor: Actor, function: Callable[..., object], *args: Any) -> None:
    """Call a function in the process that forks the actor's children, such as one that imports
    what they would import. On any base it is called in the actor's own process.

    Args:
        function: one of a module. In a nursery it is called once for the same arguments; what it
            raises there is ignored.

    Raises:
        Exception: whatever the function raises in the actor's own process.
    """
    function(*args)
    manager = getattr(actor, "_myRef", None)
    if isinstance(manager, UnixActorManager):
        manager.prepare_children(function, *args)


def creation_error(actor: Actor) -> Exception | None:
    """Why the process of an actor that was just created could not be started; None if it was, or
    on another base. The creator is told of its exit as well, as on any base. To be called right
    after ``createActor``, which gives an address in any case.
    """
    manager = getattr(actor, "_myRef", None)
    if not isinstance(manager, UnixActorManager):
        return None
    error, manager.creation_error = manager.creation_error, None
    return error
