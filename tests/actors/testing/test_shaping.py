"""What passes in one direction of a fault proxy, and when. The clock is the test's."""

from __future__ import annotations

from random import Random

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.testing.shaping import Conditions, End, Shaper

pytestmark = pytest.mark.pure


def shaper(**conditions: float) -> Shaper:
    return Shaper(Conditions(**conditions), Random(1))


def pass_all(line: Shaper, now: float = 0.0) -> tuple[list[tuple[float, bytes | End]], float]:
    """All that passes from now on, each with its time, and the time at the end."""
    passed: list[tuple[float, bytes | End]] = []
    while (what := line.take(now)) is not None:
        if isinstance(what, float):
            now += what
        else:
            passed.append((now, what))
    return passed, now


def test_without_conditions_all_passes_at_once():
    line = shaper()
    line.put(0.0, b"abc")
    line.put(0.0, End.CLOSED)
    assert pass_all(line) == ([(0.0, b"abc"), (0.0, End.CLOSED)], 0.0)


def test_latency_is_of_each_piece_and_adds_up_to_nothing():
    line = shaper(latency=2.0)
    line.put(0.0, b"a")
    line.put(1.0, b"b")
    assert pass_all(line)[0] == [(2.0, b"a"), (3.0, b"b")]


def test_an_end_is_as_late_as_what_came_before_it():
    line = shaper(latency=2.0)
    line.put(0.5, End.RESET)
    assert pass_all(line)[0] == [(2.5, End.RESET)]


def test_what_is_on_its_way_heeds_a_change_of_the_latency():
    line = shaper(latency=100.0)
    line.put(0.0, b"a")
    assert line.take(1.0) == 99.0
    line.conditions = Conditions()
    assert line.take(1.0) == b"a"


def test_nothing_passes_while_it_is_held_and_all_of_it_after():
    line = shaper(is_held=True)
    line.put(0.0, b"a")
    line.put(0.0, End.CLOSED)
    assert line.take(1000.0) is None
    assert not line.has_room
    line.conditions = Conditions()
    assert [what for _, what in pass_all(line)[0]] == [b"a", End.CLOSED]


@pytest.mark.parametrize("rate", [3.0, 1_000.0, 1_000_000.0])
def test_a_bandwidth_is_kept_to(rate):
    line = shaper(bandwidth=rate)
    for _ in range(10):
        line.put(0.0, b"x" * int(rate))
    passed, now = pass_all(line)
    assert sum(len(what) for _, what in passed if isinstance(what, bytes)) == 10 * int(rate)
    assert now == pytest.approx(10.0, abs=0.5)


def test_a_line_that_was_idle_has_saved_no_bandwidth():
    line = shaper(bandwidth=1000.0)
    line.put(100.0, b"x" * 1000)
    assert pass_all(line, 100.0)[1] == pytest.approx(101.0, abs=0.05)


def test_a_bandwidth_that_was_tiny_holds_up_nothing_once_it_is_over():
    line = shaper(bandwidth=0.001)
    line.put(0.0, b"ab")
    assert line.take(0.0) == b"a"
    assert line.take(0.0) == 1000.0
    line.conditions = Conditions(bandwidth=10.0)
    assert line.take(1.0) == b"b"


def test_it_is_cut_after_as_much_as_is_allowed_and_not_a_byte_more():
    line = shaper()
    line.allowed = 3
    line.put(0.0, b"ab")
    line.put(0.0, b"cd")
    assert pass_all(line)[0] == [(0.0, b"ab"), (0.0, b"c")]
    assert line.is_cut


def test_it_takes_as_much_as_is_on_its_way_and_not_without_bound():
    line = shaper(bandwidth=1000.0)
    line.put(0.0, bytes(100_000))
    assert not line.has_room
    line.conditions = Conditions(bandwidth=1_000_000.0, latency=1.0)
    assert line.has_room
    line.put(0.0, bytes(2_000_000))
    assert not line.has_room
    line.conditions = Conditions(latency=3600.0)
    line.put(0.0, bytes(64 * 1024 * 1024))
    assert not line.has_room


CONDITIONS = st.builds(
    Conditions,
    latency=st.sampled_from([0.0, 0.5, 7.0]),
    jitter=st.sampled_from([0.0, 0.1, 5.0]),
    bandwidth=st.sampled_from([None, 1.0, 100.0, 1e6]),
    is_held=st.booleans(),
)


@given(
    st.lists(
        st.one_of(st.binary(min_size=1, max_size=300), CONDITIONS, st.floats(0, 10)), max_size=30
    ),
    st.none() | st.integers(0, 500),
)
def test_whatever_the_conditions_what_passes_is_the_beginning_of_what_came(steps, allowed):
    line = shaper()
    line.allowed = allowed
    now, came, passed = 0.0, b"", b""
    for step in steps:
        if isinstance(step, bytes):
            line.put(now, step)
            came += step
        elif isinstance(step, Conditions):
            line.conditions = step
        else:
            now += step
        while isinstance(what := line.take(now), bytes):
            passed += what
        assert came.startswith(passed)
        if isinstance(what, float):
            assert what > 0
    line.conditions = attrs.evolve(line.conditions, is_held=False)
    passed += b"".join(what for _, what in pass_all(line, now)[0] if isinstance(what, bytes))
    assert passed == came[:allowed]
