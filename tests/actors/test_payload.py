"""User data crosses processes without being understood on its way."""

import pickle
import threading
import traceback

import pytest

from actors.payload import (
    Payload,
    PayloadError,
    decode,
    encode,
    payload_size,
    unwrap,
    wrap,
    wrap_encoded,
)


class Counting:
    """Counts how often it is pickled."""

    pickled = 0

    def __reduce__(self):
        type(self).pickled += 1
        return (Counting, ())


class Stubborn:
    def __reduce__(self):
        raise RuntimeError("not me")


def explode():
    raise LookupError("no such class here")


class Unreadable:
    """Pickles, and cannot be read back."""

    def __reduce__(self):
        return (explode, ())


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize("value", [b"raw", "text", 7, 1.5, True, None])
def test_a_plain_value_is_wrapped_as_itself(value):
    assert wrap(value) is value
    assert unwrap(value) is value


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, Text("sub"), bytearray(b"raw"), (1,)])
def test_anything_else_becomes_a_payload_and_comes_back_the_same(value):
    wrapped = wrap(value)
    assert isinstance(wrapped, Payload)
    back = unwrap(pickle.loads(pickle.dumps(wrapped)))
    assert back == value
    assert type(back) is type(value)


def test_a_payload_is_not_wrapped_again():
    wrapped = wrap([1])
    assert wrap(wrapped) is wrapped


def test_a_payload_never_prints_its_data():
    assert "secret" not in repr(wrap(["secret"]))
    assert "secret" not in str(pickle.loads(pickle.dumps(wrap(["secret"]))))


def test_an_object_is_pickled_once_however_often_its_payload_is():
    Counting.pickled = 0
    wrapped = wrap(Counting())
    first = pickle.dumps(wrapped)
    assert pickle.dumps(pickle.loads(first)) == first
    pickle.dumps(wrapped)
    assert Counting.pickled == 1


def test_passing_data_on_does_not_unpickle_it():
    on_the_way = pickle.loads(pickle.dumps(wrap(Unreadable())))
    at_the_end = pickle.loads(pickle.dumps(on_the_way))
    with pytest.raises(PayloadError, match="LookupError: no such class here"):
        unwrap(at_the_end)


def test_a_class_from_inside_a_function_crosses():
    class Local:
        value = 3

    assert decode(encode(Local())).value == 3


@pytest.mark.parametrize("value", [threading.Lock(), Stubborn(), iter(x for x in ())])
def test_what_cannot_be_pickled_is_a_payload_error(value):
    with pytest.raises(PayloadError, match=f"{type(value).__name__} cannot be sent"):
        wrap_encoded(value, 100)
    with pytest.raises(PayloadError):
        payload_size(wrap(value))


def test_wrapping_for_an_answer_pickles_at_once():
    wrapped = wrap_encoded([1], 100)
    assert isinstance(wrapped, Payload)
    assert wrapped._encoded is not None
    assert wrap_encoded("plain", 100) == "plain"


def test_a_payload_keeps_the_object_that_it_read():
    wrapped = pickle.loads(pickle.dumps(wrap([1])))
    assert wrapped.load() is wrapped.load()


def test_the_size_of_data_is_that_of_its_bytes():
    assert payload_size(b"12345") == 5
    assert payload_size("12345") == 5
    assert payload_size(None) == 8
    assert payload_size(wrap([b"x" * 1000])) > 1000


def test_code_that_goes_along_keeps_its_file_and_lines() -> None:
    def inner() -> None:
        raise ValueError("here")

    class Local:
        def method(self) -> None:
            inner()

    again = decode(encode(Local()))
    with pytest.raises(ValueError, match="here") as caught:
        again.method()
    places = [(frame.filename, frame.name) for frame in traceback.extract_tb(caught.tb)]
    assert places[1:] == [(__file__, "method"), (__file__, "inner")]
    assert "inner()" in traceback.format_exception(caught.value)[-3]
