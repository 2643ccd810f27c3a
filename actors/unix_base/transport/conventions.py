"""Addresses that are written down: in capabilities, and in Thespian's conventions.

Thespian joins actor systems by IP addresses and ports. Here the port, whatever the host, is
the name of another admin of the same user on this machine.
"""

from __future__ import annotations

import logging
import os
from typing import Any

from thespian.actors import ActorAddress, InvalidActorAddress
from thespian.system.messages.convention import CONV_ADDR_IPV4_CAPABILITY
from thespian.system.utilis import thesplog

from actors.unix_base.names import ADMIN_PORT, DEFAULT_ADMIN, SOCKET_DIRECTORY
from actors.unix_base.transport.address import address_of
from actors.unix_base.transport.directory import system_directory
from actors.unix_base.transport.endpoint import admin_name


def parse_address(text: Any, where: Any = None) -> ActorAddress:
    """The address of an admin: its name, ``"host:port"``, ``(host, port)``, or its socket's path.

    Args:
        where: the directory of all systems, if it is not the user's own.
    """
    if isinstance(text, str) and os.path.isabs(text):
        return address_of(text)
    parts = text if isinstance(text, tuple) else str(text).split(":")
    capabilities = {ADMIN_PORT: parts[-1] or DEFAULT_ADMIN, SOCKET_DIRECTORY: where}
    return address_of(admin_name(system_directory(capabilities)))


def admins_of(capabilities: dict[str, Any]) -> list[ActorAddress] | None:
    """The possible leaders of the convention that a system belongs to; None if to none.

    Raises:
        InvalidActorAddress: what the capability says is no address.
    """
    given = capabilities.get(CONV_ADDR_IPV4_CAPABILITY)
    if not given:
        return None
    where = capabilities.get(SOCKET_DIRECTORY)
    try:
        each_given = given if isinstance(given, list) else [given]
        return [parse_address(each, where) for each in each_given]
    except Exception as error:
        thesplog("invalid convention address %s: %s", given, error, level=logging.ERROR)
        raise InvalidActorAddress(given, str(error)) from error
