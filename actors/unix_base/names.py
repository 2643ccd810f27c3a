"""Names that users and Thespian know this base by, and those of its well-known sockets."""

from __future__ import annotations

import re
from typing import Final

BASE_NAME: Final = "multiprocUnixBase"

SOCKET_DIRECTORY: Final = "Socket Directory"
"""The capability that names the directory in which each system has one of its own."""
ADMIN_PORT: Final = "Admin Port"
"""The capability that tells the systems of a user apart; here any number or word."""
DEFAULT_ADMIN: Final = "1900"

ADMIN_SOCKET: Final = "admin"
LOGGER_SOCKET: Final = "logger"
TOKEN_BYTES: Final = 5
"""Of the random name, in hexadecimal, of every other socket."""
ACTOR_NAMES: Final = re.compile(rf"[0-9a-f]{{{TOKEN_BYTES * 2}}}")
"""What the socket of an actor is called."""
HOST_MARK: Final = "h"
"""In the place of the first digit in the name of a host's socket: hosts outlive the system."""
SOCKET_NAMES: Final = re.compile(
    rf"{ADMIN_SOCKET}|{LOGGER_SOCKET}|[0-9a-f{HOST_MARK}][0-9a-f]{{{TOKEN_BYTES * 2 - 1}}}"
)
"""What a socket in a system's directory is called."""
