"""A TCP system against real sockets of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import pickle
import socket

import cloudpickle
import pytest

from actors.connectors.tcp import connection
from actors.connectors.tcp.system import TcpSystem
from actors.errors import ActorSetupError, ConnectorError, ItemRefusedError
from actors.testing.instrument import InstrumentSimulator
from tests.helpers.net import Peer, connected, eventually, open_sockets, run

BIG = 32 * 1024 * 1024
"""More bytes than the kernel buffers of one connection take."""


def system_at(port: int, **details: object) -> TcpSystem:
    return TcpSystem("dut", {"host": "127.0.0.1", "port": port, **details})


# ---- details --------------------------------------------------------------------------


def test_all_mistakes_in_the_details_come_in_one_error():
    details = {
        "hots": "plc",
        "port": "eighty",
        "framing": "lines",
        "delimiter": [300],
        "encoding": "rot13",
        "read_timeout": -1,
        "write_timeout": float("nan"),
        "connect_timeout": True,
        "max_frame_size": 0,
        "tls": {"verify": 1, "cafile": "ca.pem"},
    }
    with pytest.raises(ActorSetupError) as caught:
        TcpSystem("plc-1", details)
    text = str(caught.value)
    for expected in (
        "'plc-1'",
        "host: is missing; it must be a host name or an address",
        'hots: is no known key; did you mean "host"?',
        "port: must be a whole number from 1 to 65535, not a string",
        'framing: must be one of line, length, delimiter; did you mean "line"?',
        "delimiter: must be a text, bytes or a list of byte values that is not empty",
        "encoding: must be a text encoding",
        "read_timeout: must be a finite number of seconds, 0 or more, 86400 at most, or",
        "write_timeout: must be a finite number of seconds, more than 0, 86400 at most, or",
        "connect_timeout: must be a finite number of seconds",
        "max_frame_size: must be a whole number of bytes from 1",
        "tls.verify: must be true or false, not a whole number",
        'tls.cafile: is no known key; did you mean "ca_file"?',
    ):
        assert expected in text
    assert len(TcpSystem.check_details(details)) == 12


@pytest.mark.parametrize(
    ("details", "mistake"),
    [
        ({"port": 0}, "port: must be"),
        ({"port": 65536}, "port: must be"),
        ({"port": True}, "port: must be"),
        ({"port": "0"}, "port: must be"),
        ({"port": "\uff19"}, "port: must be"),
        ({"port": "9" * 5000}, "port: must be"),
        ({"read_timeout": float("inf")}, "read_timeout: must be"),
        ({"host": ""}, "host: must be"),
        ({"host": "a..b"}, "host: must be"),
        ({"framing": ["line"]}, "framing: must be"),
        ({"framing": "length", "prefix_size": 3}, "prefix_size: must be one of 1, 2, 4, 8"),
        ({"prefix_size": 2}, 'prefix_size: is only for framing = "length"'),
        ({"framing": "delimiter"}, "delimiter: is missing"),
        ({"framing": "delimiter", "delimiter": ""}, "delimiter: must be"),
        ({"line_ending": "\r"}, r'line_ending: must be one of "\n", "\r\n"'),
        ({"encoding": "utf-16"}, "encoding: has no single-byte line ends"),
        ({"tls": "yes"}, "tls: must be true, false, or a table of TLS options, not a string"),
        ({"tls": {"key_password": "secret"}}, "tls.key_password: needs cert_file too"),
        ({"tls": {"server_hostname": ".a"}}, "tls.server_hostname: must be"),
    ],
)
def test_each_mistake_is_named_with_its_key(details, mistake):
    (found,) = TcpSystem.check_details({"host": "127.0.0.1", "port": 1, **details})
    assert found.startswith(mistake)


def test_details_that_are_no_table_are_a_mistake():
    (mistake,) = TcpSystem.check_details([])
    assert "must be a table of keys, not an array" in mistake


@pytest.mark.parametrize(
    "details",
    [
        {},
        {"read_timeout": 0, "connect_timeout": 3},
        {"connect_timeout": "500ms"},
        {"tls": True},
        {"tls": False},
        {"encoding": None},
        {"encoding": "bytes"},
        {"framing": "length", "encoding": "utf-16", "byte_order": "little"},
        {"framing": "delimiter", "delimiter": [0xFF, 0xFF, 0xFF]},
        {"framing": "delimiter", "delimiter": "\x03"},
        {"framing": "delimiter", "delimiter": b"\x03"},
    ],
)
def test_good_details_have_no_mistakes(details):
    details = {"host": "::1", "port": 65535, **details}
    assert TcpSystem.check_details(details) == []
    TcpSystem("dut", details)


def test_a_port_may_be_a_string_of_its_digits_as_the_environment_has_it():
    system = TcpSystem("dut", {"host": "127.0.0.1", "port": "5025"})
    assert system._details.port == 5025


def test_a_value_in_a_string_that_is_out_of_range_is_not_taken_for_a_string():
    details = {"host": "a", "port": "70000", "read_timeout": "48h"}
    mistakes = TcpSystem.check_details(details)
    assert mistakes[0] == "port: must be a whole number from 1 to 65535"
    assert mistakes[1].endswith('or a duration such as "500ms" or "2m"')


def test_what_does_not_go_together_is_told_where_the_rest_is_right():
    details = {"port": 0, "host": "a", "tls": {"key_file": "k", "key_password": "p"}}
    assert [mistake.partition(": ")[::2] for mistake in TcpSystem.check_details(details)] == [
        ("port", "must be a whole number from 1 to 65535"),
        ("tls.key_file", "needs cert_file too"),
        ("tls.key_password", "needs cert_file too"),
    ]


def test_a_password_is_shown_neither_by_mistakes_nor_by_the_details():
    tls: dict[str, object] = {"cert_file": "c", "key_password": "hunter2"}
    details = {"host": "a", "port": 1, "tls": tls}
    assert "hunter2" not in repr(TcpSystem("dut", details)._details)
    tls["key_password"] = ["hunter2"]
    assert "hunter2" not in str(TcpSystem.check_details(details))


def test_a_system_pickles_before_it_connects():
    async def main():
        async with InstrumentSimulator() as simulator:
            system = pickle.loads(cloudpickle.dumps(system_at(simulator.port)))
            assert await system.connect()
            assert await system.disconnect()

    run(main)


# ---- connect and disconnect -----------------------------------------------------------


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


# ---- send and receive -----------------------------------------------------------------


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


# ---- loss -----------------------------------------------------------------------------


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
            with pytest.raises(
                ConnectorError, match=r"lost the connection to .*: connection reset"
            ):
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
            with pytest.raises(ConnectorError, match=r"(lost|closed) the connection"):
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


def test_check_health_sees_an_end_behind_items_that_nobody_receives():
    async def main():
        async with connected(encoding="bytes") as (peer, system):
            flooding = asyncio.create_task(peer.send(b"x\n" * BIG))
            await eventually(lambda: not system._connection._transport.is_reading())
            assert await system.check_health() is True
            flooding.cancel()
            with pytest.raises(asyncio.CancelledError):
                await flooding
            peer.reset()
            assert system.is_connected is True
            assert await system.check_health() is False
            with pytest.raises(ConnectorError, match="closed the connection; nothing was sent"):
                await system.send_data(b"x")

    run(main)
