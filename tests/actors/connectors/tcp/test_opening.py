"""A TCP connection that is made and ended, or is not to be had."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket

import pytest

from actors.connectors.tcp import connection
from actors.connectors.tcp.opening import _interleaved
from actors.connectors.tcp.system import TcpSystem
from actors.errors import ConnectorError
from actors.testing.instrument import InstrumentSimulator
from tests.helpers.net import (
    BIG,
    Peer,
    connected,
    eventually,
    make_deaf,
    open_sockets,
    run,
    system_at,
)


def test_a_refused_connection_names_the_address_and_the_reason():
    with contextlib.closing(Peer()) as peer:
        port = peer.port

    async def main():
        system = system_at(port)
        with pytest.raises(
            ConnectorError, match=f"cannot connect to 127.0.0.1:{port}: connection refused"
        ):
            await system.connect()
        assert system.is_connected is False
        assert await system.disconnect() is True

    run(main)


def test_an_unknown_host_name_is_named(monkeypatch):
    async def getaddrinfo(*_args, **_options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def main():
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
        system = TcpSystem("dut", {"host": "no.such.host", "port": 1})
        with pytest.raises(ConnectorError, match=r"no\.such\.host:1: the host name cannot be"):
            await system.connect()

    run(main)


def test_the_next_address_of_a_host_is_tried_when_one_refuses(monkeypatch):
    with contextlib.closing(Peer()) as gone:
        refused = ("127.0.0.1", gone.port)

    async def main():
        async with InstrumentSimulator() as simulator:
            entry = (socket.AF_INET, socket.SOCK_STREAM, 6, "")

            async def getaddrinfo(*_args, **_options):
                return [(*entry, refused), (*entry, ("127.0.0.1", simulator.port))]

            monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
            system = TcpSystem("dut", {"host": "two", "port": 1})
            assert await system.connect()
            assert await system.disconnect()

    run(main)


def resolve(monkeypatch, *addresses):
    """Have a name be looked up as these."""
    found = [
        (
            socket.AF_INET6 if ":" in host else socket.AF_INET,
            socket.SOCK_STREAM,
            6,
            "",
            (host, port),
        )
        for host, port in addresses
    ]

    async def getaddrinfo(*_args, **_options):
        return found

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)


@contextlib.contextmanager
def nobody(host="127.0.0.2"):
    """An address that answers nothing."""
    with socket.create_server((host, 0)) as listener:
        make_deaf(listener)
        yield listener.getsockname()[:2]


def test_the_next_address_of_a_host_is_tried_when_one_does_not_answer(monkeypatch):
    async def main():
        async with InstrumentSimulator() as simulator:
            with nobody() as dead, nobody("127.0.0.3") as dead_too:
                resolve(monkeypatch, dead, dead_too, ("127.0.0.1", simulator.port))
                system = TcpSystem("dut", {"host": "three", "port": 1, "connect_timeout": 15})
                assert await system.connect()
                sock = system._connection._transport.get_extra_info("socket")
                assert sock.getpeername() == ("127.0.0.1", simulator.port)
                assert await system.disconnect()

    run(main)


def test_addresses_that_do_not_answer_do_not_use_up_the_time_of_the_next(monkeypatch):
    """All in one connect_timeout that is shorter than what one of them would take."""

    async def main():
        with nobody() as dead:
            resolve(monkeypatch, dead, dead)
            system = TcpSystem("dut", {"host": "two", "port": 1, "connect_timeout": 0.6})
            with pytest.raises(ConnectorError, match="it did not answer within connect_timeout"):
                await system.connect()

    run(main)


def test_addresses_of_both_families_are_tried_by_turns():
    def address(family, number):
        return (family, socket.SOCK_STREAM, 6, "", number)

    six, four = socket.AF_INET6, socket.AF_INET
    found = [address(six, 1), address(six, 2), address(six, 3), address(four, 4), address(four, 5)]
    assert [each[4] for each in _interleaved(found)] == [1, 4, 2, 5, 3]


def test_addresses_that_fail_for_one_reason_are_said_as_one(monkeypatch):
    with contextlib.closing(Peer()) as gone:
        port = gone.port

    async def main():
        resolve(monkeypatch, ("127.0.0.1", port), ("127.0.0.2", port))
        system = TcpSystem("dut", {"host": "two", "port": 1})
        with pytest.raises(ConnectorError, match="cannot connect to two:1: connection refused; "):
            await system.connect()

    run(main)


def test_addresses_that_fail_for_different_reasons_are_said_one_by_one(monkeypatch):
    with contextlib.closing(Peer()) as gone:
        port = gone.port

    async def main():
        resolve(monkeypatch, ("127.0.0.1", port), ("255.255.255.255", port))
        system = TcpSystem("dut", {"host": "two", "port": 1})
        with pytest.raises(ConnectorError, match=r"none of its 2 addresses .*'127\.0\.0\.1'.*;"):
            await system.connect()

    run(main)


@pytest.mark.parametrize("step", ["getaddrinfo", "sock_connect"])
def test_a_connection_that_takes_too_long_is_given_up(monkeypatch, step):
    async def never(*_args, **_options):
        await asyncio.Event().wait()

    async def main():
        monkeypatch.setattr(asyncio.get_running_loop(), step, never)
        system = TcpSystem("dut", {"host": "127.0.0.1", "port": 1, "connect_timeout": 0.01})
        with pytest.raises(
            ConnectorError, match=r"it did not .* within connect_timeout \(0.01 s\)"
        ):
            await system.connect()

    run(main)


def test_a_handshake_that_is_not_answered_is_given_up_and_leaves_no_socket():
    async def main():
        with contextlib.closing(Peer()) as peer:
            system = system_at(peer.port, tls=True, connect_timeout=0.05)
            before = open_sockets()
            with pytest.raises(ConnectorError, match="did not finish the TLS handshake within"):
                await system.connect()
            assert open_sockets() == before
            # The end of the stream comes only when the other end has closed its socket.
            await peer.accept()
            assert (await peer.receive(100_000)).startswith(b"\x16\x03")

    run(main)


def test_a_cancelled_connect_leaves_no_socket():
    async def main():
        with contextlib.closing(Peer()) as peer:
            system = system_at(peer.port, tls=True)
            connecting = asyncio.create_task(system.connect())
            await peer.accept()
            await peer.receive(1)
            connecting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await connecting
            assert system.is_connected is False

    run(main)


def test_what_is_not_connected_sends_and_receives_nothing():
    async def main():
        system = system_at(1)
        assert await system.send_data("x") is False
        assert await system.send_many(["x", "y"]) == [False, False]
        assert await system.receive_data() is None
        assert await system.receive_many(5, 10.0) == []
        assert await system.check_health() is False
        assert await system.disconnect() is True

    run(main)


def test_connecting_twice_is_one_connection():
    async def main():
        async with InstrumentSimulator() as simulator:
            system = system_at(simulator.port)
            assert await system.connect()
            assert await system.connect()
            await system.send_data("*IDN?")
            await system.receive_data()
            assert simulator.connections == 1
            assert await system.disconnect()
            assert await system.disconnect()
            assert await system.connect()
            assert await system.disconnect()

    run(main)


def test_the_socket_finds_dead_peers_and_does_not_wait_to_fill_packets():
    async def main():
        async with connected() as (_, system):
            sock = system._connection._transport.get_extra_info("socket")
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 10
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 120_000

    run(main)


@pytest.mark.parametrize("sends", [True, False])
def test_a_peer_that_is_gone_without_a_word_is_lost_when_it_was_silent_for_too_long(sends):
    async def main():
        async with connected(peer_timeout=1, read_timeout=20) as (peer, system):
            if sends:
                peer.be_deaf()
                assert await system.send_data("is there anybody?") is True
            else:
                peer.be_deaf()
            with pytest.raises(ConnectorError, match=r"127\.0\.0\.1:\d+ was silent for longer"):
                await system.receive_data()
            assert system.is_connected is False

    run(main)


def test_disconnect_ends_a_receive_without_an_error_and_a_stalled_send_with_one(monkeypatch):
    monkeypatch.setattr(connection, "CLOSE_TIMEOUT", 0.05)

    async def main():
        details = {"encoding": "bytes", "max_frame_size": BIG}
        async with connected(read_timeout=60, write_timeout=60, **details) as (_, system):
            receiving = asyncio.create_task(system.receive_data())
            sending = asyncio.create_task(system.send_data(b"x" * BIG))
            await eventually(lambda: not system._connection._written.is_set())
            assert await system.disconnect() is True
            assert await receiving is None
            with pytest.raises(ConnectorError, match=r"disconnected from .* while data was being"):
                await sending

    run(main)


def test_disconnect_lets_what_was_sent_arrive(monkeypatch):
    monkeypatch.setattr(connection, "CLOSE_TIMEOUT", 20.0)

    async def main():
        details = {"encoding": "bytes", "max_frame_size": BIG}
        async with connected(**details) as (peer, system):
            sending = asyncio.create_task(system.send_data(b"x" * BIG))
            await eventually(lambda: not system._connection._written.is_set())
            got = asyncio.create_task(peer.receive(BIG + 1))
            assert await system.disconnect() is True
            assert await sending is True
            assert await got == b"x" * BIG + b"\n"

    run(main)


def test_a_cancelled_disconnect_leaves_no_socket(monkeypatch):
    monkeypatch.setattr(connection, "CLOSE_TIMEOUT", 20.0)

    async def main():
        details = {"encoding": "bytes", "max_frame_size": BIG, "write_timeout": 60}
        async with connected(read_timeout=60, **details) as (_, system):
            receiving = asyncio.create_task(system.receive_data())
            sending = asyncio.create_task(system.send_data(b"x" * BIG))
            await eventually(lambda: not system._connection._written.is_set())
            disconnecting = asyncio.create_task(system.disconnect())
            assert await receiving is None
            assert not disconnecting.done()
            disconnecting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await disconnecting
            assert system.is_connected is False
            with pytest.raises(ConnectorError, match="disconnected from"):
                await sending

    run(main)


def test_disconnect_drops_what_nobody_received_and_says_so(caplog):
    async def main():
        async with connected() as (peer, system):
            await peer.send(b"a\nb\n")
            await eventually(lambda: len(system._queue) == 2)
            await system.disconnect()
            assert await system.receive_data() is None

    with caplog.at_level(logging.WARNING):
        run(main)
    assert "disconnects with 2 items that nobody received" in caplog.text
