"""A TCP system and a real server with a bad network between them.

What a scripted peer cannot show: here the server does all right, and knows nothing of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest
import trustme

from actors.connectors.tcp.system import TcpSystem
from actors.errors import ConnectorError, NoAnswerError
from actors.testing.fault_proxy import FaultProxy
from actors.testing.instrument import InstrumentSimulator
from tests.helpers.net import eventually, run

BIG = 8 * 1024 * 1024
"""Bytes, more than all buffers on the way take."""


@attrs.frozen
class Way:
    instrument: InstrumentSimulator
    proxy: FaultProxy
    system: TcpSystem


@contextlib.asynccontextmanager
async def way(server_tls: ssl.SSLContext | None = None, **details: Any) -> AsyncIterator[Way]:
    """A simulated instrument, a proxy and a system that is connected through it."""
    async with (
        InstrumentSimulator(tls=server_tls) as instrument,
        FaultProxy(instrument.port) as proxy,
    ):
        where = {"host": proxy.host, "port": proxy.port}
        system = TcpSystem("dut", {**where, "read_timeout": 20, **details})
        assert await system.connect()
        try:
            yield Way(instrument, proxy, system)
        finally:
            await system.disconnect()


@contextlib.asynccontextmanager
async def sink(**details: Any) -> AsyncIterator[tuple[FaultProxy, TcpSystem, list[int]]]:
    """A server that reads all that comes, a proxy, and a system that is connected through it;
    the list gets the size of what came on each connection when that has ended."""
    got: list[int] = []
    readers: set[asyncio.Task[None] | None] = set()

    async def read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        readers.add(asyncio.current_task())
        with contextlib.closing(writer), contextlib.suppress(ConnectionError):
            got.append(len(await reader.read()))
        readers.discard(asyncio.current_task())

    async with await asyncio.start_server(read, "127.0.0.1", 0) as server:
        async with FaultProxy(server.sockets[0].getsockname()[1]) as proxy:
            where = {"host": proxy.host, "port": proxy.port, "encoding": "bytes"}
            system = TcpSystem("dut", {**where, **details})
            assert await system.connect()
            try:
                yield proxy, system, got
            finally:
                await system.disconnect()
        await eventually(lambda: not readers)


async def ask(system: TcpSystem, question: str, timeout: float = 20.0) -> str:
    answer = await system.query_data(question, timeout)
    assert isinstance(answer, str)
    return answer


# ---- in the middle of an item -----------------------------------------------------------


@pytest.mark.parametrize(
    ("reset", "said"),
    [(False, "closed the connection in the middle of an item, after 4 bytes"), (True, "reset")],
)
def test_a_loss_in_the_middle_of_an_answer_gives_no_part_of_it(reset, said):
    async def main():
        async with way() as at:
            at.proxy.truncate(4, reset=reset)
            await at.system.send_data("ECHO half an answer")
            with pytest.raises(ConnectorError, match=said):
                await at.system.receive_data()
            at.proxy.heal()
            assert await at.system.connect()
            assert await ask(at.system, "ECHO whole") == "whole"

    run(main)


def test_a_loss_in_the_middle_of_an_item_that_is_sent_is_never_a_success_and_comes_in_part():
    async def main():
        async with sink() as (proxy, system, got):
            proxy.truncate(1000, "to_server")
            with pytest.raises(ConnectorError):
                await system.send_data(bytes(BIG))
            assert system.is_connected is False
            await eventually(lambda: got == [1000])

    run(main)


def test_items_before_the_one_that_breaks_off_are_all_received():
    async def main():
        async with way() as at:
            at.proxy.truncate(len("1\n2\n3\n4"))
            assert await at.system.send_many([f"ECHO {n}" for n in range(1, 6)]) == [True] * 5
            await eventually(lambda: not at.system.is_connected)
            assert await at.system.receive_many(10, 20.0) == ["1", "2", "3"]
            with pytest.raises(ConnectorError, match="after 1 bytes"):
                await at.system.receive_data()

    run(main)


# ---- nothing passes ---------------------------------------------------------------------


def test_a_late_answer_out_of_a_black_hole_is_not_taken_for_the_next_ones():
    async def main():
        async with way() as at:
            at.proxy.black_hole("to_client")
            with pytest.raises(NoAnswerError):
                await ask(at.system, "ECHO late", timeout=0.05)
            assert at.system.is_connected
            await eventually(lambda: at.instrument.commands == 1)
            at.proxy.heal()
            assert await ask(at.system, "ECHO own") == "own"

    run(main)


def test_an_item_that_a_black_hole_has_no_room_for_is_given_up_after_write_timeout():
    async def main():
        async with sink(write_timeout=0.2) as (proxy, system, _):
            proxy.black_hole()
            with pytest.raises(ConnectorError, match=r"stalled: .* write_timeout \(0.2 s\)"):
                await system.send_data(bytes(BIG))
            assert system.is_connected is False

    run(main)


def test_a_small_item_into_a_black_hole_is_true_and_arrives_when_it_is_over():
    async def main():
        async with way() as at:
            at.proxy.black_hole()
            assert await at.system.send_data("ECHO patience") is True
            assert at.system.is_connected
            assert await at.system.check_health() is True
            at.proxy.heal()
            assert await at.system.receive_data() == "patience"

    run(main)


def test_a_disconnect_from_a_black_hole_is_soon_done():
    async def main():
        async with sink() as (proxy, system, _):
            proxy.black_hole()
            sending = asyncio.create_task(system.send_data(bytes(BIG)))
            await eventually(lambda: not system._connection._written.is_set())
            async with asyncio.timeout(10):
                assert await system.disconnect() is True
            with pytest.raises(ConnectorError):
                await sending

    run(main)


def test_a_tls_handshake_that_nobody_answers_ends_with_connect_timeout():
    async def main():
        async with InstrumentSimulator() as instrument, FaultProxy(instrument.port) as proxy:
            proxy.black_hole()
            details = {"host": proxy.host, "port": proxy.port, "tls": True, "connect_timeout": 0.2}
            system = TcpSystem("dut", details)
            with pytest.raises(ConnectorError, match=r"did not finish the TLS handshake within"):
                await system.connect()
            assert system.is_connected is False

    run(main)


# ---- one direction ends -----------------------------------------------------------------


def test_a_server_that_closes_its_half_is_lost_though_it_would_still_read():
    async def main():
        async with way() as at:
            await at.system.send_data("ECHO last words")
            await at.proxy.until(lambda: at.proxy.bytes_to_client > 0)
            at.proxy.half_close()
            assert await at.system.receive_data() == "last words"
            with pytest.raises(ConnectorError, match=r"closed the connection$"):
                await at.system.receive_data()
            assert at.system.is_connected is False
            await at.proxy.until(lambda: at.proxy.connections == 0)

    run(main)


def test_a_server_that_has_lost_its_client_is_lost_for_that_too():
    async def main():
        async with way() as at:
            at.proxy.half_close("to_server")
            with pytest.raises(ConnectorError, match="closed the connection"):
                await at.system.receive_data()

    run(main)


@pytest.mark.parametrize("cut", [FaultProxy.hang_up, FaultProxy.half_close])
def test_an_end_of_tls_that_nobody_has_signed_is_a_loss_in_the_middle_of_the_item(cut, tmp_path):
    """A truncation, such as an attacker can make."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)

    async def main():
        async with way(server, tls={"ca_file": str(tmp_path / "ca.pem")}) as at:
            assert await ask(at.system, "ECHO sealed") == "sealed"
            cut(at.proxy)
            with pytest.raises(ConnectorError):
                await at.system.receive_data()
            assert at.system.is_connected is False

    run(main)


