"""Items that silence ends, over real sockets of this machine."""

from __future__ import annotations

import pytest

from actors.connectors.tcp.connection import QUEUE_SIZE
from actors.errors import ConnectorError
from tests.helpers.net import connected, eventually, run


def test_a_prompt_without_an_end_is_an_item():
    async def main():
        async with connected(idle=0.05, read_timeout=10) as (peer, system):
            await peer.send(b"login: ")
            assert await system.receive_data() == "login: "
            await system.send_data("me")
            await peer.receive(3)
            await peer.send(b"\nhello\n> ")
            assert await system.receive_data() == "hello"
            assert await system.receive_data() == "> "

    run(main)


def test_the_last_line_needs_no_end():
    async def main():
        async with connected(idle=60) as (peer, system):
            await peer.send(b"one\nlast")
            peer.close_connection()
            await eventually(lambda: not system.is_connected)
            assert await system.receive_many(5, 1.0) == ["one", "last"]
            with pytest.raises(ConnectorError, match=r"closed the connection$"):
                await system.receive_data()

    run(main)


def test_without_idle_it_does_and_the_error_says_what_was_missing():
    async def main():
        async with connected() as (peer, system):
            await peer.send(b"one\nlast")
            peer.close_connection()
            assert await system.receive_data() == "one"
            with pytest.raises(ConnectorError, match="in the middle of an item, after 4 bytes"):
                await system.receive_data()

    run(main)


def test_a_connection_that_waits_for_its_reader_is_not_silent():
    async def main():
        async with connected(framing="raw", idle=0.01, max_frame_size=1024) as (peer, system):
            sent = b"x" * (3 * QUEUE_SIZE + 1)
            await peer.send(sent)
            received = b""
            while len(received) < len(sent):
                received += b"".join(await system.receive_many(100, 5.0))
            assert received == sent

    run(main)


def test_what_is_disconnected_in_the_middle_of_an_item_leaves_no_timer():
    async def main():
        async with connected(idle=60) as (peer, system):
            await peer.send(b"half")
            await eventually(lambda: system._connection._silence is not None)
            silence = system._connection._silence
            await system.disconnect()
            assert silence.cancelled()

    run(main)
