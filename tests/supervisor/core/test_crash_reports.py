"""How much of a reason a crash report keeps."""

from __future__ import annotations

from actors.messages import Reason
from supervisor.core.crash_reports import shortened


def test_a_reason_of_usual_length_is_kept_as_it_is() -> None:
    reason = Reason("Bug", "x" * 4_000, "y" * 32_000)
    assert shortened(reason) is reason


def test_a_long_reason_loses_its_middle_and_says_how_much() -> None:
    text = "begin" + "x" * 100_000 + "end"
    short = shortened(Reason("Bug", text, "Traceback"))
    assert (short.kind, short.traceback) == ("Bug", "Traceback")
    assert short.text.startswith("beginx")
    assert short.text.endswith("xend")
    assert "[...96,008 characters...]" in short.text
    assert len(short.text) < 4_100


def test_a_long_traceback_keeps_where_it_began_and_where_it_ended() -> None:
    short = shortened(Reason("Bug", "text", "first " + "call\n" * 10_000 + "last"))
    assert short.text == "text"
    assert short.traceback.startswith("first call\n")
    assert short.traceback.endswith("call\nlast")
    assert len(short.traceback) < 32_100