# ---- slow -------------------------------------------------------------------------------


def test_a_big_item_over_a_slow_line_is_sent_whole_within_write_timeout():
    async def main():
        async with sink(write_timeout=20) as (proxy, system, got):
            proxy.bandwidth(20 * BIG)
            proxy.latency(0.02, jitter=0.02)
            assert await system.send_data(bytes(BIG)) is True
            await system.disconnect()
            await eventually(lambda: got == [BIG + 1])

    run(main)


def test_a_big_item_over_a_line_that_is_too_slow_is_given_up_and_was_sent_in_part():
    async def main():
        async with sink(write_timeout=0.5) as (proxy, system, got):
            proxy.bandwidth(BIG / 100)
            with pytest.raises(ConnectorError, match=r"stalled: .* part may have arrived"):
                await system.send_data(bytes(BIG))
            proxy.heal()
            await eventually(lambda: len(got) == 1)
            assert 0 < got[0] < BIG

    run(main)


def test_an_item_that_comes_slower_than_read_timeout_is_none_and_then_comes_whole():
    async def main():
        async with way(read_timeout=0.05) as at:
            at.proxy.bandwidth(10_000, "to_client")
            text = "slow" * 500
            await at.system.send_data(f"ECHO {text}")
            answers = [None]
            while answers[-1] is None:
                answers.append(await at.system.receive_data())
            assert answers.count(None) > 1
            assert answers[-1] == text

    run(main)


# ---- a reset, and who comes back --------------------------------------------------------


def test_a_reset_while_a_question_is_out_is_an_error_and_the_next_has_its_own_answer():
    async def main():
        async with way() as at:
            at.proxy.latency(3600, direction="to_client")
            asking = asyncio.create_task(ask(at.system, "ECHO lost"))
            await eventually(lambda: at.instrument.commands == 1)
            at.proxy.reset()
            with pytest.raises(ConnectorError, match="reset"):
                await asking
            at.proxy.heal()
            assert await at.system.connect()
            assert await ask(at.system, "ECHO found") == "found"

    run(main)


def test_a_server_that_went_away_and_came_back_is_refused_and_then_connected():
    async def main():
        async with way() as at:
            at.proxy.refuse()
            at.proxy.reset()
            await eventually(lambda: not at.system.is_connected)
            with pytest.raises(ConnectorError, match="connection refused"):
                await at.system.connect()
            at.proxy.accept()
            assert await at.system.connect()
            assert await ask(at.system, "ECHO back") == "back"

    run(main)
