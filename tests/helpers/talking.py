"""A system that says a lot, in every way there is. Its processes import this alone: quickly."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from actors import ExternalSystemInterface, command


class Talking(ExternalSystemInterface):
    """``connection_details``: ``goodbye`` is a file that it makes when it is disconnected,
    ``hello`` what it prints when it is built."""

    def __init__(self, system_name: str, connection_details: dict[str, Any]) -> None:
        super().__init__(system_name, connection_details)
        if "hello" in connection_details:
            print(connection_details["hello"])

    async def connect(self) -> bool:
        self.is_connected = True
        return True

    async def disconnect(self) -> bool:
        self.is_connected = False
        if "goodbye" in self.connection_details:
            Path(self.connection_details["goodbye"]).touch()
        return True

    async def send_data(self, data: Any) -> bool:
        return True

    async def receive_data(self) -> Any | None:
        await asyncio.sleep(0.1)
        return None

    @command
    async def log(self, level: int, text: str, times: int = 1) -> None:
        for _ in range(times):
            logging.getLogger("talking").log(level, text)

    @command
    async def out(self, text: str) -> None:
        print(text)

    @command
    async def err(self, text: str) -> None:
        print(text, file=sys.stderr)

    @command
    async def raw(self, data: bytes, fd: int = 2) -> None:
        os.write(fd, data)

    @command
    async def run(self, *program: str) -> None:
        subprocess.run(program, check=False)

    @command
    async def leave(self, *program: str) -> int:
        return subprocess.Popen(program).pid

    @command
    async def flood(self, megabytes: int) -> None:
        """As C code that cannot stop."""

        def write() -> None:
            block = b"noise without an end, and without any sense\n" * 1489
            for _ in range(megabytes * 16):
                os.write(1, block)

        thread = threading.Thread(target=write)
        thread.start()
        while thread.is_alive():
            await asyncio.sleep(0.01)

    @command
    async def die(self, last_words: bytes, how: str = "exit") -> None:
        os.write(2, last_words)
        if how == "raise":
            raise ZeroDivisionError("a bug")
        if how == "segfault":
            ctypes.string_at(0)
        os._exit(3)
