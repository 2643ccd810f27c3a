"""Asks one system for an answer that holds data, and gives the data."""

from __future__ import annotations

from typing import Any

import attrs

from actors.messages import (
    CallCommand,
    CommandCalled,
    DataReceived,
    Failure,
    ManyReceived,
    Outcome,
    QueryAnswered,
    QueryData,
)
from actors.messages.limits import size_of
from actors.payload import PayloadError
from supervisor.host.dialog import Dialog, host_failure


async def answer_to(
    dialog: Dialog, request: QueryData | CallCommand, what: str = ""
) -> Any | Failure:
    """What a system's own answer holds.

    Args:
        what: begins the text, should it not be askable.
    """
    try:
        size_of(request)
    except PayloadError as error:
        return host_failure(request.system_name, f"{what}{error}")
    reply = await dialog.ask(request)
    if isinstance(reply, QueryAnswered | CommandCalled):
        return loaded(reply)
    if isinstance(reply, Failure):
        return reply
    raise TypeError(f"unexpected reply: {reply}")


def loaded(reply: DataReceived | ManyReceived | QueryAnswered | CommandCalled) -> Any | Failure:
    """The data in a reply, if it can be had in this process."""
    try:
        return reply.load()
    except PayloadError as error:
        # The system did what it was asked; only its answer is lost.
        return attrs.evolve(host_failure(reply.system_name, str(error)), outcome=Outcome.UNKNOWN)
