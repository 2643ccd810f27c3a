"""A system that dies of what it is sent. Its processes import this alone: quickly."""

from __future__ import annotations

import asyncio
import ctypes
import os
from typing import Any

from actors import ExternalSystemInterface, command


class Doomed(ExternalSystemInterface):
    """Dies of what it is sent."""

    async def connect(self) -> bool:
        self.is_connected = True
        return True

    async def disconnect(self) -> bool:
        self.is_connected = False
        return True

    async def send_data(self, data: Any) -> bool:
        self.sending = True
        if data == "raise":
            raise ZeroDivisionError("a bug")
        if data == "exit":
            os._exit(3)
        if data == "segfault":
            ctypes.string_at(0)
        await asyncio.sleep(60.0)
        return True

    async def receive_data(self) -> Any | None:
        return None

    @command
    async def is_sending(self) -> bool:
        return getattr(self, "sending", False)
