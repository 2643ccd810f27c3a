"""Bytes to lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from supervisor.output.cutter import Cutter


@given(st.lists(st.binary(max_size=50).map(lambda b: b.replace(b"a", b"\n"))))
def test_lines_are_the_same_however_they_come(pieces: list[bytes]) -> None:
    cutter = Cutter()
    found = [line for piece in pieces for line in cutter.feed(piece)] + cutter.end()
    whole = b"".join(pieces)
    assert b"".join(line + b"\n" for line in found) in (whole, whole + b"\n")


def test_a_long_line_is_cut_and_says_how_much_of_it() -> None:
    cutter = Cutter(longest=10)
    assert cutter.feed(b"x" * 7) == []
    assert cutter.feed(b"x" * 7 + b"yy\nnext\n") == [b"x" * 10 + b" [...6 more bytes]", b"next"]


def test_what_has_only_begun_is_there_at_the_end_once() -> None:
    cutter = Cutter()
    cutter.feed(b"one\nhalf")
    assert cutter.end() == [b"half"]
    assert cutter.end() == []
