"""What an actor's address is on this base: the name under which its process can be reached."""

from __future__ import annotations

from typing import Any

from thespian.actors import ActorAddress


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

    def __eq__(self, other: object) -> bool:
        if type(other) is ProcessAddress:
            same: bool = self._aaddr.name == other._aaddr.name
            return same
        return bool(super().__eq__(other))

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[object, ...]:
        return address_of, (self._aaddr.name,)


def address_of(name: str) -> ActorAddress:
    return ProcessAddress(PeerAddress(name))


def name_of(address: Any) -> str:
    """The name in an address that is one of this base's."""
    name: str = address.addressDetails.name
    return name
