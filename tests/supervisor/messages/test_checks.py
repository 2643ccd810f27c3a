"""What a request weighs, and what can be wrong with it by itself."""

import pytest

from actors.interface import MAX_NAME_LENGTH
from actors.messages import CallCommand, ConnectSystem, ReceiveData, SendData, SendMany
from actors.messages.limits import size_of, weight_of
from supervisor.messages import ConnectAll, Subscribe
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
    ],
    ids=str,
)
def test_the_size_of_a_request_is_that_of_its_data(request_, size):
    assert size_of(request_) == size


def test_the_size_of_an_object_is_what_it_takes_pickled():
    assert 1000 < size_of(SendData("plc", {"a": b"x" * 1000})) < 1100
    assert 1000 < size_of(CallCommand("plc", "f", (), {"a": b"x" * 1000})) < 1100


def test_a_request_weighs_as_much_as_its_items_and_at_least_one():
    assert weight_of(SendMany("plc", range(5))) == 5
    assert weight_of(SendMany("plc", ())) == 1
    assert weight_of(SendData("plc", [1, 2, 3])) == 1
    assert weight_of(ConnectSystem("plc")) == 1


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
    assert mistake_in(SendData(b"plc", b""), LIMIT).endswith("not bytes")


def test_names_to_subscribe_to_are_a_sequence_or_all():
    for right in ((), ["one", "two"], None):
        assert mistake_in(Subscribe(data_from=right), LIMIT) is None
    assert "data_from" in mistake_in(Subscribe(data_from=[1]), LIMIT)  # type: ignore[list-item]
