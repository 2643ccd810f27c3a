"""A client's connection, on a transport that only remembers."""

from __future__ import annotations

import asyncio
from typing import Any

from actors.messages import CheckHealth
from supervisor.connection import SupervisorConnection
from supervisor.messages import CancelRequest
from supervisor.wire import FrameReader


class Remembering(asyncio.Transport):
    def __init__(self, connection: SupervisorConnection) -> None:
        super().__init__()
        self.said: list[Any] = []
        self._reader = FrameReader()
        self._connection = connection

    def write(self, data: Any) -> None:
        self.said += self._reader.feed(data)

    def close(self) -> None:
        self._connection.connection_lost(None)


def test_what_was_said_while_the_peer_was_slow_is_sent_before_a_close() -> None:
    async def main() -> list[Any]:
        connection = SupervisorConnection(lambda event: None, lambda why: None)
        transport = Remembering(connection)
        connection.connection_made(transport)
        connection.pause_writing()
        asking = asyncio.create_task(connection.ask(CheckHealth("a")))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
        assert transport.said == []
        await connection.close()
        return transport.said

    assert [type(each) for each in asyncio.run(main())] == [CheckHealth, CancelRequest]
