"""How much one process may say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from supervisor.output.flow import Flow


def test_what_is_within_the_limits_comes_as_it_is() -> None:
    flow = Flow(0.0, rate=10, burst=100)
    assert flow.feed(b"one\ntwo\nhal", 0.0) == (0, [b"one", b"two"])
    assert flow.feed(b"f\n", 1.0) == (0, [b"half"])
    assert not flow.is_behind


def test_what_is_more_is_counted_and_its_last_lines_are_there() -> None:
    flow = Flow(0.0, rate=10, burst=100)
    lost, lines = flow.feed(b"".join(b"%d\n" % n for n in range(150)), 0.0)
    assert (lost, lines) == (0, [b"%d" % n for n in range(100)])
    assert flow.is_behind
    lost, lines = flow.settle()
    assert (lost, lines) == (30, [b"%d" % n for n in range(130, 150)])
    assert flow.settle() == (0, [])


def test_a_flood_is_said_once_there_is_room_again() -> None:
    flow = Flow(0.0, rate=10, burst=100)
    flood = b"".join(b"%06d\n" % n for n in range(10_000))
    flow.feed(flood, 0.0)
    for n in range(9):
        assert flow.feed(flood, n * 0.1) == (0, [])
    lost, lines = flow.feed(b"now\n", 1.0)
    assert lines[-2:] == [b"009999", b"now"]
    assert lost + len(lines) == 100_000 - 100 + 1


def test_a_long_line_counts_as_several() -> None:
    flow = Flow(0.0, rate=1, burst=10)
    flow.feed((b"x" * 1000 + b"\n") * 3, 0.0)
    assert not flow.is_behind
    flow.feed((b"x" * 1000 + b"\n") * 3, 0.0)
    assert flow.is_behind


def test_at_the_end_comes_the_line_that_has_begun() -> None:
    flow = Flow(0.0)
    flow.feed(b"last wor", 0.0)
    assert flow.end() == (0, [b"last wor"])


PIECES = st.lists(
    st.tuples(
        st.integers(0, 300).map(lambda n: b"".join(b"line %d\n" % i for i in range(n))),
        st.floats(0.0, 2.0),
    )
)


@given(PIECES)
def test_no_line_is_lost_in_silence(pieces: list[tuple[bytes, float]]) -> None:
    flow = Flow(0.0, rate=50, burst=200)
    now, told = 0.0, 0
    for data, later in pieces:
        now += later
        lost, lines = flow.feed(data, now)
        told += lost + len(lines)
    lost, lines = flow.end()
    assert told + lost + len(lines) == sum(data.count(b"\n") for data, _ in pieces)
