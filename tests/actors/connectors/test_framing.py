"""The framings give back what was put in, however the stream is cut, and refuse the rest."""

from __future__ import annotations

import pickle
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.connectors.framing.delimited import DelimiterFraming, LineFraming
from actors.connectors.framing.sized import FixedFraming, LengthPrefixFraming
from actors.connectors.framing.stream import Framing, is_text_encoding
from actors.errors import ConnectorError, ItemRefusedError

_PAYLOADS = st.binary(max_size=40) | st.lists(st.sampled_from(b"ab\r\n;>"), max_size=8).map(bytes)
_FRAMINGS = st.one_of(
    st.builds(
        LineFraming,
        encoding=st.none(),
        line_ending=st.sampled_from(["\n", "\r\n", "\r", ";", "\n\r", "\r\n>"]),
        max_frame_size=st.sampled_from([8, 1000]),
    ),
    st.builds(
        LengthPrefixFraming,
        prefix_size=st.sampled_from([1, 2, 4, 8]),
        byte_order=st.sampled_from(["big", "little"]),
        max_frame_size=st.sampled_from([8, 1000]),
    ),
    st.builds(
        DelimiterFraming,
        delimiter=st.sampled_from([b"a", b"aa", b"aab", b"abab", b"\r\n", b"\x00\xff"]),
        max_frame_size=st.sampled_from([8, 1000]),
    ),
    st.builds(FixedFraming, item_size=st.sampled_from([1, 3, 8]), max_frame_size=st.just(8)),
)


def _cut(stream: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted(cut % (len(stream) + 1) for cut in cuts)
    return [
        stream[start:end] for start, end in zip([0, *places], [*places, len(stream)], strict=True)
    ]


def _decode(framing: Framing, chunks: list[bytes]) -> tuple[list[bytes], str | None, int]:
    """All frames, the error that ended the stream, and the bytes left over."""
    decoder = framing.decoder()
    frames: list[bytes] = []
    for chunk in chunks:
        try:
            frames += decoder.feed(chunk)
        except ConnectorError:
            break
    return frames, decoder.error, decoder.pending


@given(_FRAMINGS, st.lists(_PAYLOADS, max_size=8), st.lists(st.integers(0, 10_000), max_size=12))
def test_what_is_encoded_is_decoded_however_the_stream_is_cut(framing, items, cuts):
    taken, stream = [], b""
    for item in items:
        try:
            stream += framing.encode(item)
        except ConnectorError:
            continue
        taken.append(item)
    assert _decode(framing, _cut(stream, cuts)) == (taken, None, 0)


@given(_FRAMINGS, st.binary(max_size=80) | _PAYLOADS, st.lists(st.integers(0, 100), max_size=8))
def test_any_bytes_give_the_same_frames_and_the_same_end_however_they_are_cut(
    framing, stream, cuts
):
    frames, error, pending = _decode(framing, [stream])
    cut_frames, cut_error, cut_pending = _decode(framing, _cut(stream, cuts))
    assert cut_frames == frames
    assert (cut_error is None) == (error is None)
    assert cut_pending == pending


@given(st.text().filter(lambda text: "\n" not in text and not text.endswith("\r")))
def test_a_line_of_any_text_comes_back_or_is_refused(text):
    framing = LineFraming()
    try:
        encoded = framing.encode(text)
    except ConnectorError:
        # Lone surrogates are the only text that UTF-8 has no bytes for.
        assert any("\ud800" <= character <= "\udfff" for character in text)
        return
    (frame,) = framing.decoder().feed(encoded)
    assert framing.item(frame) == text


def test_a_line_ends_in_newline_or_in_carriage_return_and_newline():
    assert LineFraming().decoder().feed(b"a\r\n\n\rb\nc\r\r\n") == [b"a", b"", b"\rb", b"c\r"]


def test_a_line_is_sent_with_the_line_ending_asked_for():
    assert LineFraming().encode("MEAS?") == b"MEAS?\n"
    assert LineFraming(line_ending="\r\n").encode("MEAS?") == b"MEAS?\r\n"


def test_items_are_text_with_an_encoding_and_bytes_without():
    assert LineFraming().item("grün".encode()) == "grün"
    assert LineFraming(encoding="latin-1").encode("grün") == b"gr\xfcn\n"
    assert LineFraming(encoding=None).item(b"gr\xfcn") == b"gr\xfcn"
    assert LengthPrefixFraming(prefix_size=1, encoding="utf-16-le").encode("a") == b"\x02a\x00"
    assert LengthPrefixFraming(prefix_size=2, byte_order="little").encode(b"abc") == b"\x03\x00abc"


@pytest.mark.parametrize(
    ("framing", "item", "text"),
    [
        (LineFraming(), b"a", "an item is str here"),
        (LineFraming(), None, "not NoneType"),
        (LineFraming(), "a\nb", "line end"),
        (LineFraming(), "a\r", "line end"),
        (LineFraming(), "\ud800", "cannot be sent as utf-8"),
        (LineFraming(max_frame_size=3), "four", "4 bytes, but max_frame_size is 3"),
        (LineFraming(encoding=None), "a", "an item is bytes here"),
        (DelimiterFraming(delimiter=b"##"), b"a##b", "delimiter in it"),
        (DelimiterFraming(delimiter=b"##"), b"a#", "delimiter after it"),
        (LengthPrefixFraming(prefix_size=1), b"x" * 256, "counts to 255"),
    ],
)
def test_a_bad_item_is_refused_with_the_reason(framing, item, text):
    with pytest.raises(ItemRefusedError, match=text):
        framing.encode(item)


def test_a_frame_that_is_no_text_is_one_bad_item_and_shows_no_data():
    with pytest.raises(ConnectorError, match="4 bytes came that is no utf-8 text") as caught:
        LineFraming().item(b"abc\xff")
    assert "abc" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("framing", "good", "bad"),
    [
        (LineFraming(max_frame_size=4), b"four\r\n", b"fiver"),
        (DelimiterFraming(delimiter=b"##", max_frame_size=4), b"four##", b"five##"[:-2] + b"56"),
        (LengthPrefixFraming(max_frame_size=4), b"\0\0\0\4four", b"\0\0\0\5"),
        (LengthPrefixFraming(prefix_size=8), b"\0" * 8, b"\xff" * 8),
    ],
)
def test_frames_before_one_that_is_too_long_are_not_lost(framing, good, bad):
    decoder = framing.decoder()
    assert len(decoder.feed(good + bad)) == 1
    assert decoder.error is not None
    for _ in range(2):
        with pytest.raises(ConnectorError, match="max_frame_size"):
            decoder.feed(good)
    assert decoder.pending == 0


