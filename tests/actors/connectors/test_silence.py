"""Items without an end: what silence ends, and what comes as it comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.connectors.framing.delimited import DelimiterFraming, LineFraming
from actors.connectors.framing.raw import RawFraming
from actors.connectors.framing.sized import FixedFraming, LengthPrefixFraming
from actors.errors import ConnectorError, ItemRefusedError

RETURNS = LineFraming(line_ending="\r")


@pytest.mark.parametrize(
    "framing",
    [LineFraming(), RETURNS, DelimiterFraming(delimiter=b"##"), RawFraming(until_silence=True)],
)
def test_silence_makes_an_item_of_what_has_come(framing):
    decoder = framing.decoder()
    assert decoder.feed(b"> ") == []
    assert decoder.end_by_silence() == [b"> "]
    assert (decoder.pending, decoder.end_by_silence()) == (0, [])


@pytest.mark.parametrize("framing", [LengthPrefixFraming(), FixedFraming(item_size=3)])
def test_silence_ends_no_item_whose_size_is_known(framing):
    decoder = framing.decoder()
    decoder.feed(b"\0\0")
    assert decoder.end_by_silence() == []
    assert decoder.pending == 2


@pytest.mark.parametrize(
    ("framing", "late"),
    [
        (LineFraming(), b"\n"),
        (LineFraming(), b"\r\n"),
        (RETURNS, b"\r"),
        (DelimiterFraming(delimiter=b"##"), b"##"),
    ],
)
def test_an_end_that_comes_after_the_silence_belongs_to_the_item_before_it(framing, late):
    decoder = framing.decoder()
    decoder.feed(b"slow")
    assert decoder.end_by_silence() == [b"slow"]
    assert decoder.feed(late + b"next" + late + late) == [b"next", b""]


def test_half_an_end_is_not_in_the_item_that_silence_ends():
    decoder = LineFraming(line_ending="\r\n").decoder()
    decoder.feed(b"slow\r")
    assert decoder.end_by_silence() == [b"slow"]
    assert decoder.feed(b"\nnext\r\n") == [b"next"]


def test_an_item_after_one_that_silence_ended_keeps_its_own_end():
    decoder = LineFraming().decoder()
    decoder.feed(b"> ")
    decoder.end_by_silence()
    assert decoder.feed(b"ok") == []
    assert decoder.feed(b"\n\n") == [b"ok", b""]


# ---- carriage returns --------------------------------------------------------------------------


def test_a_line_that_ends_in_a_return_may_have_a_newline_after_it():
    decoder = RETURNS.decoder()
    assert decoder.feed(b"a\rb\r\nc\r\n") == [b"a", b"b", b"c"]
    assert decoder.pending == 0
    assert decoder.end_by_silence() == []
    assert decoder.feed(b"\r\r\n") == [b"", b""]


@pytest.mark.parametrize("item", ["a\rb", "\na", "a\r"])
def test_a_line_that_would_be_read_as_others_is_refused(item):
    with pytest.raises(ItemRefusedError, match="line end"):
        RETURNS.encode(item)
    assert LineFraming(line_ending=">").encode("a\nb") == b"a\nb>"
    with pytest.raises(ItemRefusedError, match="line end"):
        LineFraming(line_ending=">").encode("a>")


def test_the_newline_before_a_line_counts_for_nothing():
    decoder = LineFraming(line_ending="\r", max_frame_size=4).decoder()
    assert decoder.feed(b"four\r\nfour\r\nfour") == [b"four", b"four"]
    with pytest.raises(ConnectorError, match="a frame of 5 bytes"):
        decoder.feed(b"5")


# ---- raw, and fixed ------------------------------------------------------------------------------


def test_raw_data_comes_as_it_comes():
    decoder = RawFraming().decoder()
    assert decoder.feed(b"abc") == [b"abc"]
    assert decoder.feed(b"") == []
    assert decoder.feed(b"\n") == [b"\n"]
    assert (decoder.pending, decoder.end_by_silence()) == (0, [])


def test_raw_data_until_silence_is_one_item():
    decoder = RawFraming(until_silence=True).decoder()
    assert decoder.feed(b"ab") + decoder.feed(b"c") == []
    assert decoder.end_by_silence() == [b"abc"]


@pytest.mark.parametrize("until_silence", [True, False])
def test_raw_data_that_is_too_long_comes_in_parts(until_silence):
    decoder = RawFraming(until_silence=until_silence, max_frame_size=4).decoder()
    frames = decoder.feed(b"123456789")
    assert frames + decoder.end_by_silence() == [b"1234", b"5678", b"9"]


@given(st.text(max_size=20), st.lists(st.integers(0, 100), max_size=6), st.sampled_from([4, 7, 99]))
def test_no_character_is_cut_in_raw_text(text, cuts, size):
    framing = RawFraming(encoding="utf-8", max_frame_size=size)
    decoder, stream = framing.decoder(), text.encode()
    places = sorted(cut % (len(stream) + 1) for cut in cuts)
    frames = [
        frame
        for start, end in zip([0, *places], [*places, len(stream)], strict=True)
        for frame in decoder.feed(stream[start:end])
    ]
    assert "".join(str(framing.item(frame)) for frame in frames) == text
    assert decoder.pending == 0


def test_raw_bytes_that_are_no_text_are_one_bad_item_and_no_end():
    framing = RawFraming(encoding="utf-8")
    decoder = framing.decoder()
    assert decoder.feed(b"ok\xff") == [b"ok\xff"]
    assert decoder.feed(b"ok") == [b"ok"]


def test_an_empty_item_is_refused_where_nothing_would_be_sent():
    with pytest.raises(ItemRefusedError, match="nothing would be sent"):
        RawFraming().encode(b"")


def test_an_item_of_another_size_is_refused():
    with pytest.raises(ItemRefusedError, match="4 bytes, but item_size is 3"):
        FixedFraming(item_size=3).encode(b"four")
