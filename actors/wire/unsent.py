"""What a client of a door was told and has not read yet."""

from __future__ import annotations

import socket
from collections import deque
from typing import Any

from actors.errors import describe
from actors.messages import Failure, FailureCode, Outcome, Reply
from actors.wire.frames import WireError, encode_frames


class Unsent:
    """Of one client."""

    def __init__(self) -> None:
        self._frames: deque[memoryview] = deque()
        self._bytes = 0

    def __bool__(self) -> bool:
        return bool(self._frames)

    @property
    def size(self) -> int:
        """Bytes of all."""
        return self._bytes

    @property
    def waiting(self) -> int:
        """Bytes behind the frame that is being written: that one counts as being read, however
        long it is."""
        return self._bytes - len(self._frames[0]) if self._frames else 0

    def add(self, messages: list[Any]) -> list[str]:
        """Put messages behind the others.

        Returns:
            what is wrong with answers that cannot be sent, in place of which there are failures.

        Raises:
            WireError: something else cannot be sent: the client would miss it unawares.
        """
        errors: list[str] = []

        def replace(message: Any, error: Exception) -> Any:
            text = f"{type(message).__name__} cannot be sent: {describe(error)}"
            if not isinstance(message, Reply):
                raise WireError(text)
            errors.append(text)
            return _in_place_of(message, text)

        for frame in encode_frames(messages, replace):
            self._frames.append(memoryview(frame))
            self._bytes += len(frame)
        return errors

    def write(self, sock: socket.socket) -> None:
        """Send what the client takes now.

        Raises:
            OSError: the connection is broken.
        """
        try:
            while self._frames:
                first = self._frames[0]
                sent = sock.send(first)
                self._bytes -= sent
                if sent == len(first):
                    self._frames.popleft()
                else:
                    self._frames[0] = first[sent:]
        except BlockingIOError:
            pass


def _in_place_of(message: Reply, text: str) -> Failure:
    """Whoever waits for an answer that cannot be sent shall not wait for ever."""
    return Failure(
        request_id=message.request_id,
        system_name=message.system_name,
        code=FailureCode.CONNECTOR_ERROR,
        text=f"the answer is lost: {text}",
        outcome=Outcome.UNKNOWN,
    )
