"""Where others call a process: the listening socket, and what calls there."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable
from typing import Final

from thespian.system.utilis import thesplog

from actors.unix_base.kernel.errors import LEFT
from actors.unix_base.kernel.poller import Poller
from actors.unix_base.transport.alarms import Alarms
from actors.unix_base.transport.sockets import SocketFamily, Stranger

_RETRY: Final = 0.1
"""Seconds between two attempts to take a call when there is no room, or something is broken."""
_ACCEPTS: Final = 1024
"""Calls that are taken before something else has its turn."""


class Reception:
    def __init__(
        self,
        family: SocketFamily,
        name: str,
        poller: Poller,
        alarms: Alarms,
        accepted: Callable[[socket.socket], None],
    ) -> None:
        """Listen.

        Args:
            name: of this process.
            accepted: called with the socket of each who called, and may.

        Raises:
            OSError: that is not possible.
        """
        self._family = family
        self._name = name
        self._poller = poller
        self._alarms = alarms
        self._accepted = accepted
        self._cannot_accept = False
        """Whether it could not when it was last tried, which was said."""
        self._listener = family.listen(name)
        self.fd = self._listener.fileno()
        poller.watch(self.fd)

    def accept(self) -> None:
        """Take all who called."""
        for _ in range(_ACCEPTS):
            try:
                sock = self._family.accept(self._listener)
            except BlockingIOError:
                break
            except Stranger as error:
                thesplog("%s: %s", self._name, error, level=logging.WARNING)
                continue
            except OSError as error:
                if error.errno in LEFT:
                    continue
                self._accept_later(error)
                return
            self._accepted(sock)
        self._cannot_accept = False

    def _accept_later(self, error: OSError) -> None:
        """The listener would stay ready for ever, whether there is no room or it is broken."""
        if not self._cannot_accept:
            self._cannot_accept = True
            thesplog("cannot take a call to %s: %s", self._name, error, level=logging.WARNING)
        fd = self.fd
        self._poller.forget(fd)
        self._alarms.add(time.monotonic() + _RETRY, lambda: self._accept_again(fd))

    def _accept_again(self, fd: int) -> None:
        if fd == self.fd:
            self._poller.watch(fd)

    def be_reachable(self) -> None:
        """Listen anew, if nobody can reach this process any more."""
        anew = self._family.listen_again(self._name)
        if anew is None:
            return
        self.accept()  # who was quicker than whatever happened
        self._poller.forget(self.fd)
        self._listener.close()
        self._listener, self.fd = anew, anew.fileno()
        self._poller.watch(self.fd, anew=True)

    def close(self) -> None:
        self._listener.close()
