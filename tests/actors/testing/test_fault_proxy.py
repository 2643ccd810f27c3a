"""A fault proxy between a plain client and a plain server of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator
from random import Random

import attrs
import pytest
import uvloop

from actors.testing.fault_proxy import FaultProxy
from tests.helpers.net import BIG, CAP, Peer, run

BLOCK = 1024 * 1024


@attrs.frozen
class Ends:
    """A client, a proxy and a server, connected."""

    proxy: FaultProxy
    server: Peer
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


@contextlib.asynccontextmanager
async def ends() -> AsyncIterator[Ends]:
    with contextlib.closing(Peer()) as server:
        async with FaultProxy(server.port) as proxy, client(proxy) as (reader, writer):
            await server.accept()
            yield Ends(proxy, server, reader, writer)


@contextlib.asynccontextmanager
async def client(
    proxy: FaultProxy,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def stays_silent(reading: asyncio.Task[bytes]) -> None:
    """Whoever waits has heard nothing, after all that was to come has had its chance."""
    for _ in range(50):
        await asyncio.sleep(0.001)
    assert not reading.done()


# ---- what passes ----------------------------------------------------------------------


def test_without_a_fault_all_passes_both_ways_and_is_counted():
    async def main():
        async with ends() as at:
            at.writer.write(b"question")
            assert await at.server.receive(8) == b"question"
            await at.server.send(b"answer")
            assert await at.reader.readexactly(6) == b"answer"
            assert (at.proxy.accepted, at.proxy.connections) == (1, 1)
            assert (at.proxy.bytes_to_server, at.proxy.bytes_to_client) == (8, 6)

    run(main)


def test_much_passes_both_ways_at_once_whole():
    async def main():
        async with ends() as at:
            at.proxy.latency(0.01, jitter=0.01)
            sent, answered = bytes(range(256)) * (BLOCK // 128), b"answer" * BLOCK
            at.writer.write(sent)
            sending = asyncio.create_task(at.server.send(answered))
            reading = asyncio.create_task(at.reader.readexactly(len(answered)))
            assert await at.server.receive(len(sent)) == sent
            assert await reading == answered
            await sending

    run(main)


def test_the_end_of_a_client_is_passed_on_behind_its_data_and_the_connection_is_over():
    async def main():
        async with ends() as at:
            at.writer.write(b"bye")
            at.writer.close()
            assert await at.server.receive(10) == b"bye"
            at.server.close_connection()
            await at.proxy.until(lambda: at.proxy.connections == 0)

    run(main)


def test_a_half_close_of_one_end_is_one_of_the_other():
    async def main():
        async with ends() as at:
            at.writer.write_eof()
            assert await at.server.receive(1) == b""
            await at.server.send(b"still here")
            assert await at.reader.readexactly(10) == b"still here"
            at.server.close_connection()
            assert await at.reader.read() == b""
            await at.proxy.until(lambda: at.proxy.connections == 0)

    run(main)


def test_a_reset_of_the_server_is_one_for_the_client():
    async def main():
        async with ends() as at:
            at.server.reset()
            with pytest.raises(ConnectionResetError):
                await at.reader.read()
            await at.proxy.until(lambda: at.proxy.connections == 0)

    run(main)


def test_who_writes_to_an_end_that_is_gone_hears_of_it():
    async def main():
        async with ends() as at:
            at.server.close_connection()
            assert await at.reader.read() == b""
            at.writer.write(b"x")
            await at.proxy.until(lambda: at.proxy.connections == 0)
            at.writer.write(b"x")
            with pytest.raises(ConnectionError):
                await at.writer.wait_closed()

    run(main)


def test_a_server_that_is_not_there_resets_the_connection():
    async def main():
        with contextlib.closing(Peer()) as server:
            port = server.port
        async with FaultProxy(port) as proxy, client(proxy) as (reader, _):
            with pytest.raises(ConnectionResetError):
                await reader.read()

    run(main)


def test_a_server_that_comes_back_at_another_port_is_found_there():
    async def main():
        async with ends() as at:
            at.proxy.hang_up()
            with contextlib.closing(Peer()) as other:
                at.proxy.target = ("localhost", other.port)
                async with client(at.proxy) as (_, writer):
                    await other.accept()
                    writer.write(b"hello")
                    assert await other.receive(5) == b"hello"

    run(main)


# ---- conditions -----------------------------------------------------------------------


def test_latency_delays_and_one_way_only_if_that_is_wanted():
    async def main():
        async with ends() as at:
            loop = asyncio.get_running_loop()
            at.proxy.latency(0.2, direction="to_client")
            began = loop.time()
            await at.server.send(b"late")
            assert await at.reader.readexactly(4) == b"late"
            assert loop.time() - began >= 0.2
            at.proxy.latency(3600, direction="to_client")
            at.writer.write(b"in time")
            assert await at.server.receive(7) == b"in time"

    run(main)


def test_the_jitter_is_of_the_random_that_it_is_given():
    class Chance(Random):
        def random(self):
            raise AssertionError("each connection has chance of its own")

        def getrandbits(self, k):
            asked.append(k)
            return 1

    asked: list[int] = []

    async def main():
        with contextlib.closing(Peer()) as server:
            async with FaultProxy(server.port, random=Chance()) as proxy, client(proxy):
                await server.accept()
                assert len(asked) == 2

    run(main)


def test_a_bandwidth_makes_who_sends_much_wait():
    async def main():
        async with ends() as at:
            loop = asyncio.get_running_loop()
            at.proxy.bandwidth(100_000)
            began = loop.time()
            at.writer.write(bytes(30_000))
            assert len(await at.server.receive(30_000)) == 30_000
            assert loop.time() - began >= 0.2
            much = 8 * BLOCK
            at.writer.write(bytes(much))
            draining = asyncio.create_task(at.writer.drain())
            await at.proxy.until(lambda: at.proxy.bytes_to_server > 30_000)
            assert not draining.done()
            at.proxy.bandwidth(None)
            assert len(await at.server.receive(much)) == much
            await draining

    run(main)


def test_a_black_hole_passes_nothing_tells_nobody_and_gives_all_of_it_back():
    async def main():
        async with ends() as at:
            at.proxy.black_hole()
            at.writer.write(b"lost?")
            hearing = asyncio.create_task(at.server.receive(5))
            await stays_silent(hearing)
            assert at.proxy.connections == 1
            at.proxy.black_hole(on=False)
            assert await hearing == b"lost?"

    run(main)


def test_a_black_hole_hides_an_end_as_well():
    async def main():
        async with ends() as at:
            at.proxy.black_hole()
            at.server.reset()
            hearing = asyncio.create_task(at.reader.read())
            await stays_silent(hearing)
            at.proxy.heal()
            with pytest.raises(ConnectionResetError):
                await hearing

    run(main)


def test_a_black_hole_one_way_lets_the_other_pass():
    async def main():
        async with ends() as at:
            at.proxy.black_hole("to_client")
            at.writer.write(b"heard")
            assert await at.server.receive(5) == b"heard"
            await at.server.send(b"unheard")
            await stays_silent(asyncio.create_task(at.reader.read(1)))

    run(main)


def test_a_black_hole_accepts_and_the_server_knows_nothing_of_it():
    async def main():
        async with ends() as at:
            at.proxy.black_hole()
            async with client(at.proxy) as (_, writer):
                await at.proxy.until(lambda: at.proxy.accepted == 2)
                writer.write(b"anybody?")
                accepting = asyncio.create_task(at.server.accept())
                await asyncio.sleep(0.05)
                assert not accepting.done()
                at.proxy.heal()
                await accepting
                assert await at.server.receive(8) == b"anybody?"

    run(main)


def test_who_sends_into_a_black_hole_is_stopped_in_the_end():
    async def main():
        async with ends() as at:
            at.proxy.black_hole("to_server")
            at.writer.write(bytes(BIG))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await at.writer.drain()
            at.writer.transport.abort()

    run(main)


@pytest.mark.parametrize("reset", [False, True])
def test_a_truncated_connection_ends_after_so_many_bytes_and_so_does_the_next(reset):
    async def main():
        async with ends() as at:
            await at.server.send(b"before")
            assert await at.reader.readexactly(6) == b"before"
            at.proxy.truncate(4, reset=reset)
            await at.server.send(b"half|lost")
            assert await at.reader.readexactly(4) == b"half"
            await ends_by(at.reader, reset)
            async with client(at.proxy) as (reader, _):
                await at.server.accept()
                await at.server.send(b"aga")
                assert await reader.readexactly(3) == b"aga"
                await at.server.send(b"in")
                assert await reader.readexactly(1) == b"i"
                await ends_by(reader, reset)
            at.proxy.heal()
            async with client(at.proxy) as (reader, _):
                await at.server.accept()
                await at.server.send(b"whole again")
                assert await reader.readexactly(11) == b"whole again"

    async def ends_by(reader, reset):
        if reset:
            with pytest.raises(ConnectionResetError):
                await reader.read()
        else:
            assert await reader.read() == b""

    run(main)


def test_what_is_refused_is_refused_and_accepted_at_the_same_port_again():
    async def main():
        async with ends() as at:
            port = at.proxy.port
            for _ in range(3):
                at.proxy.refuse()
                at.proxy.refuse()
                with pytest.raises(ConnectionRefusedError):
                    await asyncio.open_connection(at.proxy.host, port)
                at.writer.write(b"on")
                assert await at.server.receive(2) == b"on"
                at.proxy.accept()
                at.proxy.accept()
                async with client(at.proxy):
                    pass
            assert at.proxy.port == port

    run(main)


def test_it_can_refuse_from_its_start():
    async def main():
        proxy = FaultProxy(1)
        proxy.refuse()
        async with proxy:
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(proxy.host, proxy.port)
            proxy.heal()
            async with client(proxy):
                pass

    run(main)


# ---- events ---------------------------------------------------------------------------


def test_a_reset_is_one_for_both_ends():
    async def main():
        async with ends() as at:
            at.proxy.reset()
            with pytest.raises(ConnectionResetError):
                await at.reader.read()
            with pytest.raises(ConnectionResetError):
                await at.server.receive(1)
            await at.proxy.until(lambda: at.proxy.connections == 0)

    run(main)


def test_hanging_up_is_an_orderly_end_for_both_also_with_data_on_its_way():
    async def main():
        async with ends() as at:
            at.proxy.black_hole()
            at.writer.write(b"never to arrive")
            await asyncio.sleep(0.01)
            at.proxy.hang_up()
            assert await at.reader.read() == b""
            assert await at.server.receive(1) == b""

    run(main)


def test_a_half_close_ends_one_way_behind_its_data_and_the_other_goes_on():
    async def main():
        async with ends() as at:
            at.proxy.latency(0.01)
            await at.server.send(b"last words")
            await at.proxy.until(lambda: at.proxy.bytes_to_client == 10)
            at.proxy.half_close()
            assert await at.reader.read() == b"last words"
            await at.server.send(b"into the void")
            at.writer.write(b"and yet")
            assert await at.server.receive(7) == b"and yet"
            at.writer.close()
            assert await at.server.receive(1) == b""
            await at.proxy.until(lambda: at.proxy.connections == 0)

    run(main)


def test_a_reset_behind_a_half_close_is_told():
    async def main():
        async with ends() as at:
            at.proxy.half_close()
            assert await at.reader.read() == b""
            at.server.reset()
            await at.proxy.until(lambda: at.proxy.connections == 0)

    run(main)


@pytest.mark.parametrize("event", [FaultProxy.reset, FaultProxy.hang_up, FaultProxy.half_close])
def test_an_event_is_also_for_who_has_connected_only_now(event):
    async def main():
        with contextlib.closing(Peer()) as server:
            async with FaultProxy(server.port) as proxy:
                with socket.create_connection((proxy.host, proxy.port)) as sock:
                    assert proxy.accepted == 0  # the loop has had no turn
                    event(proxy)
                    assert proxy.accepted == 1
                    sock.setblocking(False)
                    try:
                        assert await asyncio.get_running_loop().sock_recv(sock, 1) == b""
                    except ConnectionResetError:
                        assert event is FaultProxy.reset

    run(main)


# ---- its use --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda proxy: proxy.latency(-1), r"latency: -1 is no number, 0 or more"),
        (lambda proxy: proxy.latency(1, jitter=float("nan")), r"jitter: nan is no number"),
        (lambda proxy: proxy.bandwidth(0), r"use black_hole\(\)"),
        (lambda proxy: proxy.truncate(1.5), r"truncate: 1.5 is no number of bytes"),
        (lambda proxy: proxy.black_hole("up"), r"'up' is no direction: both, to_server, to_client"),
    ],
)
def test_a_mistake_is_told(wrong, said):
    with pytest.raises(ValueError, match=said):
        wrong(FaultProxy(1))


def test_it_says_what_it_has_seen_when_one_waits_in_vain():
    async def main():
        async with ends() as at:
            with pytest.raises(TimeoutError, match=r"not within 0.01 s; .* 1 connections accepted"):
                await at.proxy.until(lambda: False, timeout=0.01)

    run(main)


def test_it_runs_once_at_a_time_and_again_later():
    async def main():
        proxy = FaultProxy(1)
        with pytest.raises(RuntimeError, match="does not run"):
            _ = proxy.port
        for _ in range(2):
            async with proxy:
                with pytest.raises(RuntimeError, match="runs already"):
                    await proxy.start()
                with pytest.raises(RuntimeError, match="runs already"):
                    proxy.__enter__()
                with pytest.raises(RuntimeError, match=r"use until\(\)"):
                    proxy.wait_until(lambda: True)
        await proxy.stop()

    run(main)


def test_connections_of_whatever_state_are_closed_when_it_stops():
    async def main():
        async with ends() as at:
            at.proxy.black_hole()
            at.writer.write(bytes(BLOCK))
            async with client(at.proxy):
                await at.proxy.stop()
                assert at.proxy.connections == 0
                at.writer.transport.abort()

    run(main)


def test_a_test_without_an_event_loop_has_it_in_a_thread_that_ends(nothing_left):
    with socket.create_server(("127.0.0.1", 0)) as server:
        with FaultProxy(server.getsockname()[1]) as proxy:
            with socket.create_connection((proxy.host, proxy.port), timeout=10) as sock:
                peer, _ = server.accept()
                peer.sendall(b"hello")
                assert sock.recv(5) == b"hello"
                proxy.wait_until(lambda: proxy.bytes_to_client == 5)
                proxy.reset()
                with pytest.raises(ConnectionResetError):
                    sock.recv(1)
            peer.close()
            proxy.refuse()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((proxy.host, proxy.port))
            with pytest.raises(TimeoutError):
                proxy.wait_until(lambda: False, timeout=0.01)
        with pytest.raises(RuntimeError, match="does not run"):
            _ = proxy.port
        with proxy:
            pass


def test_a_coroutine_of_another_loop_is_told_how_to_wait():
    with FaultProxy(1) as proxy, pytest.raises(RuntimeError, match=r"use wait_until\(\)"):
        asyncio.run(proxy.until(lambda: True))


def test_faults_may_be_asked_for_in_many_threads_at_once(nothing_left):
    def disturb():
        for _ in range(50):
            proxy.latency(0.001)
            proxy.reset()
            proxy.refuse()
            proxy.heal()

    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        FaultProxy(server.getsockname()[1]) as proxy,
    ):
        threads = [threading.Thread(target=disturb) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with socket.create_connection((proxy.host, proxy.port), timeout=10):
            pass


def test_it_runs_on_uvloop_as_well():
    async def main():
        async with ends() as at:
            at.proxy.latency(0.001)
            at.proxy.bandwidth(1e6)
            at.writer.write(bytes(20_000))
            assert len(await at.server.receive(20_000)) == 20_000
            at.proxy.truncate(2, reset=True)
            await at.server.send(b"half")
            assert await at.reader.readexactly(2) == b"ha"
            with pytest.raises(ConnectionResetError):
                await at.reader.read()
            at.proxy.refuse()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(at.proxy.host, at.proxy.port)
            at.proxy.heal()
            async with client(at.proxy) as (reader, _):
                await at.server.accept()
                at.proxy.hang_up()
                assert await reader.read() == b""

    uvloop.run(asyncio.wait_for(main(), CAP))
