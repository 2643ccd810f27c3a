"""A client's connection, on a transport that only remembers."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from actors.messages import CheckHealth, DataSent, Failure, SendData, SendMany
from actors.wire import frames
from actors.wire.frames import FrameDecoder, encode_frame
from supervisor.client.connection import SupervisorConnection
from supervisor.messages import CancelRequest, SupervisorClosing


class Remembering(asyncio.Transport):
    def __init__(self, connection: SupervisorConnection) -> None:
        super().__init__()
        self.said: list[Any] = []
        self._reader = FrameDecoder()
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
    monkeypatch.setattr(frames, "MAX_FRAME", 10_000)

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


def test_the_last_words_are_heard_when_a_write_finds_the_end_first(tmp_path: Path) -> None:
    async def main() -> None:
        lost: list[tuple[str, bool]] = []
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "s"))
            listener.listen()
            path = str(tmp_path / "s")
            connection = await SupervisorConnection.open(
                path, lambda event: None, lambda *how: lost.append(how)
            )
            peer, _ = listener.accept()
            with peer:
                first = SendData("a", 1)
                answer = asyncio.create_task(connection.ask(first))
                await asyncio.get_running_loop().run_in_executor(None, peer.recv, 1)
                reply = DataSent(request_id=first.request_id, system_name="a")
                peer.sendall(encode_frame([reply, SupervisorClosing("it gave up")]))
            # What it had not read when it closed makes this write fail.
            parts: list[Any] = []
            connection.ask_stream(SendMany("a", [2], stream=True), parts.append)
            assert await answer == reply
            [part] = parts
            assert isinstance(part, Failure)
            assert lost == [("it gave up", True)]
            await connection.close()

    asyncio.run(main())


def test_what_was_asked_of_a_supervisor_that_ended_is_answered_with_the_system_s_name() -> None:
    async def main() -> list[Any]:
        connection = SupervisorConnection(lambda event: None, lambda why, for_good: None)
        connection.connection_made(Remembering(connection))
        parts: list[Any] = []
        asking = asyncio.create_task(connection.ask(CheckHealth("plc-1")))
        connection.ask_stream(SendMany("plc-2", ("x",)), parts.append)
        await asyncio.sleep(0)
        connection.connection_lost(None)
        return [await asking, *parts]

    texts = [reply.text for reply in asyncio.run(main())]
    assert texts == [
        "plc-1: the supervisor ended before it answered",
        "plc-2: the supervisor ended before it answered",
    ]
