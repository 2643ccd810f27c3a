"""A system with several addresses is connected to the next one that lets it in."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter

import pytest

from actors.connectors.tcp.places import Place
from actors.connectors.tcp.system import TcpSystem
from actors.errors import ActorSetupError, CertificateInvalidError, ConnectorError, FatalError
from tests.helpers.net import Peer, eventually, run


def a_port() -> int:
    """One that nobody listens on."""
    with contextlib.closing(Peer()) as peer:
        return peer.port


def system_at(*ports: int, **details: object) -> TcpSystem:
    return TcpSystem("dut", {"endpoints": [f"127.0.0.1:{port}" for port in ports], **details})


def test_the_next_attempt_is_for_the_next_endpoint():
    gone, later = a_port(), a_port()

    async def main():
        with contextlib.closing(Peer()) as peer:
            system = system_at(gone, later, peer.port)
            for port in (gone, later):
                with pytest.raises(ConnectorError, match=f"connect to 127.0.0.1:{port}: conn"):
                    await system.connect()
            assert system.connected_to is None
            await system.connect()
            assert system.connected_to == f"127.0.0.1:{peer.port}"
            await system.disconnect()
            await system.connect()  # one that works is kept
            assert system.connected_to == f"127.0.0.1:{peer.port}"
            await system.disconnect()

    run(main)


def test_after_a_loss_the_next_one_is_tried_and_after_the_last_the_first():
    async def main():
        with contextlib.closing(Peer()) as one, contextlib.closing(Peer()) as two:
            system = system_at(one.port, two.port)
            used = []
            for peer in (one, two, one):
                await system.connect()
                used.append(system.connected_to)
                await peer.accept()
                peer.reset()
                await eventually(lambda: not system.is_connected)
            assert used == [f"127.0.0.1:{peer.port}" for peer in (one, two, one)]
            await system.disconnect()

    run(main)


def test_an_attempt_that_is_cut_off_counts_for_its_endpoint():
    async def main():
        with contextlib.closing(Peer()) as silent, contextlib.closing(Peer()) as other:
            system = system_at(silent.port, other.port, tls=True, connect_timeout=60)
            task = asyncio.create_task(system.connect())
            await silent.accept()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert system._places.current == Place("127.0.0.1", other.port)
            await asyncio.sleep(0)

    run(main)


def test_one_that_refuses_for_good_is_no_reason_to_give_up_before_all_have(monkeypatch):
    answers: list[Exception] = []

    async def refuse(*_: object) -> None:
        raise answers.pop(0)

    monkeypatch.setattr("actors.connectors.tcp.system.open_connection", refuse)
    bad, away = CertificateInvalidError("bad certificate"), ConnectorError("no route")

    async def main():
        system = system_at(1, 2)
        kinds = []
        answers.extend([bad, away, bad, bad])
        for _ in range(4):
            with pytest.raises(ConnectorError) as raised:
                await system.connect()
            kinds.append(type(raised.value))
        assert kinds == [ConnectorError, ConnectorError, ConnectorError, CertificateInvalidError]
        answers.append(bad)
        with pytest.raises(FatalError):  # somebody asks again, and nothing was mended
            await system.connect()

    run(main)


def test_of_one_that_refuses_for_good_it_is_said_which_is_next(monkeypatch):
    async def refuse(*_: object) -> None:
        raise CertificateInvalidError("bad certificate")

    monkeypatch.setattr("actors.connectors.tcp.system.open_connection", refuse)

    async def main():
        text = "^bad certificate; the next attempt is for 127.0.0.1:2$"
        with pytest.raises(ConnectorError, match=text):
            await system_at(1, 2).connect()

    run(main)


def test_systems_that_shuffle_share_their_endpoints():
    begun = Counter(
        system_at(1, 2, 3, endpoint_order="shuffled")._places.current.port for _ in range(300)
    )
    assert min(begun[port] for port in (1, 2, 3)) > 50


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("plc-a:502", Place("plc-a", 502)),
        ("192.0.2.1:1", Place("192.0.2.1", 1)),
        ("[fe80::1]:502", Place("fe80::1", 502)),
    ],
)
def test_an_endpoint_is_a_host_and_a_port(written, place):
    assert TcpSystem("dut", {"endpoints": [written]})._details.places == (place,)
    assert str(place) == written


@pytest.mark.parametrize(
    "endpoints",
    [
        *([], "plc:1", ["plc"], ["plc:0"], ["plc:65536"], ["plc:x"], [":1"], ["::1:502"], [5]),
        *(["tcp://plc:1"], ["plc:1", "a b:2"], ["plc:1", None], {"plc": 1}),
    ],
)
def test_what_is_no_list_of_endpoints_is_refused(endpoints):
    [mistake] = TcpSystem.check_details({"endpoints": endpoints})
    assert mistake.startswith('endpoints: must be a list of texts such as "plc-a:502", at least')


def test_endpoints_take_the_place_of_host_and_port():
    details = {"endpoints": ["a:1"], "host": "b", "port": 2}
    assert TcpSystem.check_details(details) == [
        f"{name}: must not be there beside endpoints, which have hosts and ports"
        for name in ("host", "port")
    ]
    with pytest.raises(ActorSetupError, match="port: is missing"):
        TcpSystem("dut", {"host": "a"})
    with pytest.raises(ActorSetupError, match="endpoint_order: must be one of in_order, shuffled"):
        TcpSystem("dut", {"endpoints": ["a:1"], "endpoint_order": "random"})
