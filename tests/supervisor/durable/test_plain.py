"""Which pickled data is plain, and becomes JSON."""

import collections
import json
import math
import os
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.payload import encode
from supervisor.durable.plain import MOST, as_json

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.tuples(inner, inner)
        | st.sets(st.integers())
    ),
)


@given(VALUES)
def test_what_becomes_json_loads_to_exactly_what_it_was(value):
    plain = as_json(encode(value))
    if plain is not None:
        back = json.loads(plain)
        assert repr(back) == repr(value)


@pytest.mark.parametrize(
    "value",
    [
        {"speed": 4, "mode": "fast", "limits": [1.5, None, True]},
        [],
        {},
        [[1], [1]],
        "warm",
        7,
    ],
    ids=repr,
)
def test_plain_values_become_json(value):
    assert json.loads(as_json(encode(value))) == value


@pytest.mark.parametrize(
    "value",
    [
        {1: "a"},
        (1, 2),
        {"a": b"1"},
        {1, 2},
        math.nan,
        [math.inf],
        collections.OrderedDict(a=1),
        print,
        10**5000,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_json_would_change_stays_pickled(value):
    assert as_json(encode(value)) is None


def test_nothing_that_is_unpickled_runs_code(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "made"),)

    assert as_json(pickle.dumps([Evil()])) is None
    assert not (tmp_path / "made").exists()


def test_what_is_long_or_deep_stays_pickled():
    assert as_json(encode(["x" * MOST])) is None
    deep = []
    for _ in range(200):
        deep = [deep]
    assert as_json(encode(deep)) is None


def test_what_would_be_many_times_as_long_in_json_stays_pickled():
    value: list[object] = ["lol"]
    for _ in range(40):
        value = [value] * 10  # 10 ** 40 of them
    assert as_json(encode(value)) is None
    shared = "x" * 1000
    assert as_json(encode([shared] * 100)) is None


def test_a_list_that_holds_itself_stays_pickled():
    value = []
    value.append(value)
    assert as_json(encode(value)) is None


@given(st.binary(max_size=50))
def test_what_is_no_pickle_stays_what_it_is(encoded):
    as_json(encoded)
