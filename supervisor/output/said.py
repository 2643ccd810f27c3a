"""All that the systems of a runtime say, from bytes to lines that are kept. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs

from actors.messages.output import LEVELS, OutputLine, Said, Source, lines_were, said_in
from supervisor.messages.output import FindLines
from supervisor.output.flow import Flow
from supervisor.output.memory import Memory


@attrs.frozen
class Speaker:
    """One incarnation of a system."""

    system_name: str
    incarnation: int


class Output:
    """Of one runtime. Times are seconds of a monotonic clock."""

    def __init__(self, first: int, wall_clock: Callable[[], float]) -> None:
        """
        Args:
            first: what the lines are counted from: more than any number of before.
            wall_clock: seconds since the epoch.
        """
        self._next = first
        self._wall_clock = wall_clock
        self._flows: dict[Speaker, Flow] = {}
        self._memory = Memory()

    def came(self, speaker: Speaker, data: bytes, now: float) -> list[OutputLine]:
        """Bytes have come from a process; the lines that are complete by now."""
        flow = self._flows.get(speaker)
        if flow is None:
            flow = self._flows[speaker] = Flow(now)
        return self._said(speaker, *flow.feed(data, now))

    def ended(self, speaker: Speaker) -> list[OutputLine]:
        """Nothing more comes from a process."""
        flow = self._flows.pop(speaker, None)
        return [] if flow is None else self._said(speaker, *flow.end())

    @property
    def is_behind(self) -> bool:
        """Whether :meth:`settle` has something to say."""
        return any(flow.is_behind for flow in self._flows.values())

    def settle(self, busy: Iterable[Speaker] = ()) -> list[OutputLine]:
        """What was dropped of those who say nothing at present.

        Args:
            busy: who said something just now.
        """
        quiet = self._flows.keys() - set(busy)
        return [
            line
            for speaker in quiet
            for line in self._said(speaker, *self._flows[speaker].settle())
        ]

    def last_words(self, name: str, incarnation: int) -> list[OutputLine]:
        """A process has ended, and all that it wrote has come: also what it had only begun to
        say is said."""
        speaker = Speaker(name, incarnation)
        flow = self._flows.get(speaker)
        return [] if flow is None else self._said(speaker, *flow.end())

    def find(self, wanted: FindLines) -> tuple[OutputLine, ...]:
        """Those of the lines that are kept."""
        if wanted.system_name is None:
            return tuple(self._memory.since(wanted.since))
        found: list[OutputLine] = []
        for line in self._memory.of(wanted.system_name, wanted.incarnation):
            if line.sequence <= wanted.since or len(found) == wanted.count:
                break
            found.append(line)
        return tuple(reversed(found))

    def forget(self, name: str) -> None:
        """There is no such system any more."""
        self._memory.forget(name)

    def _said(self, speaker: Speaker, lost: int, raw: Iterable[bytes]) -> list[OutputLine]:
        said = [_lost(lost)] if lost else []
        said += map(said_in, raw)
        return [self._line(speaker, each) for each in said]

    def _line(self, speaker: Speaker, said: Said) -> OutputLine:
        line = OutputLine(
            self._next,
            self._wall_clock(),
            speaker.system_name,
            speaker.incarnation,
            said.source,
            said.level,
            said.logger,
            said.text,
        )
        self._next += 1
        self._memory.add(line)
        return line


def _lost(count: int) -> Said:
    text = f"[{lines_were(count)} dropped: more than this system may say]"
    return Said(Source.LOST, LEVELS[Source.LOST], "", text)
