"""What an actor's address is on this base: the name under which its process can be reached."""

from __future__ import annotations

from typing import Any, Final

from thespian.actors import ActorAddress
from thespian.system.addressManager import ActorLocalAddress

_MOST_KNOWN: Final = 4096
"""Addresses that are kept to be given again."""


class PeerAddress:
    """The details of an :class:`ActorAddress`: where its process listens.

    What the name means is the socket family's matter; for Unix sockets it is the path of a
    socket file. A name is never used again, so that an address of a dead actor stays dead.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        # Thespian's address manager relies on other kinds of details to raise here.
        same: bool = self.name == other.name  # type: ignore[attr-defined]
        return same

    def __hash__(self) -> int:
        return hash(self.name)

    def __str__(self) -> str:
        return self.name

    def __getstate__(self) -> str:
        return self.name

    def __setstate__(self, name: str) -> None:
        self.name = name


class ProcessAddress(ActorAddress):  # type: ignore[misc]
    """An address as any other. It is quicker to compare and to send: most messages between
    actors are about one."""

    def __init__(self, name: str) -> None:
        super().__init__(PeerAddress(name))
        self.name = name

    def __eq__(self, other: object) -> bool:
        process = other if type(other) is ProcessAddress else process_of(other)
        return process is not None and self.name == process.name

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[object, ...]:
        return address_of, (self.name,)


_known: dict[str, ProcessAddress] = {}


def address_of(name: str) -> ProcessAddress:
    """The address with that name; the same object again, as most are heard of often."""
    address = _known.get(name)
    if address is None:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        address = _known[name] = ProcessAddress(name)
    return address


def process_of(address: Any) -> ProcessAddress | None:
    """The address of the process that an actor's address stands for.

    Args:
        address: of a process; or what an actor has of its child from the start; or what others
            unpickled of that. None, too.

    Returns:
        None if the process of a child is not known yet, and for what is no address of this base.
    """
    if type(address) is ProcessAddress:
        return address
    details = getattr(address, "addressDetails", None)
    if type(details) is PeerAddress:
        return address_of(details.name)
    if isinstance(details, ActorLocalAddress):
        return process_of(details.addressManager.exportAddr(address))
    return None


def name_of(address: Any) -> str:
    """The name in an address that is one of a process."""
    name: str = address.name if type(address) is ProcessAddress else address.addressDetails.name
    return name
