"""What a request weighs, and what can be wrong with it by itself."""

import enum
import sys

import pytest

from actors.interface import MAX_NAME_LENGTH
from actors.messages import CallCommand, ConnectSystem, QueryData, ReceiveData, SendData, SendMany
from actors.messages.limits import size_of
from supervisor.messages import ConnectAll, CountChildren, Subscribe, TerminateChild
from supervisor.messages.checks import mistake_in

LIMIT = 100


@pytest.mark.parametrize(
    ("request_", "size"),
    [
        (SendData("plc", b"x" * 7), 7),
        (SendData("plc", "x" * 7), 7),
        (SendData("plc", 5), 8),
        (SendData("plc", None), 8),
        (SendMany("plc", (b"12", b"345")), 5),
        (SendMany("plc", ()), 0),
        (ConnectSystem("plc"), 0),
        (ReceiveData("plc"), 0),
        (QueryData("plc", b"12345"), 5),
    ],
    ids=str,
)
def test_the_size_of_a_request_is_that_of_its_data(request_, size):
    assert size_of(request_) == size


def test_the_size_of_an_object_is_what_it_takes_pickled():
    assert 1000 < size_of(SendData("plc", {"a": b"x" * 1000})) < 1100
    assert 1000 < size_of(CallCommand("plc", "f", (), {"a": b"x" * 1000})) < 1100


def test_the_limit_of_size_is_for_each_item():
    assert mistake_in(SendMany("plc", (b"x" * LIMIT,) * 5), LIMIT) is None
    mistake = mistake_in(SendMany("plc", (b"", b"x" * (LIMIT + 1))), LIMIT)
    assert mistake.startswith("the data has 101 bytes, more than max_payload_bytes (100)")


def test_a_name_may_be_long_but_not_too_long():
    assert mistake_in(SendData("x" * MAX_NAME_LENGTH, b""), LIMIT) is None
    mistake = mistake_in(SendData("x" * (MAX_NAME_LENGTH + 1), b""), LIMIT)
    assert len(mistake) < 100


def test_a_mistake_says_what_was_given():
    assert mistake_in(ConnectAll(timeout=-1), LIMIT).endswith(": -1")
    assert mistake_in(ReceiveData("plc", "soon"), LIMIT).endswith(": 'soon'")
    assert mistake_in(QueryData("plc", b"", "soon"), LIMIT).endswith(": 'soon'")
    assert mistake_in(QueryData("plc", b"x" * (LIMIT + 1)), LIMIT).startswith("the data has 101")
    assert mistake_in(SendData(b"plc", b""), LIMIT).endswith("not bytes")


def test_names_to_subscribe_to_are_a_sequence_or_all():
    for right in ((), ["one", "two"], None):
        assert mistake_in(Subscribe(data_from=right), LIMIT) is None
    assert "data_from" in mistake_in(Subscribe(data_from=[1]), LIMIT)  # type: ignore[list-item]


def test_a_number_of_a_kind_of_its_own_is_a_number_too():
    class Number(enum.IntEnum):
        ONE = 1

    assert mistake_in(SendData("plc", b"", request_id=Number.ONE), LIMIT) is None
    assert mistake_in(SendData("plc", b"", request_id=True), LIMIT) is not None


def test_a_wrong_name_is_told_with_its_field():
    mistake = mistake_in(TerminateChild(""), LIMIT)
    assert mistake.startswith("name: ")
    assert mistake_in(CountChildren(""), LIMIT) == f"group: {mistake.removeprefix('name: ')}"
    assert mistake_in(SendData("", b""), LIMIT) == mistake.removeprefix("name: ")


def test_a_time_may_be_as_long_as_a_number_can_be():
    longest = int(sys.float_info.max)
    assert mistake_in(ReceiveData("plc", longest), LIMIT) is None
    assert mistake_in(ReceiveData("plc", longest + 1), LIMIT) is not None


def test_a_command_is_named_by_a_string():
    assert mistake_in(CallCommand("plc", "reset"), LIMIT) is None
    assert mistake_in(CallCommand("plc", 7), LIMIT) is not None
