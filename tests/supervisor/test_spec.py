"""Specs and options that are built from Python are checked as those of a file are."""

import pytest

from supervisor.options import LogLevel, SupervisorOptions
from supervisor.policies import BackoffPolicy, RestartPolicy
from supervisor.spec import SystemSpec


def spec(**options):
    return SystemSpec("plc", "mock", **options)


@pytest.mark.parametrize(
    ("build", "field", "value"),
    [
        (BackoffPolicy, "backoff_min", 0),
        (BackoffPolicy, "backoff_max", float("inf")),
        (RestartPolicy, "max_restarts", 1.5),
        (RestartPolicy, "max_restarts", -1),
        (RestartPolicy, "max_restarts", True),
        (RestartPolicy, "period", float("nan")),
        (RestartPolicy, "period", "5s"),
        (SupervisorOptions, "request_timeout", "soon"),
        (SupervisorOptions, "request_timeout", float("inf")),
        (SupervisorOptions, "connect_timeout", None),
        (SupervisorOptions, "max_payload_bytes", 1e6),
        (SupervisorOptions, "log_level", "loud"),
        (spec, "connect", "yes"),
        (spec, "connection_details", [("host", "plc")]),
        (spec, "restart", {"max_restarts": 3}),
        (spec, "reconnect", None),
        (spec, "start_timeout", 10**400),
        (spec, "shutdown", -1),
        (spec, "mailbox_size", 0),
        (spec, "snapshot", "text"),
    ],
)
def test_a_wrong_value_is_refused_with_its_field(build, field, value):
    with pytest.raises(ValueError, match=f"^{field} must be "):
        build(**{field: value})


def test_a_kind_is_a_string():
    with pytest.raises(ValueError, match=r"^kind must be a string, not a type"):
        SystemSpec("plc", str)


def test_connection_details_do_not_print():
    with pytest.raises(ValueError) as caught:
        spec(connection_details="tcp://user:hunter2@host")
    assert "hunter2" not in str(caught.value)


def test_a_log_level_may_be_its_name():
    assert SupervisorOptions(log_level="info").log_level is LogLevel.INFO
