"""One external system in one actor.

The door to the package: what a user subclasses, raises and registers.
"""

from actors.errors import ConnectorError, ItemRefusedError
from actors.interface import ExternalSystemInterface, command
from actors.mock import MockExternalSystem
from actors.tcp import TcpSystem

__all__ = [
    "ConnectorError",
    "ExternalSystemInterface",
    "ItemRefusedError",
    "MockExternalSystem",
    "TcpSystem",
    "command",
]
