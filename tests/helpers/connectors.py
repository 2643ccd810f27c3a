"""Connectors that misbehave in ways the mock system does not know."""

import asyncio
import ctypes
import threading
import time

from actors import MockExternalSystem, command


class WithTrouble(MockExternalSystem):
    """A mock system whose commands break what is around it."""

    @command
    async def exit_in_background(self):
        """A task of the connector's own raises SystemExit: it breaks out of the loop."""

        async def leave():
            raise SystemExit(5)

        self._task = asyncio.get_running_loop().create_task(leave())

    @command
    async def fail_in_background(self):
        async def read():
            raise ValueError("the reader died")

        self._task = asyncio.get_running_loop().create_task(read())

    @command
    async def fail_in_a_thread(self):
        def read():
            raise ValueError("the thread died")

        threading.Thread(target=read).start()

    @command
    async def segfault(self):
        ctypes.string_at(0)

    @command
    async def leave_a_thread(self):
        """A thread that would keep the process alive."""
        threading.Thread(target=time.sleep, args=(3600,)).start()

    @command
    async def break_the_state(self):
        self._state_is_broken = True

    @property
    def is_connected(self):
        if getattr(self, "_state_is_broken", False):
            raise RuntimeError("the state is broken")
        return self._is_connected

    @is_connected.setter
    def is_connected(self, value):
        self._is_connected = value
