"""What an actor may ask of this base, beyond what Thespian's own bases can do."""

from __future__ import annotations

from thespian.actors import Actor

from actors.unix_base.transport import UnixTransport


def never_wait(actor: Actor) -> None:
    """Have an actor's sends never wait for a slow receiver, who then has no limit.

    For an actor that limits what it has on its way to each other one by itself, and must not
    stand still for one of them. Does nothing on another base. To be called from
    ``receiveMessage``.
    """
    transport = getattr(actor._myRef, "transport", None)
    if isinstance(transport, UnixTransport):
        transport.enableRXPauseFlowControl(False)
