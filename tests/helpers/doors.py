"""Doors that hang up on all who come."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PATIENCE = 1.0
"""Seconds that a client may say nothing: one may be about to close when its loop waits for this
door to end."""


@contextmanager
def door_that_hangs_up(path: Path | str, answer: Callable[[bytes], bytes]) -> Iterator[list[bytes]]:
    """Listen at a path, and hang up on each client once its first words are answered.

    Args:
        answer: to the first words, which are given in order of their coming.
    """
    heard: list[bytes] = []
    over = threading.Event()

    def serve() -> None:
        while True:
            client, _ = listening.accept()
            with client, suppress(OSError):  # it may have left already
                if over.is_set():
                    return
                client.settimeout(_PATIENCE)
                if first := client.recv(1 << 16):
                    heard.append(first)
                    client.sendall(answer(first))

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield heard
        finally:
            over.set()
            with socket.socket(socket.AF_UNIX) as last:
                last.connect(str(path))
                thread.join()
