"""Configurations that are wrong, or none at all."""

import pytest

from actors.connectors.mock.system import MockExternalSystem
from supervisor.config.file import (
    ConfigError,
    check_kind,
    load_config,
    parse_config,
)
from tests.helpers.configurations import mistakes, system

SECRET = "hunter2-and-more"


# ---- what is wrong -----------------------------------------------------------------


def in_supervisor(line):
    return f"[supervisor]\n{line}\n"


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (
            in_supervisor("request_timout = 3"),
            'supervisor.request_timout: is no known key; did you mean "request_timeout"?',
        ),
        (
            in_supervisor("xyz = 3"),
            "supervisor.xyz: is no known key; known are auto_shutdown, connect_timeout, "
            "crash_reports, dead_letters, dead_letters_for, give_up, journal_bytes, "
            "log_level, max_payload_bytes, max_restarts, on_start_failure, order, period, "
            "request_timeout, state_dir, strategy",
        ),
        (
            in_supervisor("request_timeout = 0"),
            "supervisor.request_timeout: must be a finite number of seconds, more than 0, or a "
            'duration such as "500ms" or "2m", not 0',
        ),
        (
            in_supervisor("request_timeout = inf"),
            "supervisor.request_timeout: must be a finite number of seconds",
        ),
        (
            in_supervisor('connect_timeout = "soon"'),
            "supervisor.connect_timeout: must be a finite number of seconds, more than 0, or a "
            'duration such as "500ms" or "2m", not the string \'soon\'',
        ),
        (
            in_supervisor("max_payload_bytes = 1.5"),
            "supervisor.max_payload_bytes: must be a whole number, 1 or greater, not the "
            "decimal number 1.5",
        ),
        (
            in_supervisor("max_payload_bytes = -1"),
            "supervisor.max_payload_bytes: must be a whole number, 1 or greater, not -1",
        ),
        (
            in_supervisor('log_level = "warn"'),
            "supervisor.log_level: must be one of debug, info, warning, error, critical, "
            "not 'warn'; did you mean \"warning\"?",
        ),
        ("supervisor = 3", "supervisor: must be a table of keys, not a whole number"),
        ("[systems]", 'systems: is no known table; did you mean "system"?'),
        ('["a\\nb"]', '"a\\nb": is no known table; known are group, policy, supervisor, system'),
        (
            "[system]",
            "system: must be an array of tables, not a table; begin each system with [[system]]",
        ),
        ("system = [3]", "system #1: must be a table, not a whole number"),
        ('[[system]]\nkind = "mock"', "system #1: name: is missing; it is needed"),
        ('[[system]]\nname = "plc-1"', 'system "plc-1": kind: is missing; it must be a string'),
        (system(name=""), "system #1: name: a system name must not be empty"),
        (system(name=" a"), 'system " a": name: a system name has no surrounding spaces'),
        (system(name="a\\nb"), "system #1: name: a system name has no surrounding spaces"),
        (
            '[[system]]\nname = 3\nkind = "mock"',
            "system #1: name: a system name is a string",
        ),
        (
            '[[system]]\nname = "plc-1"\nkind = ["mock"]',
            'system "plc-1": kind: must be a string, not an array',
        ),
        (
            system() + system(name="plc-2") + system(),
            'system "plc-1": name: is the name of system #1 too; rename #3',
        ),
        (system(kind="mqtt"), 'system "plc-1": kind "mqtt" is unknown; known are "mock", "tcp"'),
        (
            system(kind="no_such_module:Plc"),
            'system "plc-1": kind "no_such_module:Plc": module no_such_module cannot be imported',
        ),
        (
            system("conect = true"),
            'system "plc-1": conect: is no known key; did you mean "connect"?',
        ),
        (system("snapshot = 1"), 'system "plc-1": snapshot: is no known key; known are'),
        (system("connect = 1"), 'system "plc-1": connect: must be true or false, not the whole'),
        (
            system("restart = 3"),
            'system "plc-1": restart: must be a table of keys (in Python a',
        ),
        (
            system('restart = {max_restarts = "three"}'),
            'system "plc-1": restart.max_restarts: must be a whole number, 0 or greater, not the '
            "string 'three'",
        ),
        (
            system("restart = {max_restarts = true}"),
            'system "plc-1": restart.max_restarts: must be a whole number, 0 or greater, not true',
        ),
        (
            system("restart = {max_restarts = -1}"),
            'system "plc-1": restart.max_restarts: must be a whole number, 0 or greater, not -1',
        ),
        (
            system("restart = {perod = 1}"),
            'system "plc-1": restart.perod: is no known key; did you mean "period"?',
        ),
        (
            system("restart = {backoff_min = 2}"),
            'system "plc-1": restart: backoff_max (1) must not be less than backoff_min (2)',
        ),
        (
            system('start_timeout = "0s"'),
            'system "plc-1": start_timeout: must be a finite number',
        ),
        (
            system("shutdown = -1"),
            'system "plc-1": shutdown: must be a finite number',
        ),
        (
            system("durable = 3"),
            'system "plc-1": durable: must be true, false or a table of keys',
        ),
        (
            system("durable = {windw = 3}"),
            'system "plc-1": durable.windw: is no known key; did you mean "window"?',
        ),
        (
            system('durable = {on_dead = "skp"}'),
            "system \"plc-1\": durable.on_dead: must be one of skip, block, not 'skp'; "
            'did you mean "skip"?',
        ),
        (
            system("durable = {backoff_min = 60}"),
            'system "plc-1": durable: backoff_max (30) must not be less than backoff_min (60)',
        ),
        ('[supervisor]\nstate_dir = "here"\n', "supervisor.state_dir: must be the absolute path"),
        (system("mailbox_size = 0"), 'system "plc-1": mailbox_size: must be a whole number, 1 or'),
        (
            system(f'connection_details = "tcp://user:{SECRET}@host"'),
            'system "plc-1": connection_details: must be a table of keys, not a string',
        ),
        (
            system(f'connection_details = {{password = "${{PW}}", latency = "{SECRET}"}}'),
            'system "plc-1": connection_details.password: environment variable PW is not set; '
            "set it",
        ),
        (
            system(f'connection_details = {{a = ["x", {{b = "{SECRET}${{"}}]}}'),
            'system "plc-1": connection_details.a[2].b: has a "${" without a variable\'s name '
            'and "}"; write "$${" for a plain "${"',
        ),
        (
            system(f'connection_details = {{latency = "{SECRET}"}}'),
            'system "plc-1": connection_details.latency: must be a finite number of',
        ),
        (
            system(f'connection_details = {{faults = [{{action = "{SECRET}"}}]}}'),
            'system "plc-1": connection_details.faults[1].action: must be one of fail',
        ),
    ],
)
def test_a_mistake_is_told_with_its_place_and_its_remedy(text, mistake):
    lines = mistakes(text)
    assert any(line.startswith(mistake) for line in lines), lines
    assert SECRET not in "\n".join(lines)


