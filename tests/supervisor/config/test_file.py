"""A configuration becomes specs, or a list of everything that is wrong with it."""

import logging

import attrs
import pytest

from supervisor.config.file import (
    Config,
    ConfigError,
    load_config,
)
from supervisor.specs.options import LogLevel, SupervisorOptions
from supervisor.specs.policies import ReconnectPolicy, RestartPolicy, Strategy
from supervisor.specs.spec import GroupSpec, SystemSpec
from tests.helpers.configurations import parse, system

SECRET = "hunter2-and-more"


# ---- what is right -----------------------------------------------------------------


def test_a_full_file_becomes_options_and_specs(tmp_path):
    path = tmp_path / "plant.toml"
    path.write_text(
        """
        [supervisor]
        request_timeout = 12
        connect_timeout = "2m"
        max_payload_bytes = 1_000
        log_level = "debug"

        [[system]]
        name = "plc-1"
        kind = "mock"
        connect = true
        restart = {max_restarts = 7, period = "10s", backoff_min = "50ms", backoff_max = 2}
        start_timeout = "1m"
        shutdown = 0
        mailbox_size = 5
        [system.connection_details]
        host = "127.0.0.1"
        nested = {port = 80, list = [1, "two"]}

        [[system]]
        name = "plc-2"
        kind = "mock"
        """
    )
    details = {"host": "127.0.0.1", "nested": {"port": 80, "list": [1, "two"]}}
    assert load_config(path) == Config(
        SupervisorOptions(
            request_timeout=12.0,
            connect_timeout=120.0,
            max_payload_bytes=1000,
            log_level=LogLevel.DEBUG,
        ),
        GroupSpec(
            "root",
            (
                SystemSpec(
                    "plc-1",
                    "mock",
                    details,
                    connect=True,
                    restart=RestartPolicy(
                        max_restarts=7, period=10.0, backoff_min=0.05, backoff_max=2.0
                    ),
                    start_timeout=60.0,
                    shutdown=0.0,
                    mailbox_size=5,
                ),
                SystemSpec("plc-2", "mock"),
            ),
        ),
    )


def test_an_empty_file_has_the_defaults_and_no_systems():
    config = parse("")
    assert config == Config(SupervisorOptions(), GroupSpec("root"))
    assert attrs.asdict(config.options) == {
        "request_timeout": 30.0,
        "connect_timeout": 60.0,
        "max_payload_bytes": 16 * 1024 * 1024,
        "crash_reports": 10,
        "state_dir": None,
        "journal_bytes": 4 << 30,
        "dead_letters": 100_000,
        "dead_letters_for": 30 * 86_400.0,
        "log_level": "warning",
        "system_log_level": "info",
    }


@pytest.mark.parametrize("content", [b"", b"\n", b"# nothing yet\n"])
def test_a_file_with_nothing_in_it_is_a_mistake(tmp_path, content):
    path = tmp_path / "plant.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"plant.toml: is empty; a system begins with"):
        load_config(path)


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "plant.toml"
    path.write_bytes(b"\xef\xbb\xbf[supervisor]\nlog_level = 'INFO'\n")
    assert load_config(path).options.log_level is LogLevel.INFO


@pytest.mark.parametrize("strategy", ["one-for-one", "ONE_FOR_ONE", "One for one"])
def test_a_word_is_taken_as_it_is_meant(strategy):
    text = f"[[group]]\nname = 'line'\nstrategy = '{strategy}'\n"
    [group] = parse(text).tree.children
    assert group.strategy is Strategy.ONE_FOR_ONE


def test_a_log_level_knows_its_number():
    assert {level.value: level.number for level in LogLevel} == {
        "debug": logging.DEBUG,
        "info": logging.INFO,
        "warning": logging.WARNING,
        "error": logging.ERROR,
        "critical": logging.CRITICAL,
    }


def test_environment_variables_are_put_into_connection_details():
    config = parse(
        system(
            """
            [system.connection_details]
            url = "${SCHEME}://${HOST}/"
            nested = {list = ["${HOST}", 1, true]}
            """
        ),
        environ={"SCHEME": "https", "HOST": "plc.local"},
    )
    assert config.systems[0].connection_details == {
        "url": "https://plc.local/",
        "nested": {"list": ["plc.local", 1, True]},
    }


def test_a_port_may_come_from_the_environment():
    text = system('connection_details = {host = "plc", port = "${PORT}"}', kind="tcp")
    assert parse(text, environ={"PORT": "5025"}).systems[0].connection_details["port"] == "5025"
    with pytest.raises(ConfigError, match=r'"plc-1": connection_details\.port: must be') as caught:
        parse(text, environ={"PORT": SECRET})
    assert SECRET not in str(caught.value)


def test_a_variables_value_is_not_expanded_again():
    text = system('connection_details = {password = "${A}"}')
    config = parse(text, environ={"A": "${B}", "B": "no"})
    assert config.systems[0].connection_details == {"password": "${B}"}


@pytest.mark.parametrize(
    ("written", "meant"), [("$${A}", "${A}"), ("pa$$word$", "pa$$word$"), ("$A", "$A"), ("", "")]
)
def test_a_dollar_can_be_a_dollar(written, meant):
    config = parse(system(f'connection_details = {{password = "{written}"}}'), environ={"A": "x"})
    assert config.systems[0].connection_details == {"password": meant}


def test_variables_come_from_the_process_unless_told_otherwise(tmp_path, monkeypatch):
    monkeypatch.setenv("PLC_HOST", "10.0.0.1")
    path = tmp_path / "plant.toml"
    path.write_text(system('connection_details = {host = "${PLC_HOST}"}'))
    assert load_config(path).systems[0].connection_details == {"host": "10.0.0.1"}


def test_a_kind_is_checked_with_its_expanded_details():
    seen = []

    def check(kind, details):
        seen.append((kind, details))
        return []

    parse(
        system('connection_details = {host = "${HOST}"}', kind="opc"),
        environ={"HOST": "h"},
        check_kind=check,
    )
    assert seen == [("opc", {"host": "h"})]


@pytest.mark.parametrize("key", ["backoff_min", "backoff_max", "stable_after"])
def test_what_a_table_for_connecting_again_does_not_say_is_as_it_is_without_one(key):
    value = getattr(ReconnectPolicy(), key)
    toml = f"""
        [[system]]
        name = "plc"
        kind = "mock"
        reconnect = {{ {key} = {value} }}
    """
    [plc] = parse(toml).systems
    assert plc.reconnect == ReconnectPolicy()
    assert (plc.reconnect.backoff_min, plc.reconnect.backoff_max) == (0.2, 30.0)
    assert plc.reconnect.stable_after == 30.0
