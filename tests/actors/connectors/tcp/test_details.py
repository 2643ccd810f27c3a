"""What a TCP system is told of its counterpart."""

from __future__ import annotations

import pickle

import cloudpickle
import pytest

from actors.connectors.tcp.system import TcpSystem
from actors.errors import ActorSetupError
from actors.testing.instrument import InstrumentSimulator
from tests.helpers.net import run, system_at


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
        'framing: must be one of line, length, delimiter, fixed, raw; did you mean "line"?',
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
        ({"peer_timeout": 0.5}, "peer_timeout: must be a number of seconds from 1 to 86,400, or"),
        ({"host": ""}, "host: must be"),
        ({"host": "a..b"}, "host: must be"),
        ({"framing": ["line"]}, "framing: must be"),
        ({"framing": "length", "prefix_size": 3}, "prefix_size: must be one of 1, 2, 4, 8"),
        ({"prefix_size": 2}, 'prefix_size: is only for framing = "length"'),
        ({"framing": "delimiter"}, "delimiter: is missing"),
        ({"framing": "delimiter", "delimiter": ""}, "delimiter: must be"),
        ({"line_ending": ""}, "line_ending: must be ASCII characters, at least one"),
        ({"line_ending": "ü"}, "line_ending: must be ASCII characters, at least one"),
        ({"framing": "fixed"}, "item_size: is missing; it is how many bytes each item has"),
        ({"framing": "fixed", "item_size": 0}, "item_size: must be"),
        (
            {"framing": "fixed", "item_size": 9, "max_frame_size": 8},
            "item_size: is more than max_frame_size (8)",
        ),
        ({"item_size": 3}, 'item_size: is only for framing = "fixed", and framing is "line"'),
        (
            {"framing": "length", "idle": 1},
            'idle: is only for framing = "line" or "delimiter" or "raw", and framing is "length"',
        ),
        ({"idle": 0}, "idle: must be"),
        ({"host": "tcp://plc"}, 'host: must be a host name or an address: write "plc" alone'),
        ({"host": "plc:5025"}, 'host: must be a host name or an address: write host = "plc" and '),
        ({"host": "[::1]"}, 'host: must be a host name or an address: write "::1" alone'),
        ({"host": "[::1]:502"}, 'host: must be a host name or an address: write host = "::1" and '),
        ({"host": "a://u:pw@plc:5/x"}, 'host: must be a host name or an address: write host = "p'),
        ({"host": "plc/"}, 'host: must be a host name or an address: write "plc" alone'),
        ({"host": ":5025"}, "host: must be a host name or an address: write the name alone"),
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
        {"line_ending": "\r", "idle": "50ms"},
        {"framing": "fixed", "item_size": 12},
        {"framing": "raw", "encoding": "ascii"},
        {"framing": "raw", "idle": 0.05},
        {"host": "::1"},
        {"host": "fe80::1%eth0"},
        {"host": "plc-1.example.com"},
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