def test_all_mistakes_are_told_at_once_one_line_each():
    lines = mistakes(
        """
        [supervisor]
        request_timeout = "never"
        log_level = 3
        [sistem]
        [[system]]
        name = "plc-1"
        kind = "mqtt"
        restart = {max_restarts = -1, period = 0, bakoff = 1}
        connection_details = {user = "${USER_OF_PLC}", password = "${PASSWORD_OF_PLC}"}
        [[system]]
        name = "plc-1"
        kind = "mock"
        connection_details = {latency = -1, echo = 3}
        [[system]]
        shutdown = "x"
        """
    )
    assert [" ".join(line.split()[:3]) for line in lines] == [
        "sistem: is no",
        "supervisor.request_timeout: must be",
        "supervisor.log_level: must be",
        'system "plc-1": connection_details.user:',
        'system "plc-1": connection_details.password:',
        'system "plc-1": restart.bakoff:',
        'system "plc-1": restart.max_restarts:',
        'system "plc-1": restart.period:',
        'system "plc-1": kind',
        'system "plc-1": name:',
        'system "plc-1": connection_details.latency:',
        'system "plc-1": connection_details.echo:',
        "system #3: name:",
        "system #3: kind:",
        "system #3: shutdown:",
    ]


def test_what_a_check_of_the_kind_says_keeps_to_one_line():
    lines = mistakes(system(), check_kind=lambda kind, details: ["kind is\n odd", "so is it all"])
    assert lines == ['system "plc-1": kind is odd', 'system "plc-1": so is it all']


def test_a_check_of_details_that_raises_does_not_tell_them(monkeypatch):
    def check_details(details):
        raise ValueError(details["password"])

    monkeypatch.setattr(MockExternalSystem, "check_details", check_details)
    assert check_kind("mock", {"password": SECRET}) == [
        "connection_details: cannot be checked, because MockExternalSystem.check_details "
        "raised ValueError"
    ]


def test_a_class_need_not_check_its_details(monkeypatch):
    monkeypatch.delattr(MockExternalSystem, "check_details")
    assert check_kind("mock", {"latency": "x"}) == []


# ---- what is no configuration at all -----------------------------------------------


@pytest.mark.parametrize(
    ("content", "mistake"),
    [
        (b"a = 1\nb = [1,\n]\nc = = 2\n", "no valid TOML at line 4, column 5: Invalid value"),
        (b"a = 1\nb = [1,", "no valid TOML at the end, line 2: Invalid value"),
        (b'a = 1\nb = "\n', "no valid TOML at line 2, column 6: Illegal character '\\n'"),
        (b"a = 1\na = 2\n", "no valid TOML at line 2, column 6: Cannot overwrite a value"),
        (b'a = 1\nb = "\xff"\n', "line 2: is not UTF-8; save the file as UTF-8"),
        (b"a = " + b"[" * 100_000, "no valid TOML: arrays or tables are nested too deeply"),
        (b"a = " + b"9" * 5000, "no valid TOML: a number has too many digits"),
    ],
)
def test_a_file_that_is_no_toml_says_in_which_line(content, mistake):
    with pytest.raises(ConfigError) as caught:
        parse_config(content)
    assert str(caught.value) == mistake


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "plant.toml")
    assert str(caught.value) == f"{tmp_path}/plant.toml: there is no such file"


def test_a_file_that_cannot_be_read_says_why(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path)
    assert str(caught.value) == f"{tmp_path}: cannot be read: Is a directory"


def test_every_line_names_the_file(tmp_path):
    path = tmp_path / "plant.toml"
    path.write_text("[a]\n[b]\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert [line.partition(": ")[0] for line in str(caught.value).splitlines()] == [str(path)] * 2
