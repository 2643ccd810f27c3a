"""What has come once is not let through again for a while."""

from __future__ import annotations

from collections import namedtuple
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.resilience.deduplication import Deduplication, NoSuchFieldError, Seen, field_of
from actors.settings import MistakesError, read_table


def test_settings_are_read_strictly():
    read = read_table(Deduplication, {"key": "header.id", "window": "1m"})
    assert (read.key, read.window, read.is_function) == ("header.id", 60, False)
    assert read_table(Deduplication, {"key": "plant.keys:of", "window": 1}).is_function
    assert read_table(Deduplication, {"window": 1}).key is None
    with pytest.raises(MistakesError, match=r"key: must be the path of a field such as"):
        read_table(Deduplication, {"key": "a..b", "window": 1})
    with pytest.raises(MistakesError, match=r"key: must be the path of a field such as"):
        read_table(Deduplication, {"key": "module:", "window": 1})


def test_the_same_is_dropped_until_its_window_is_over():
    seen = Seen(Deduplication(window=10))
    assert seen.is_new("a", 0)
    assert not seen.is_new("a", 9.9)
    assert seen.is_new("b", 9.9)
    assert seen.is_new("a", 10)


def test_what_comes_all_the_time_comes_through_once_in_a_window():
    seen = Seen(Deduplication(window=10))
    assert [at for at in range(40) if seen.is_new("a", at)] == [0, 10, 20, 30]


def test_the_oldest_are_forgotten_where_there_are_too_many():
    seen = Seen(Deduplication(window=10, max_keys=2))
    assert [seen.is_new(key, 0) for key in "abc"] == [True, True, True]
    assert not seen.is_new("b", 1)
    assert seen.is_new("a", 1)
    assert len(seen) == 2


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.floats(0, 3)), max_size=60),
    st.integers(1, 6),
)
def test_it_says_what_a_list_of_all_that_came_through_says(came, most):
    seen = Seen(Deduplication(window=5, max_keys=most))
    now, through = 0.0, []
    for key, later in came:
        now += later
        known = [k for k, at in through if now < at + 5][-most:]
        assert seen.is_new(key, now) == (key not in known)
        if key not in known:
            through.append((key, now))
        assert len(seen) <= most


Reading = namedtuple("Reading", "sensor value")


@pytest.mark.parametrize(
    ("item", "path", "found"),
    [
        ({"header": {"id": 7}}, "header.id", 7),
        ({"readings": [{"id": 1}, {"id": 2}]}, "readings.-1.id", 2),
        (SimpleNamespace(header=SimpleNamespace(id=3)), "header.id", 3),
        (Reading("s1", 2.5), "sensor", "s1"),
        (Reading("s1", 2.5), "0", "s1"),
        ({"a b": 1}, "a b", 1),
    ],
)
def test_a_field_is_found_by_its_path(item, path, found):
    assert field_of(item, path) == found


@pytest.mark.parametrize("item", [{}, {"id": []}, [], "text", None, 3, {"id": {"other": 1}}])
def test_an_item_without_the_field_says_so(item):
    with pytest.raises(NoSuchFieldError):
        field_of(item, "id.of")
