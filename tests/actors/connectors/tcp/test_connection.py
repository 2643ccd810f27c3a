"""A TCP connection that is lost, by whom and whenever."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from actors.connectors.tcp import connection
from actors.errors import ConnectorError, NotSentError
from tests.helpers.net import BIG, Peer, connected, eventually, run


def test_a_closed_connection_is_said_once_after_the_items_that_came_before():
    async def main():
        async with connected() as (peer, system):
            await peer.send(b"last words\n")
            peer.close_connection()
            await eventually(lambda: not system.is_connected)
            assert await system.check_health() is False
            assert await system.send_data("x") is False
            assert await system.receive_data() == "last words"
            with pytest.raises(ConnectorError, match=r"127\.0\.0\.1:\d+ closed the connection$"):
                await system.receive_data()
            assert await system.receive_data() is None

    run(main)


def test_a_receive_in_progress_is_told_of_the_end():
    async def main():
        async with connected(read_timeout=60) as (peer, system):
            receiving = asyncio.create_task(system.receive_data())
            await asyncio.sleep(0)
            peer.close_connection()
            with pytest.raises(ConnectorError, match="closed the connection"):
                await receiving
            assert system.is_connected is False

    run(main)


def test_an_end_in_the_middle_of_an_item_says_so():
    async def main():
        async with connected() as (peer, system):
            await peer.send(b"half")
            peer.close_connection()
            with pytest.raises(ConnectorError, match="in the middle of an item, after 4 bytes"):
                await system.receive_data()

    run(main)


def test_a_reset_connection_says_so():
    async def main():
        async with connected() as (peer, system):
            peer.reset()
            with pytest.raises(ConnectorError, match=r"^127\.0\.0\.1:\d+: connection reset"):
                await system.receive_data()
            assert system.is_connected is False

    run(main)


@pytest.mark.parametrize("end", [Peer.reset, Peer.close_connection])
def test_a_send_into_a_connection_just_lost_is_an_error_and_not_true(end):
    async def main():
        async with connected() as (peer, system):
            end(peer)
            # The loop has had no turn to notice.
            assert system.is_connected is True
            with pytest.raises(ConnectorError, match=r"closed the connection|connection reset"):
                await system.send_data("x")
            assert system.is_connected is False
            assert await system.receive_data() is None

    run(main)


def test_an_item_that_is_too_long_breaks_the_connection_after_those_before_it():
    async def main():
        async with connected(max_frame_size=4) as (peer, system):
            await peer.send(b"good\n" + b"x" * 100)
            await eventually(lambda: not system.is_connected)
            assert await system.receive_data() == "good"
            with pytest.raises(ConnectorError, match=r"cannot be read: .* max_frame_size is 4"):
                await system.receive_data()

    run(main)


def test_items_that_came_before_a_loss_survive_the_next_connect():
    async def main():
        async with connected() as (peer, system):
            await peer.send(b"before\nhalf")
            await eventually(lambda: system._connection._decoder.pending == 4)
            peer.reset()
            await eventually(lambda: not system.is_connected)
            assert await system.connect() is True
            await peer.accept()
            await peer.send(b"after\n")
            assert await system.receive_data() == "before"
            assert await system.receive_data() == "after"

    run(main)


def test_a_loss_before_a_new_connection_is_not_said_of_the_new_one():
    async def main():
        async with connected(read_timeout=0.01) as (peer, system):
            peer.close_connection()
            await eventually(lambda: not system.is_connected)
            assert await system.connect() is True
            assert await system.receive_data() is None
            assert system.is_connected is True

    run(main)


def test_a_system_that_floods_is_made_to_wait_and_loses_nothing():
    async def main():
        async with connected(encoding="bytes", read_timeout=60) as (peer, system):
            count = 2000
            flooding = asyncio.create_task(peer.send((b"x" * 16_383 + b"\n") * count))
            await eventually(lambda: not system._connection._transport.is_reading())
            assert not flooding.done()
            assert len(system._queue) * 16_384 < 4 * connection.QUEUE_SIZE
            got = 0
            while got < count:
                got += len(await system.receive_many(100, 10.0))
            assert got == count
            await flooding

    run(main)


def test_a_flood_of_empty_items_is_bounded_too():
    async def main():
        async with connected(encoding="bytes") as (peer, system):
            flooding = asyncio.create_task(peer.send(b"\n" * BIG))
            await eventually(lambda: not system._connection._transport.is_reading())
            assert not flooding.done()
            assert len(system._queue) <= 512 * 1024
            flooding.cancel()
            with pytest.raises(asyncio.CancelledError):
                await flooding

    run(main)


# ---- behind what nobody receives -------------------------------------------------------


ITEMS = [b"%01000d" % number for number in range(330)]


@contextlib.asynccontextmanager
async def full():
    """A system that nobody receives from, and these items from its peer: more than it keeps, so
    that the last are with the operating system."""
    async with connected(encoding="bytes", read_timeout=60) as (peer, system):
        await peer.send(b"\n".join(ITEMS[:300]) + b"\n")
        await eventually(lambda: not system._connection._transport.is_reading())
        await peer.send(b"\n".join(ITEMS[300:]) + b"\n")
        yield peer, system


async def take_all(system):
    """What can be received until the loss is said, and the loss."""
    items = []
    while True:
        try:
            items += await system.receive_many(10_000, 20.0)
        except ConnectorError as error:
            return items, str(error)


@pytest.mark.parametrize("end", [Peer.reset, Peer.close_connection])
def test_an_end_behind_items_that_nobody_receives_is_found_and_loses_none_of_them(monkeypatch, end):
    monkeypatch.setattr(connection, "LOOK_EVERY", 0.01)

    async def main():
        async with full() as (peer, system):
            assert await system.check_health() is True
            end(peer)
            await eventually(lambda: not system.is_connected)
            items, why = await take_all(system)
            assert items == ITEMS
            assert "closed the connection" in why or "connection reset" in why

    run(main)


def test_a_send_to_who_has_gone_behind_items_that_nobody_receives_is_a_loss_and_not_sent():
    async def main():
        async with full() as (peer, system):
            peer.close_connection()
            with pytest.raises(NotSentError, match=r"closed the connection; nothing was sent"):
                await system.send_data(b"x")
            assert system.is_connected is False
            assert await system.receive_many(10_000, 20.0) == ITEMS

    run(main)


def test_the_end_of_one_connection_is_found_on_the_next_as_well(monkeypatch):
    """A device that sends at each connect, closes, and is only sent to."""
    monkeypatch.setattr(connection, "LOOK_EVERY", 0.01)

    async def main():
        async with full() as (peer, system):
            for _ in range(3):
                peer.close_connection()
                await eventually(lambda: not system.is_connected)
                assert await system.connect()
                await peer.accept()
                await peer.send(b"hello\n")

    run(main)


def test_what_nobody_receives_of_ended_connections_is_bounded(monkeypatch):
    monkeypatch.setattr(connection, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(connection, "MOST_KEPT", connection.QUEUE_SIZE)
    lost = []

    async def main():
        async with full() as (peer, system):
            system._extsys_on_loss = lost.append
            peer.close_connection()
            await eventually(lambda: not system.is_connected)
            assert 246 <= len(system._queue) <= len(ITEMS)

    run(main)
    [why] = lost
    assert "closed the connection; nobody received what it had sent, and the rest" in why
