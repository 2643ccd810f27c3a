"""A client's connection, on a transport that only remembers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors.messages import CheckHealth, Failure, SendData
from supervisor import wire
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
        connection = SupervisorConnection(lambda event: None, lambda why, for_good: None)
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


def test_requests_too_long_together_travel_apart_and_one_too_long_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wire, "MAX_FRAME", 10_000)

    async def main() -> None:
        connection = SupervisorConnection(lambda event: None, lambda why, for_good: None)
        transport = Remembering(connection)
        connection.connection_made(transport)
        asked = [SendData("a", b"x" * size) for size in (6_000, 6_000, 12_000)]
        answers = [asyncio.create_task(connection.ask(each)) for each in asked]
        refused = await answers[2]
        assert isinstance(refused, Failure)
        assert "10,000" in refused.text
        assert transport.said == asked[:2]
        await connection.close()
        await asyncio.gather(*answers)

    asyncio.run(main())
