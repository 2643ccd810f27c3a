"""A system with state of its own, for tests of registered objects."""

from __future__ import annotations

from typing import Any

from actors import ExternalSystemInterface, command


class Thermostat(ExternalSystemInterface):
    """With state of its own, and a constructor argument that no spec knows."""

    def __init__(self, system_name: str, target: float) -> None:
        super().__init__(system_name, {"token": "secret"})
        self.target = target

    async def connect(self) -> bool:
        self.is_connected = True
        return True

    async def disconnect(self) -> bool:
        self.is_connected = False
        return True

    async def send_data(self, data: Any) -> bool:
        self.target = data
        return True

    async def receive_data(self) -> Any | None:
        return self.target

    @command
    async def raise_target(self, by: float = 1.0) -> float:
        self.target += by
        return self.target


class NamedThermostat(Thermostat):
    def __init__(self, system_name: str, connection_details: dict[str, Any]) -> None:
        super().__init__(system_name, connection_details["target"])
