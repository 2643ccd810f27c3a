"""From bytes to what is kept of each system."""

from __future__ import annotations

import itertools

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.messages.output import LEVELS, Said, Source, record_as_line, said_in
from supervisor.messages.output import FindLines
from supervisor.output.memory import Memory
from supervisor.output.said import Output, Speaker
from supervisor.output.shown import line_as_log

PLC = Speaker("plc", 1)


def output() -> Output:
    clock = itertools.count(1000)
    return Output(1, lambda: float(next(clock)))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"plain\r", Said(Source.STDERR, 30, "", "plain")),
        (b"\x1foprinted", Said(Source.STDOUT, 20, "", "printed")),
        (b"\x1fn[3 lines]", Said(Source.LOST, 30, "", "[3 lines]")),
        (record_as_line(10, "a.b", "one\ntwo")[:-1], Said(Source.LOGGING, 10, "a.b", "one\ntwo")),
        (b"\x1fl9999\x1fx\x1fy", Said(Source.STDERR, 30, "", r"\x1fl9999\x1fx\x1fy")),
        (b"\x1fl", Said(Source.STDERR, 30, "", r"\x1fl")),
        (b"\xff\x00\x1b[31mred", Said(Source.STDERR, 30, "", r"\xff\x00\x1b[31mred")),
        ("grün\tund".encode(), Said(Source.STDERR, 30, "", "grün\tund")),
    ],
)
def test_what_a_line_of_bytes_says(line: bytes, said: Said) -> None:
    assert said_in(line) == said


@given(st.binary().map(lambda b: b.replace(b"\n", b"")))
def test_no_junk_makes_it_fail_or_moves_a_terminal(junk: bytes) -> None:
    said = said_in(junk)
    assert all(sign in "\n\t" or sign.isprintable() or ord(sign) > 159 for sign in said.text)
    assert "\n" not in said.text or said.source is Source.LOGGING


@given(st.integers(0, 999), st.text(), st.text())
def test_a_record_is_one_line_whatever_it_holds(level: int, logger: str, text: str) -> None:
    line = record_as_line(level, logger, text)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert said_in(line[:-1]).level == level


def test_lines_are_kept_by_system_and_incarnation() -> None:
    out = output()
    for incarnation in (1, 2):
        out.came(Speaker("plc", incarnation), b"one\ntwo\nthree\n", 0.0)
    out.came(Speaker("other", 1), b"else\n", 0.0)
    assert [x.text for x in out.find(FindLines(1, "plc", count=4))] == [
        *("three", "one", "two", "three")
    ]
    found = out.find(FindLines(1, "plc", incarnation=1, count=2))
    assert [(x.text, x.incarnation) for x in found] == [("two", 1), ("three", 1)]
    assert [x.text for x in out.find(FindLines(1, None, since=5))] == ["three", "else"]
    out.forget("plc")
    assert out.find(FindLines(1, "plc")) == ()


def test_the_last_words_are_said_also_without_an_end() -> None:
    out = output()
    assert out.came(PLC, b"a\nhalf a li", 0.0)[0].text == "a"
    assert [x.text for x in out.last_words("plc", 1)] == ["half a li"]
    assert out.ended(PLC) == []


def test_what_is_lost_is_said_before_what_follows() -> None:
    out = output()
    out.came(PLC, b"x\n" * 20_000, 0.0)
    assert out.is_behind
    assert out.settle(busy=[PLC]) == []
    first, *rest = out.settle()
    assert (first.source, first.level) == (Source.LOST, LEVELS[Source.LOST])
    assert first.text == f"[{15_000 - len(rest)} lines were dropped: more than this system may say]"
    assert first.sequence + 1 == rest[0].sequence


def test_memory_is_bounded_for_each_and_for_all() -> None:
    [line] = output().came(PLC, b"x" * 800 + b"\n", 0.0)
    memory = Memory(lines=10, bytes_=5000, all_bytes=8000)
    for n in range(100):
        memory.add(attrs.evolve(line, sequence=n))
    assert [x.sequence for x in memory.of("plc")] == [99, 98, 97, 96, 95]
    memory.add(attrs.evolve(line, sequence=100, system_name="other"))
    memory.add(attrs.evolve(line, sequence=101))
    assert [x.sequence for x in memory.of("plc")] == [101, 99, 98, 97]
    memory = Memory(lines=3)
    for n in range(100):
        memory.add(attrs.evolve(line, sequence=n))
    assert [x.sequence for x in memory.of("plc")] == [99, 98, 97]


def test_each_line_of_the_log_says_who_speaks() -> None:
    [line] = output().came(Speaker("plc-1", 3), record_as_line(40, "lib", "one\ntwo"), 0.0)
    first, second = line_as_log(line).splitlines()
    assert first.endswith(",000 ERROR   extsys.system.plc-1[3]: lib: one")
    assert second.endswith(" ERROR   extsys.system.plc-1[3]: two")
    [line] = output().came(PLC, b"\x1fohello\n", 0.0)
    assert line_as_log(line).endswith(" stdout  extsys.system.plc[1]: hello\n")
