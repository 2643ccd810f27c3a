"""What an actor may ask of this base, beyond what Thespian's own bases can do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from thespian.actors import Actor

from actors.unix_base.transport import UnixTransport


def event_loop_of(
    actor: Actor, on_escape: Callable[[BaseException], None]
) -> asyncio.AbstractEventLoop | None:
    """An asyncio event loop for an actor's coroutines, in the thread that its messages come in.

    The actor leaves work to it with ``call_soon``. Once this was called ``receiveMessage`` is
    called on the loop as well, but for ``ActorExitRequest`` and the like: then the loop does
    not run, and ``run_until_complete`` may. What runs on the loop may use the actor's
    ``send``. To be called from ``receiveMessage``.

    Args:
        on_escape: called with an exception that broke out of the loop, such as the
            SystemExit of a task; the loop runs on.

    Returns:
        the loop, always the same; None if the actor is on another base.
    """
    transport = _transport_of(actor)
    return None if transport is None else transport.event_loop(on_escape)


def never_wait(actor: Actor) -> None:
    """Have an actor's sends never wait for a slow receiver, who then has no limit.

    For an actor that limits what it has on its way to each other one by itself, and must not
    stand still for one of them. Does nothing on another base. To be called from
    ``receiveMessage``.
    """
    transport = _transport_of(actor)
    if transport is not None:
        transport.enableRXPauseFlowControl(False)


def _transport_of(actor: Actor) -> UnixTransport | None:
    transport = getattr(actor._myRef, "transport", None)
    return transport if isinstance(transport, UnixTransport) else None
