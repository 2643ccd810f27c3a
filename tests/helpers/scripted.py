"""A system that tests steer by files, and that can end by itself."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from actors import MockExternalSystem, command


class Scripted(MockExternalSystem):
    """A mock system with more keys in its ``connection_details``:

    - ``needs``: a file without which it cannot be built; it raises ``lacking`` then, the
      name of a built-in exception.
    - ``diary``: a file that gets a line when a disconnect begins, and one when it ends.
    - ``release``: a file that a disconnect waits for.
    """

    def __init__(self, system_name: str, connection_details: dict[str, Any]) -> None:
        super().__init__(system_name, connection_details)
        self._details = connection_details
        needs = connection_details.get("needs")
        if needs is not None and not Path(needs).exists():
            error = connection_details.get("lacking", "ConnectionRefusedError")
            raise getattr(__import__("builtins"), error)(f"{Path(needs).name} is not there")

    async def disconnect(self) -> bool:
        self._write("begin")
        release = self._details.get("release")
        while release is not None and not Path(release).exists():
            await asyncio.sleep(0.01)
        self._write("end")
        return await super().disconnect()

    def _write(self, line: str) -> None:
        diary = self._details.get("diary")
        if diary is not None:
            with open(diary, "a") as file:
                file.write(f"{self.system_name} {line}\n")

    @command
    async def leave(self) -> None:
        raise SystemExit(0)

    @command
    async def leave_at_once(self, code: int = 0) -> None:
        os._exit(code)
