"""What a supervisor needs to know of one system."""

import pickle

import pytest

from actors.connectors.mock.system import MockExternalSystem
from actors.payload import PayloadError, decode
from supervisor.specs.options import LogLevel, SupervisorOptions
from supervisor.specs.spec import SystemSpec


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"start_timeout": 0}, "start_timeout"),
        ({"start_timeout": float("nan")}, "start_timeout"),
        ({"shutdown": -1}, "shutdown"),
        ({"mailbox_size": 0}, "mailbox_size"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_its_name(options, field):
    with pytest.raises(ValueError, match=field):
        SystemSpec("plc", "mock", **options)


@pytest.mark.parametrize("name", ["", None, 7, "x" * 10_000])
def test_a_name_that_cannot_name_a_system_is_refused(name):
    with pytest.raises((ValueError, TypeError)):
        SystemSpec(name, "mock")


def test_limits_that_just_make_sense_are_taken():
    spec = SystemSpec("plc", "mock", start_timeout=1e-9, shutdown=0, mailbox_size=1)
    assert (spec.shutdown, spec.mailbox_size) == (0, 1)


def test_a_spec_never_prints_what_may_be_a_secret():
    spec = SystemSpec("plc", "mock", {"password": "hunter2"}, snapshot=b"hunter2")
    assert "hunter2" not in repr(spec)
    assert "hunter2" not in repr(spec.definition())


def test_a_spec_survives_its_way_to_another_process():
    spec = SystemSpec("plc", "mock", {"port": 1}, connect=True)
    assert pickle.loads(pickle.dumps(spec)) == spec


def test_the_definition_has_what_the_actor_needs_to_build_the_system():
    definition = SystemSpec("plc", "mock", {"port": 1}, snapshot=b"x").definition()
    assert (definition.system_name, definition.kind) == ("plc", "mock")
    assert (definition.connection_details, definition.snapshot) == ({"port": 1}, b"x")


def test_an_object_becomes_a_spec_that_starts_as_a_copy_of_it():
    system = MockExternalSystem("plc", {"host": "h", "port": 1})
    spec = SystemSpec.of(system, connect=True)
    assert (spec.name, spec.kind, spec.connect) == (
        "plc",
        "actors.connectors.mock.system:MockExternalSystem",
        True,
    )
    assert decode(spec.snapshot).connection_details == system.connection_details


def test_an_object_that_cannot_be_pickled_is_refused():
    system = MockExternalSystem("plc", {"host": "h", "port": 1})
    system.handle = (item for item in ())  # type: ignore[attr-defined]
    with pytest.raises(PayloadError, match="generator"):
        SystemSpec.of(system)


@pytest.mark.parametrize("field", ["request_timeout", "connect_timeout", "max_payload_bytes"])
def test_a_supervisors_options_are_positive(field):
    with pytest.raises(ValueError, match=field):
        SupervisorOptions(**{field: 0})


def test_a_log_level_is_a_name_that_logging_knows():
    assert SupervisorOptions(log_level="error").log_level.number == 40
    assert {level.number for level in LogLevel} == {10, 20, 30, 40, 50}
    with pytest.raises(ValueError, match=r"loud|log_level"):
        SupervisorOptions(log_level="loud")
