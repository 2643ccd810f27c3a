"""A TCP system against real sockets of this machine."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from actors.errors import ConnectorError, ItemRefusedError
from actors.testing.instrument import InstrumentSimulator
from tests.helpers.net import BIG, connected, eventually, run, system_at


def test_an_item_is_sent_and_its_answer_received():
    async def main():
        async with InstrumentSimulator() as simulator:
            system = system_at(simulator.port)
            await system.connect()
            assert await system.send_data("ECHO grün") is True
            assert await system.receive_data() == "grün"
            assert await system.check_health() is True
            await system.disconnect()

    run(main)


@pytest.mark.parametrize(
    ("details", "item", "wire"),
    [
        ({"line_ending": "\r\n", "encoding": "latin-1"}, "grün", b"gr\xfcn\r\n"),
        ({"encoding": "bytes"}, b"\xff", b"\xff\n"),
        ({"line_ending": "\r"}, "POS?", b"POS?\r"),
        ({"line_ending": ">"}, "ready\n", b"ready\n>"),
        ({"framing": "fixed", "item_size": 3}, b"abc", b"abc"),
        ({"framing": "raw"}, b"\0\1", b"\0\1"),
        ({"framing": "raw", "idle": "1ms", "encoding": "utf-8"}, "é", b"\xc3\xa9"),
        ({"framing": "length"}, b"abc", b"\0\0\0\3abc"),
        ({"framing": "length", "prefix_size": 2, "byte_order": "little"}, b"", b"\0\0"),
        ({"framing": "delimiter", "delimiter": [0xFF, 0xFF]}, b"page 1", b"page 1\xff\xff"),
        ({"framing": "delimiter", "delimiter": "\x03", "encoding": "utf-8"}, "é", b"\xc3\xa9\x03"),
    ],
)
def test_each_framing_goes_over_the_wire_both_ways(details, item, wire):
    async def main():
        async with connected(**details) as (peer, system):
            assert await system.send_data(item) is True
            assert await peer.receive(len(wire)) == wire
            await peer.send(wire)
            assert await system.receive_data() == item

    run(main)


def test_receive_gives_none_when_nothing_comes_in_time():
    async def main():
        async with connected(read_timeout=0.01) as (peer, system):
            await peer.send(b"half a li")
            assert await system.receive_data() is None
            assert await system.receive_many(3, 0.01) == []
            assert system.is_connected is True

    run(main)


def test_a_cancelled_receive_loses_no_bytes():
    async def main():
        async with connected(read_timeout=60) as (peer, system):
            receiving = asyncio.create_task(system.receive_data())
            await peer.send(b"first ha")
            await eventually(lambda: system._connection._decoder.pending == 8)
            receiving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await receiving
            await peer.send(b"lf\n")
            assert await system.receive_data() == "first half"

    run(main)


def test_receives_that_are_cancelled_as_items_arrive_lose_and_double_none():
    async def main():
        async with connected(read_timeout=60) as (peer, system):
            sending = asyncio.create_task(
                peer.send(b"".join(b"%d\n" % number for number in range(5000)))
            )
            got = []
            for turns in range(10**9):
                receiving = asyncio.create_task(system.receive_data())
                for _ in range(turns % 4):
                    await asyncio.sleep(0)
                receiving.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    got.append(await receiving)
                if len(got) == 5000:
                    break
            assert got == [str(number) for number in range(5000)]
            await sending

    run(main)


def test_a_cancelled_send_is_still_sent_whole():
    async def main():
        details = {"encoding": "bytes", "max_frame_size": BIG, "write_timeout": 60}
        async with connected(**details) as (peer, system):
            sending = asyncio.create_task(system.send_data(b"x" * BIG))
            await eventually(lambda: not system._connection._written.is_set())
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            got = asyncio.create_task(peer.receive(BIG + 3))
            assert await system.send_data(b"y") is True
            assert await got == b"x" * BIG + b"\ny\n"

    run(main)


def test_a_bad_item_is_refused_and_the_connection_stays():
    async def main():
        async with connected() as (peer, system):
            for item in (b"bytes", "two\nlines", None):
                with pytest.raises(ConnectorError):
                    await system.send_data(item)
            assert await system.send_data("good") is True
            assert await peer.receive(5) == b"good\n"

    run(main)


def test_an_item_that_is_no_text_is_one_error_and_the_connection_stays():
    async def main():
        async with connected() as (peer, system):
            await peer.send(b"a\n\xff\nb\n")
            await eventually(lambda: len(system._queue) == 3)
            assert await system.receive_many(10, 1.0) == ["a"]
            with pytest.raises(ConnectorError, match=r"127\.0\.0\.1:\d+: .* no utf-8 text"):
                await system.receive_many(10, 1.0)
            assert await system.receive_data() == "b"
            assert system.is_connected is True

    run(main)


def test_send_many_sends_the_good_items_in_one_write_and_says_what_is_wrong_with_the_bad(
    monkeypatch,
):
    async def main():
        async with connected() as (peer, system):
            writes = []
            write = system._connection.write

            async def counted(data):
                writes.append(data)
                await write(data)

            monkeypatch.setattr(system._connection, "write", counted)
            first, bad, last = await system.send_many(["a", 5, "b"])
            assert (first, last) == (True, True)
            assert isinstance(bad, ItemRefusedError)
            assert "an item is str here" in str(bad)
            assert await system.send_many([]) == []
            assert await peer.receive(4) == b"a\nb\n"
            assert writes == [b"a\nb\n"]

    run(main)


def test_receive_many_takes_what_is_there_and_no_more_than_asked():
    async def main():
        async with connected(read_timeout=60) as (peer, system):
            receiving = asyncio.create_task(system.receive_many(2, 60.0))
            await peer.send(b"a\nb\nc\nd\n")
            assert await receiving == ["a", "b"]
            assert await system.receive_many(0, 60.0) == []
            assert await system.receive_many(10, 60.0) == ["c", "d"]

    run(main)


def test_a_system_that_does_not_read_is_given_up_after_write_timeout():
    async def main():
        details = {"encoding": "bytes", "max_frame_size": BIG, "write_timeout": 0.05}
        async with connected(**details) as (_, system):
            with pytest.raises(ConnectorError, match=r"stalled: .* write_timeout \(0.05 s\)"):
                await system.send_data(b"x" * BIG)
            assert system.is_connected is False
            assert await system.receive_data() is None
            assert await system.send_data(b"x") is False

    run(main)


def test_an_item_counts_as_sent_only_when_the_operating_system_has_all_of_it():
    async def main():
        details = {"encoding": "bytes", "write_timeout": 0.05}
        async with connected(**details) as (_, system):

            async def send_on():
                # Less at once than asyncio would keep in a buffer of its own.
                while await system.send_data(b"x" * 40_000):
                    assert system._connection._transport.get_write_buffer_size() == 0

            with pytest.raises(ConnectorError, match="stalled"):
                await send_on()

    run(main)