def test_a_frame_of_exactly_the_allowed_size_passes_when_it_comes_byte_by_byte():
    for framing in (
        LineFraming(encoding=None, max_frame_size=5, line_ending="\r\n"),
        DelimiterFraming(delimiter=b"##", max_frame_size=5),
        LengthPrefixFraming(max_frame_size=5),
    ):
        decoder = framing.decoder()
        frames = [
            frame for byte in framing.encode(b"12345") for frame in decoder.feed(bytes([byte]))
        ]
        assert frames == [b"12345"]


def test_an_unfinished_frame_is_counted_as_pending():
    decoder = LineFraming().decoder()
    assert decoder.feed(b"whole\nhal") == [b"whole"]
    assert decoder.pending == 3


@pytest.mark.parametrize(
    "build",
    [
        lambda: LineFraming(encoding="utf-16"),
        lambda: LineFraming(encoding="no-such"),
        lambda: LineFraming(line_ending=""),
        lambda: LineFraming(line_ending="ü"),
        lambda: FixedFraming(item_size=0),
        lambda: FixedFraming(item_size=9, max_frame_size=8),
        lambda: DelimiterFraming(delimiter=b""),
        lambda: LengthPrefixFraming(prefix_size=3),
        lambda: LengthPrefixFraming(byte_order="middle"),
        lambda: LengthPrefixFraming(max_frame_size=0),
    ],
)
def test_a_framing_that_cannot_work_is_refused(build):
    with pytest.raises(ValueError):
        build()


@pytest.mark.parametrize("name", ["rot13", "hex", "undefined", "no-such", "a\0b", "", None, 5])
def test_an_encoding_must_make_bytes_of_text(name):
    assert not is_text_encoding(name)


def test_a_framing_pickles():
    framing = DelimiterFraming(delimiter=b"\xff\xff\xff", encoding="latin-1")
    assert pickle.loads(pickle.dumps(framing)) == framing


class _Counted:
    """Chunks of one stream, each taken by a decoder in a measured time."""

    def __init__(self, framing: Framing, stream: bytes, chunk: int) -> None:
        decoder = framing.decoder()
        started = time.process_time()
        self.frames = 0
        for start in range(0, len(stream), chunk):
            self.frames += len(decoder.feed(stream[start : start + chunk]))
        self.seconds = time.process_time() - started


@pytest.mark.parametrize(
    "framing",
    [LineFraming(encoding=None), LengthPrefixFraming(), DelimiterFraming(delimiter=b"##")],
    ids=lambda framing: type(framing).__name__,
)
def test_neither_many_small_frames_nor_one_big_frame_in_pieces_takes_quadratic_time(framing):
    # Quadratic, each of these would take minutes; the cap only tells that apart.
    many = _Counted(framing, framing.encode(b"x") * 300_000, chunk=10**9)
    assert many.frames == 300_000
    big = _Counted(framing, framing.encode(b"x" * 8_000_000), chunk=100)
    assert big.frames == 1
    assert many.seconds + big.seconds < 20
