"""What a process is told of where it stands before it has a transport."""

from __future__ import annotations

from typing import Any, Final

import attrs
from thespian.actors import ActorAddress
from thespian.system.addressManager import ActorLocalAddress
from thespian.system.transport import ExternalInterfaceTransportInit, TransportInit__Base

from actors.unix_base.names import ADMIN_SOCKET, LOGGER_SOCKET
from actors.unix_base.transport.address import name_of
from actors.unix_base.transport.directory import new_socket_path, system_directory

_LOGGER: Final = -1
"""The number that Thespian gives the logger."""


@attrs.define(eq=False)
class Endpoint(TransportInit__Base):  # type: ignore[misc]
    """Made by a parent for its child, before the child is there.

    Pickled where processes are not forked.
    """

    directory: str
    """Of the actor system's sockets."""
    name: str
    """Under which the child is to listen."""
    addrInst: int | None
    """The number by which its parent knows it. Thespian uses this name."""
    inherited: frozenset[int] = frozenset()
    """Descriptors that a fork gets from its parent, and is to let go of,"""
    keep: frozenset[int] = frozenset()
    """but for these."""
    swept_until: float = 0.0
    """Until when others may have to listen anew."""
    parent: Any = None
    """The parent's transport, of which a forked child has a copy."""

    def __getstate__(self) -> dict[str, Any]:
        nothing = frozenset[int]()
        fields = {field.name: getattr(self, field.name) for field in attrs.fields(Endpoint)}
        return {**fields, "parent": None, "inherited": nothing, "keep": nothing}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)


@attrs.frozen
class External(TransportInit__Base):  # type: ignore[misc]
    """Of a process, or a thread of one, that talks to an actor system from outside."""

    directory: str


def directory_of(origin: TransportInit__Base, *args: Any) -> str:
    """The directory of the system that a transport is made for."""
    if isinstance(origin, ExternalInterfaceTransportInit):
        return system_directory(args[0])
    directory: str = origin.directory
    return directory


def admin_name(directory: str) -> str:
    return f"{directory}/{ADMIN_SOCKET}"


def prepare(
    address: ActorAddress,
    directory: str,
    parent: Any,
    inherited: frozenset[int],
    keep: frozenset[int],
    swept_until: float,
) -> Endpoint:
    """
    Args:
        address: the admin's, or one that only the parent knows.
    """
    details = address.addressDetails
    if isinstance(details, ActorLocalAddress):
        number = details.addressInstanceNum
        # A logger that was killed is replaced by one at the same address.
        logger = number == _LOGGER
        name = f"{directory}/{LOGGER_SOCKET}" if logger else new_socket_path(directory)
    else:
        name, number = name_of(address), None
    return Endpoint(directory, name, number, inherited, keep, swept_until, parent)
