"""What a journal holds, and how data becomes what is stored."""

import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.payload import Payload, PayloadError, unwrap, wrap
from supervisor.durable.entry import Entry, Form, StoredData

PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=()))
    | st.binary()
)


def same(one: object, other: object) -> bool:
    return type(one) is type(other) and repr(one) == repr(other)


@given(PLAIN)
def test_plain_values_come_back_as_what_they_were(value):
    assert same(unwrap(StoredData.of(wrap(value)).wrapped()), value)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (b"\x00\xff", Form.BYTES),
        ("warm", Form.TEXT),
        ("\ud800", Form.PICKLE),
        (None, Form.JSON),
        (True, Form.JSON),
        (7, Form.JSON),
        (0.1, Form.JSON),
        (-0.0, Form.JSON),
        (math.inf, Form.PICKLE),
        ({"a": 1}, Form.PICKLE),
    ],
    ids=repr,
)
def test_each_value_has_its_form(value, form):
    stored = StoredData.of(wrap(value))
    assert stored.form == form
    assert same(unwrap(stored.wrapped()), value)
    assert stored.size == len(stored.encoded)


def test_what_is_not_a_number_comes_back_as_that():
    assert math.isnan(unwrap(StoredData.of(math.nan).wrapped()))


def test_a_number_of_more_digits_than_json_may_have_comes_back_whole():
    stored = StoredData.of(10**5000)
    assert stored.form == Form.PICKLE
    assert unwrap(stored.wrapped()) == 10**5000


def test_a_payload_is_not_unpickled_on_its_way():
    encoded = b"no pickle at all"
    stored = StoredData.of(Payload(encoded=encoded))
    assert (stored.form, stored.encoded) == (Form.PICKLE, encoded)
    back = stored.wrapped()
    assert isinstance(back, Payload)
    assert back.encode_now() == encoded


def test_what_cannot_be_pickled_is_refused():
    with pytest.raises(PayloadError, match="generator cannot be sent"):
        StoredData.of(Payload(each for each in ()))


def test_json_that_is_more_than_a_plain_value_is_wrapped():
    back = StoredData(Form.JSON, b'{"a": [1, 2.0]}').wrapped()
    assert isinstance(back, Payload)
    assert back.load() == {"a": [1, 2.0]}


@pytest.mark.parametrize("form", [Form.TEXT, Form.JSON])
def test_data_that_is_not_what_its_form_says_is_a_value_error(form):
    with pytest.raises(ValueError):
        StoredData(form, b"\xff{").wrapped()


def test_data_does_not_print():
    entry = Entry(1, "plc", StoredData.of("secret"), 1.0)
    assert "secret" not in repr(entry)
    assert "secret" not in repr(entry.data)


def test_entries_cross_processes_unchanged():
    entry = Entry(1, "plc", StoredData.of("warm"), 1.0)
    assert pickle.loads(pickle.dumps(entry)) == entry


def test_the_idempotency_id_is_that_of_the_journal_that_accepted_it():
    entry = Entry(7, "plc", StoredData.of("warm"), 1.0)
    assert entry.delivery_id("4f") == "4f-7"
    assert Entry(7, "plc", StoredData.of("warm"), 1.0, origin="2a-3").delivery_id("4f") == "2a-3"
