"""TLS is verified unless somebody says no, and every way it fails is told apart."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
import socket
import ssl

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from actors.connectors.tcp.system import TcpSystem
from actors.connectors.tls import TlsOptions, class_for, make_context
from actors.errors import (
    AuthenticationRefusedError,
    BadConfigurationError,
    CertificateInvalidError,
    ConnectorError,
    FatalError,
)
from actors.testing.instrument import InstrumentSimulator
from tests.helpers.net import connected, eventually, run

PASSWORD = "hunter2"


class Files:
    """An authority, and files with certificates it issued."""

    def __init__(self, folder) -> None:
        self.authority = trustme.CA()
        self.ca = str(folder / "ca.pem")
        self.authority.cert_pem.write_to_path(self.ca)
        self.other_ca = str(folder / "other-ca.pem")
        trustme.CA().cert_pem.write_to_path(self.other_ca)

        client = self.authority.issue_cert("client@example.com")
        self.cert = str(folder / "client.pem")
        client.cert_chain_pems[0].write_to_path(self.cert)
        self.key = str(folder / "client-key.pem")
        client.private_key_pem.write_to_path(self.key)
        self.both = str(folder / "client-both.pem")
        client.private_key_and_cert_chain_pem.write_to_path(self.both)
        self.other_key = str(folder / "other-key.pem")
        self.authority.issue_cert("other@example.com").private_key_pem.write_to_path(self.other_key)

        self.encrypted_key = str(folder / "encrypted-key.pem")
        key = load_pem_private_key(client.private_key_pem.bytes(), None)
        encrypted = key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD.encode())
        )
        (folder / "encrypted-key.pem").write_bytes(encrypted)

        self.garbage = str(folder / "garbage.pem")
        (folder / "garbage.pem").write_text("this is no certificate\n")
        self.missing = str(folder / "missing.pem")

    def server_context(self, *names: str, ask_client: bool = False) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.authority.issue_cert(*names).configure_cert(context)
        if ask_client:
            context.verify_mode = ssl.CERT_REQUIRED
            self.authority.configure_trust(context)
        return context


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Files:
    return Files(tmp_path_factory.mktemp("tls"))


def identify(server: ssl.SSLContext | None, tls: object) -> str:
    """What an instrument answers that is asked who it is."""

    async def main() -> object:
        async with InstrumentSimulator(tls=server) as simulator:
            system = TcpSystem(
                "dut", {"host": "127.0.0.1", "port": simulator.port, "tls": tls, "read_timeout": 10}
            )
            try:
                await system.connect()
                await system.send_data("*IDN?")
                return await system.receive_data()
            finally:
                await system.disconnect()

    answer = run(main)
    assert isinstance(answer, str)
    return answer


# ---- who the system is ----------------------------------------------------------------


def test_a_certificate_of_the_trusted_authority_is_accepted(files):
    server = files.server_context("127.0.0.1")
    assert identify(server, {"ca_file": files.ca}).startswith("EXTSYS")


@pytest.mark.parametrize("tls", ["other", True])
def test_a_certificate_of_another_authority_is_refused(files, tls):
    server = files.server_context("127.0.0.1")
    tls = {"ca_file": files.other_ca} if tls == "other" else tls
    with pytest.raises(
        CertificateInvalidError,
        match=r"cannot connect to 127.*certificate was refused: .*; set tls\.ca_file",
    ):
        identify(server, tls)


def test_a_certificate_for_another_name_is_refused(files):
    server = files.server_context("plc.example.com")
    with pytest.raises(
        CertificateInvalidError, match=r"not valid for '127.* set tls\.server_hostname"
    ):
        identify(server, {"ca_file": files.ca})


def test_a_certificate_for_another_name_is_accepted_when_that_name_is_asked_for(files):
    server = files.server_context("plc.example.com")
    tls = {"ca_file": files.ca, "server_hostname": "plc.example.com"}
    assert identify(server, tls).startswith("EXTSYS")
    with pytest.raises(CertificateInvalidError, match=r"not valid for 'rtu\.example\.com'"):
        identify(server, {**tls, "server_hostname": "rtu.example.com"})


def test_without_verification_anyone_is_accepted_and_a_warning_says_what_is_lost(files, caplog):
    server = files.server_context("plc.example.com")
    with caplog.at_level(logging.WARNING, logger="extsys.tls"):
        assert identify(server, {"verify": False}).startswith("EXTSYS")
    assert "127.0.0.1:" in caplog.text
    assert "is not verified (tls.verify is false)" in caplog.text
    assert "can pose as the system, and read and change all data" in caplog.text


def test_with_verification_there_is_no_warning(files, caplog):
    identify(files.server_context("127.0.0.1"), {"ca_file": files.ca})
    assert caplog.text == ""


def test_a_system_that_speaks_no_tls_is_told_apart():
    async def main():
        async with connected() as (peer, _):
            system = TcpSystem("dut", {"host": "127.0.0.1", "port": peer.port, "tls": True})
            connecting = asyncio.create_task(system.connect())
            await peer.accept()
            await peer.send(b"220 welcome, but not to TLS\r\n")
            with pytest.raises(ConnectorError, match="is no TLS; set tls to false") as raised:
                await connecting
            assert not isinstance(raised.value, FatalError)

    run(main)


def test_a_system_that_hangs_up_in_the_handshake_is_told_apart():
    async def main():
        async with connected() as (peer, _):
            system = TcpSystem("dut", {"host": "127.0.0.1", "port": peer.port, "tls": True})
            connecting = asyncio.create_task(system.connect())
            await peer.accept()
            await peer.receive(1)
            peer.reset()
            with pytest.raises(ConnectorError, match="broke off the TLS handshake") as raised:
                await connecting
            assert not isinstance(raised.value, FatalError)

    run(main)


# ---- what a second try can help ---------------------------------------------------------


def test_an_expired_certificate_is_refused_for_good(files):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    files.authority.issue_cert("127.0.0.1", not_after=past).configure_cert(context)
    with pytest.raises(CertificateInvalidError, match="has expired; it needs a new one"):
        identify(context, {"ca_file": files.ca})


def test_a_certificate_that_is_not_valid_yet_will_be():
    error = ssl.SSLCertVerificationError(1, "x")
    error.reason, error.verify_code = "CERTIFICATE_VERIFY_FAILED", 9
    assert class_for(error) is ConnectorError
    error.verify_code = 10
    assert class_for(error) is CertificateInvalidError


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", AuthenticationRefusedError),
        ("TLSV1_ALERT_UNKNOWN_CA", AuthenticationRefusedError),
        ("SSLV3_ALERT_CERTIFICATE_REVOKED", AuthenticationRefusedError),
        ("TLSV1_ALERT_ACCESS_DENIED", AuthenticationRefusedError),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", BadConfigurationError),
        ("TLSV1_ALERT_PROTOCOL_VERSION", BadConfigurationError),
        ("UNSUPPORTED_PROTOCOL", BadConfigurationError),
        ("TLSV1_ALERT_INTERNAL_ERROR", ConnectorError),
        ("WRONG_VERSION_NUMBER", ConnectorError),
        ("UNEXPECTED_EOF_WHILE_READING", ConnectorError),
        ("DECRYPTION_FAILED_OR_BAD_RECORD_MAC", ConnectorError),
        (None, ConnectorError),
    ],
)
def test_a_refusal_is_for_good_only_where_that_is_certain(reason, kind):
    error = ssl.SSLError(1, "x")
    error.reason = reason
    assert class_for(error) is kind


# ---- who we are -----------------------------------------------------------------------


def test_a_client_certificate_is_shown_to_who_asks(files):
    server = files.server_context("127.0.0.1", ask_client=True)
    for own in (
        {"cert_file": files.cert, "key_file": files.key},
        {"cert_file": files.both},
        {"cert_file": files.cert, "key_file": files.encrypted_key, "key_password": PASSWORD},
    ):
        assert identify(server, {"ca_file": files.ca, **own}).startswith("EXTSYS")


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        (ssl.TLSVersion.TLSv1_2, BadConfigurationError),  # its alert says no more than no
        (ssl.TLSVersion.TLSv1_3, AuthenticationRefusedError),
    ],
)
def test_a_missing_client_certificate_is_named_as_the_reason(files, version, kind):
    context = files.server_context("127.0.0.1", ask_client=True)
    context.minimum_version = context.maximum_version = version

    def refuse(listener: socket.socket) -> None:
        # A blocking server: the one of asyncio hangs up without the alert that says why.
        connection, _ = listener.accept()
        with connection, contextlib.suppress(ssl.SSLError):
            context.wrap_socket(connection, server_side=True).close()

    async def main():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            refusing = asyncio.create_task(asyncio.to_thread(refuse, listener))
            details = {"tls": {"ca_file": files.ca}, "read_timeout": 10}
            port = listener.getsockname()[1]
            system = TcpSystem("dut", {"host": "127.0.0.1", "port": port, **details})

            async def connect_and_receive():
                # With TLS 1.3 the refusal comes after the handshake.
                await system.connect()
                await system.receive_data()

            losses: list[object] = []
            system._extsys_on_loss = losses.append
            text = r"set tls\.cert_file and tls\.key_file"
            with pytest.raises(kind, match=text):
                await connect_and_receive()
            assert system.is_connected is False
            assert all(isinstance(each, kind) for each in losses)
            await refusing
            await system.disconnect()

    run(main)


# ---- files ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"ca_file": "missing"}, "tls.ca_file '{missing}' cannot be read: No such file"),
        ({"ca_file": "garbage"}, "tls.ca_file '{garbage}' holds no certificates in PEM format"),
        ({"cert_file": "missing"}, "tls.cert_file '{missing}' cannot be read: No such file"),
        ({"cert_file": "cert", "key_file": "missing"}, "tls.key_file '{missing}' cannot be read"),
        ({"cert_file": "garbage", "key_file": "key"}, "'{garbage}' must hold a certificate"),
        ({"cert_file": "cert"}, "tls.cert_file '{cert}' its private key, in PEM format"),
        ({"cert_file": "cert", "key_file": "other_key"}, "'{other_key}' do not belong together"),
        (
            {"cert_file": "cert", "key_file": "encrypted_key"},
            "tls.key_file '{encrypted_key}' has an encrypted key, and tls.key_password is not set",
        ),
        (
            {"cert_file": "cert", "key_file": "encrypted_key", "key_password": "wrong"},
            "tls.key_file '{encrypted_key}' has an encrypted key, and tls.key_password is wrong",
        ),
    ],
)
def test_a_file_that_is_no_good_is_named_with_its_option(files, options, text):
    paths = {
        option: value if option == "key_password" else getattr(files, value)
        for option, value in options.items()
    }
    with pytest.raises(BadConfigurationError) as caught:
        make_context(TlsOptions(**paths), "plc:1")
    assert text.format(**vars(files)) in str(caught.value)
    assert "wrong'" not in str(caught.value)


def test_a_bad_file_is_an_answer_to_connect(files):
    with pytest.raises(BadConfigurationError, match=r"cannot connect to 127.*: tls\.ca_file"):
        identify(None, {"ca_file": files.missing})


def test_a_context_verifies_unless_told():
    context = make_context(TlsOptions(), "plc:1")
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname is True
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_the_key_password_does_not_print():
    assert PASSWORD not in repr(TlsOptions(cert_file="c", key_password=PASSWORD))
    with pytest.raises(ValueError, match="key_password must be") as caught:
        TlsOptions(cert_file="c", key_password=PASSWORD * 1000)
    assert PASSWORD not in str(caught.value)


# ---- the stream -----------------------------------------------------------------------


def test_many_items_go_both_ways_under_tls(files):
    async def main():
        async with InstrumentSimulator(tls=files.server_context("127.0.0.1")) as simulator:
            system = TcpSystem(
                "dut",
                {"host": "127.0.0.1", "port": simulator.port, "tls": {"ca_file": files.ca}},
            )
            await system.connect()
            items = [f"{number} {'x' * 10_000}" for number in range(1000)]

            async def send():
                for item in items:
                    assert await system.send_data(f"ECHO {item}")

            sending = asyncio.create_task(send())
            got = []
            while len(got) < len(items):
                got += await system.receive_many(50, 10.0)
            await sending
            assert got == items
            await system.disconnect()

    run(main)


def test_sends_under_tls_do_not_wait_for_answers(files):
    async def main():
        server = files.server_context("127.0.0.1")
        async with InstrumentSimulator(tls=server, mute=True) as simulator:
            system = TcpSystem(
                "dut",
                {"host": "127.0.0.1", "port": simulator.port, "tls": {"ca_file": files.ca}},
            )
            await system.connect()
            for _ in range(5):
                assert await system.send_data("*IDN?") is True
            await eventually(lambda: simulator.commands == 5)
            await system.disconnect()

    run(main)


def test_the_end_of_a_tls_connection_is_noticed_when_nobody_receives(files):
    async def main():
        async with InstrumentSimulator(tls=files.server_context("127.0.0.1")) as simulator:
            system = TcpSystem(
                "dut",
                {"host": "127.0.0.1", "port": simulator.port, "tls": {"ca_file": files.ca}},
            )
            await system.connect()
            assert await system.check_health() is True
            await system.send_data("*IDN?")
            assert await system.receive_data()
            simulator.drop_connections()
            await eventually(lambda: not system.is_connected)
            with pytest.raises(ConnectorError, match="closed the connection"):
                await system.receive_data()
            await system.disconnect()

    run(main)


def test_a_tls_system_that_stops_reading_is_given_up(files):
    async def main():
        async with InstrumentSimulator(tls=files.server_context("127.0.0.1")) as simulator:
            details = {"max_frame_size": 2**26, "write_timeout": 0.1}
            system = TcpSystem(
                "dut",
                {
                    "host": "127.0.0.1",
                    "port": simulator.port,
                    "tls": {"ca_file": files.ca},
                    **details,
                },
            )
            await system.connect()
            await eventually(lambda: simulator.connections == 1)
            (session,) = simulator._sessions
            session._transport.pause_reading()

            async def send_on():
                while True:
                    await system.send_data("x" * 2**23)

            with pytest.raises(ConnectorError, match="stalled"):
                await send_on()
            assert system.is_connected is False
            await system.disconnect()

    run(main)
