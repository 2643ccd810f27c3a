"""What systems say, between the scribe that reads it and those who ask for it."""

from __future__ import annotations

from typing import Any

import pytest

from actors.messages import Failure, FailureCode
from actors.messages.output import OutputLine, Source
from actors.messages.tallied import NOTHING, Tallied
from supervisor.core.outputs import HEAR_OUT, PATIENCE
from supervisor.messages import (
    GetLogs,
    LinesSaid,
    LogsGiven,
    Subscribe,
    UnregisterSystem,
    Unsubscribe,
)
from supervisor.messages.output import (
    EndOutput,
    FindLines,
    ForgetOutput,
    KeepOutput,
    LinesFound,
    ListenTo,
    OutputKept,
    TellOutput,
)
from tests.helpers.harness import Harness


class Pipes:
    """Each incarnation has one."""

    def path_of(self, name: str, incarnation: int) -> str | None:
        return None

    def output_of(self, name: str, incarnation: int) -> str | None:
        return f"/{name}/{incarnation}"

    def tally_of(self, name: str, incarnation: int) -> Tallied:
        return NOTHING


def line(text: str, sequence: int = 1, name: str = "plc") -> OutputLine:
    return OutputLine(sequence, 0.0, name, 1, Source.LOGGING, 30, "lib", text)


@pytest.fixture
def harness() -> Harness:
    return Harness(doors=Pipes())


def scribe(harness: Harness, name: str = "scribe") -> None:
    """A scribe comes."""
    harness.tell(KeepOutput(), name)


def told(harness: Harness, client: str = "scribe") -> list[Any]:
    return [message for who, message in harness.told if who == client]


def asked(harness: Harness) -> FindLines:
    """The last question to the scribe."""
    found: FindLines = [each for each in told(harness) if isinstance(each, FindLines)][-1]
    return found


def answer(harness: Harness, *lines: OutputLine) -> None:
    harness.tell(LinesFound(asked(harness).number, lines), "scribe")


# ---- processes ---------------------------------------------------------------------------


def test_a_scribe_that_comes_late_hears_of_all_processes(harness: Harness) -> None:
    harness.register("plc")
    harness.register("other")
    scribe(harness)
    kept, *listens = told(harness)
    assert isinstance(kept, OutputKept)
    assert listens == [ListenTo("plc", 1, "/plc/1"), ListenTo("other", 1, "/other/1")]


def test_it_hears_of_each_process_that_begins_ends_and_is_no_more(harness: Harness) -> None:
    scribe(harness)
    actor = harness.register("plc")
    harness.core.child_begun("plc", 1)
    harness.carry_out()
    assert told(harness)[-1] == ListenTo("plc", 1, "/plc/1")
    actor.crash_and_exit()
    answer(harness)
    assert EndOutput("plc", 1) in told(harness)


def test_the_last_lines_are_in_the_report_of_a_crash(harness: Harness) -> None:
    actor = harness.register("plc")
    scribe(harness)
    actor.crash()
    actor.exit()
    assert asked(harness) == FindLines(1, "plc", 1, count=40)
    assert not crashes(harness)
    answer(harness, line("one"), line("x" * 2000))
    [report] = crashes(harness)
    assert report.last_lines == ("lib: one", "lib: " + "x" * 995 + " [...]")
    assert harness.actor("plc").incarnation == 2


def crashes(harness: Harness) -> tuple[Any, ...]:
    return harness.core._context.children["plc"].crashes


def test_a_scribe_that_is_silent_or_lost_holds_nothing_up_for_long(harness: Harness) -> None:
    actor = harness.register("plc")
    scribe(harness)
    actor.crash()
    actor.exit()
    actor.exit()  # is told twice now and then
    harness.advance(HEAR_OUT)
    assert len(crashes(harness)) == 1
    again = harness.actor("plc")
    again.start()
    again.crash()
    again.exit()
    harness.leave("scribe")
    assert [each.last_lines for each in crashes(harness)] == [(), ()]


def test_without_a_scribe_a_crash_is_dealt_with_at_once(harness: Harness) -> None:
    harness.register("plc").crash_and_exit()
    assert len(crashes(harness)) == 1


# ---- who asks ----------------------------------------------------------------------------


def test_who_asks_gets_what_the_scribe_finds(harness: Harness) -> None:
    harness.register("plc")
    scribe(harness)
    request = GetLogs("plc", 7)
    harness.tell(request)
    assert asked(harness) == FindLines(1, "plc", count=7)
    answer(harness, line("one"))
    given = harness.reply(request)
    assert isinstance(given, LogsGiven)
    assert given.lines == (line("one"),)


def test_who_asks_is_answered_also_when_there_is_no_scribe(harness: Harness) -> None:
    harness.register("plc")
    for request in (GetLogs("plc"), GetLogs("nobody"), GetLogs("plc", 0)):
        harness.tell(request)
    scribe(harness)
    late = GetLogs("plc")
    harness.tell(late)
    harness.advance(PATIENCE)
    failure = harness.reply(late)
    assert isinstance(failure, Failure)
    assert failure.code is FailureCode.UNAVAILABLE


# ---- who follows -------------------------------------------------------------------------


def lines_of(harness: Harness, client: str = "ann") -> list[OutputLine]:
    return [x for each in told(harness, client) if isinstance(each, LinesSaid) for x in each.lines]


def say(harness: Harness, *lines: OutputLine) -> None:
    harness.tell(LinesSaid(lines), "scribe")


def test_a_scribe_tells_only_while_somebody_follows(harness: Harness) -> None:
    scribe(harness)
    harness.tell(Subscribe(output_of=("plc",)))
    harness.tell(Subscribe(output_of=None), "bob")
    assert told(harness).count(TellOutput(True)) == 1
    harness.tell(Unsubscribe())
    assert TellOutput(False) not in told(harness)
    harness.leave("bob")
    assert told(harness)[-1] == TellOutput(False)


def test_each_follower_gets_what_it_asked_for(harness: Harness) -> None:
    scribe(harness)
    harness.tell(Subscribe(output_of=("plc",)))
    harness.tell(Subscribe(output_of=None), "bob")
    harness.tell(Subscribe(), "eve")
    say(harness, line("a"), line("b", 2, "other"))
    assert [x.text for x in lines_of(harness)] == ["a"]
    assert [x.text for x in lines_of(harness, "bob")] == ["a", "b"]
    assert lines_of(harness, "eve") == []


def test_what_somebody_missed_comes_first_and_nothing_twice(harness: Harness) -> None:
    scribe(harness)
    harness.tell(Subscribe(output_of=None, output_since=3))
    assert asked(harness) == FindLines(1, None, since=3)
    say(harness, line("six", 6))  # was on its way, and is among what is found
    answer(harness, line("four", 4), line("five", 5), line("six", 6))
    say(harness, line("seven", 7))
    assert [x.text for x in lines_of(harness)] == ["four", "five", "six", "seven"]


def test_the_next_scribe_is_told_that_somebody_follows(harness: Harness) -> None:
    scribe(harness)
    harness.tell(Subscribe(output_of=None))
    harness.leave("scribe")
    scribe(harness, "next")
    assert told(harness, "next")[-1] == TellOutput(True)


def test_what_is_forgotten_is_forgotten_there_too(harness: Harness) -> None:
    scribe(harness)
    actor = harness.register("plc")
    harness.tell(UnregisterSystem("plc"))
    actor.exit()
    assert told(harness)[-1] == ForgetOutput("plc")
