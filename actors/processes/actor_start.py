"""The first steps of an actor's process."""

from __future__ import annotations

from actors.processes.lifeline import die_with_parent_actor, let_crashes_kill
from actors.processes.logs import restore_loggers


def begin_actor() -> None:
    """Have this process end when it should, and log where what it was forked from does. Once,
    in an actor's process, before anything else is done there."""
    die_with_parent_actor()
    let_crashes_kill()
    restore_loggers()
