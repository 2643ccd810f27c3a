"""Everyday messages on the wire, and what is no message."""

import pickle

import hypothesis.strategies as st
import pytest
from hypothesis import given

from actors.messages import (
    Answered,
    CallCommand,
    DataReceived,
    DataSent,
    Deliver,
    FailureCode,
    HealthChecked,
    ManySent,
    ReceiveData,
    SendData,
    SendMany,
)
from actors.payload import Payload
from actors.wire.short_forms import restore, shorten

names = st.text()
numbers = st.integers()
times = st.none() | st.floats(allow_nan=False)
data = st.none() | st.binary() | st.text() | st.integers()
timing = {"request_id": numbers, "timeout": times}
failures = st.builds(
    lambda request: request.failure(FailureCode.TIMEOUT, "no"),
    st.builds(SendData, names, data, **timing),
)
requests = st.one_of(
    st.builds(SendData, names, data, **timing),
    st.builds(SendMany, names, st.lists(data), stream=st.booleans(), **timing),
    st.builds(ReceiveData, names, times, **timing),
    st.builds(CallCommand, names, names, **timing),
)
replies = st.one_of(
    st.builds(DataSent, request_id=numbers, system_name=names),
    st.builds(
        ManySent,
        request_id=numbers,
        system_name=names,
        results=st.lists(st.booleans() | failures).map(tuple),
        final=st.booleans(),
    ),
    st.builds(DataReceived, request_id=numbers, system_name=names, data=data),
    st.builds(HealthChecked, request_id=numbers, system_name=names, healthy=st.booleans()),
    failures,
)
messages = st.one_of(
    requests,
    replies,
    st.builds(Deliver, numbers, st.lists(st.tuples(numbers, requests)).map(tuple)),
    st.builds(
        Answered,
        names,
        numbers,
        numbers,
        st.lists(st.tuples(numbers, replies)).map(tuple),
        st.lists(numbers).map(tuple),
        st.booleans(),
    ),
)


def there_and_back(message):
    return restore(pickle.loads(pickle.dumps(shorten(message))))


def comparable(message):
    """Commands carry payloads, which are equal only to themselves."""
    if isinstance(message, Deliver):
        return (message.number, [(ref, comparable(each)) for ref, each in message.requests])
    if isinstance(message, CallCommand):
        args, kwargs = message.args.load(), message.kwargs.load()
        return (message.system_name, message.command, args, kwargs, message.request_id)
    return message


@given(messages)
def test_a_message_is_restored_as_it_was(message):
    restored = there_and_back(message)
    assert type(restored) is type(message)
    assert comparable(restored) == comparable(message)


@pytest.mark.parametrize("kind", [SendData, DataSent, DataReceived, ReceiveData, SendMany])
def test_everyday_messages_are_plain_tuples(kind):
    fields: dict[str, object] = {"items": [b"x"]} if kind is SendMany else {}
    fields |= {"data": b"x"} if kind in (SendData, DataReceived) else {}
    form = shorten(kind(system_name="plc", request_id=1, **fields))
    assert type(form) is tuple
    assert b"actors" not in pickle.dumps(form)


def test_an_object_within_stays_wrapped():
    [_, _, _, _, wrapped] = shorten(SendData("plc", {"a": 1}))
    assert isinstance(wrapped, Payload)
    assert there_and_back(SendData("plc", {"a": 1})).data.load() == {"a": 1}


@pytest.mark.parametrize("form", [(), (0,), (99, 1), (1, 2, 3, 4), (1, 2, 3)])
def test_what_is_no_short_form_is_an_error(form):
    with pytest.raises((LookupError, TypeError)):
        restore(form)
