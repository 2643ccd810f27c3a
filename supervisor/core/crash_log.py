"""What the log says of crashes: a crash loop is logged once with a count. Pure."""

from __future__ import annotations

from collections import deque
from typing import Final

import attrs

from actors.messages import Reason
from supervisor.messages.crashes import CrashReport

QUIET: Final = 60.0
"""Seconds without a crash after which a crash loop is over."""
SUMMARY_EVERY: Final = 60.0
"""Seconds between two lines with a count."""
FULL_EVERY: Final = 10.0
"""Seconds between two crashes of a loop that are logged in full, each for a new reason."""
_REASONS: Final = 16
"""How many reasons of a loop are remembered."""


@attrs.define(eq=False)
class _Loop:
    """The crashes of one system, from one logged in full until it is quiet."""

    last_at: float
    full_at: float
    """When a crash was last logged in full."""
    since: float
    """From when on crashes are counted: the last summary, or the first crash."""
    count: int = 0
    """The crashes since then that were not logged."""
    latest: CrashReport | None = None
    """The last of those."""
    reasons: deque[tuple[str, int]] = attrs.field(factory=lambda: deque(maxlen=_REASONS))
    """Those logged in full, as hashes of their texts: texts may be long."""

    def summary(self, name: str, now: float) -> str | None:
        if self.latest is None:
            return None
        times = "once" if self.count == 1 else f"{self.count} times"
        last = f"the last (incarnation {self.latest.incarnation})"
        text = f"{name}: crashed {times} more in the last {max(1, round(now - self.since))} s"
        text += f", {last}: {self.latest.one_line}"
        self.since, self.count, self.latest = now, 0, None
        return text


class CrashLog:
    """Decides what to log of crashes. Times are seconds of a monotonic clock.

    It keeps something of each system that crashed within the last two minutes, no more.
    """

    def __init__(self) -> None:
        self._loops: dict[str, _Loop] = {}

    def crashed(self, name: str, report: CrashReport, now: float) -> str | None:
        """What to log of this crash now; None if it is only counted."""
        loop = self._loops.get(name)
        if loop is not None and now - loop.last_at < QUIET:
            return self._crashed_again(name, loop, report, now)
        rest = loop.summary(name, now) if loop is not None else None
        loop = _Loop(last_at=now, full_at=now, since=now)
        loop.reasons.append(_key(report.reason))
        self._loops[name] = loop
        text = crash_text(name, report)
        return f"{rest}\n{text}" if rest is not None else text

    def _crashed_again(self, name: str, loop: _Loop, report: CrashReport, now: float) -> str | None:
        loop.last_at = now
        key = _key(report.reason)
        if key in loop.reasons or now - loop.full_at < FULL_EVERY:
            loop.count += 1
            loop.latest = attrs.evolve(report, reason=attrs.evolve(report.reason, traceback=""))
            return None
        loop.full_at = now
        loop.reasons.append(key)
        return crash_text(name, report)

    def ended(self, name: str, now: float) -> str | None:
        """The system is in quarantine, or no more: what is left to log of its loop, if
        anything. Its next crash is logged in full."""
        loop = self._loops.pop(name, None)
        return loop.summary(name, now) if loop is not None else None

    def due(self, now: float) -> list[str]:
        """The counts to log now: once a minute, and when a loop is over."""
        lines = []
        for name, loop in list(self._loops.items()):
            if now < loop.since + SUMMARY_EVERY:
                continue
            text = loop.summary(name, now)
            loop.since = now
            if text is not None:
                lines.append(text)
            if now - loop.last_at >= QUIET:
                del self._loops[name]
        return lines

    def next_due(self) -> float | None:
        """When :meth:`due` is to be called next."""
        return min((loop.since + SUMMARY_EVERY for loop in self._loops.values()), default=None)


def crash_text(name: str, report: CrashReport) -> str:
    """What the log says of a crash.

    Exit code, signal and want of memory are in the reason's own words.
    """
    more = [f"up {report.uptime:.1f} s"] if report.uptime else []
    more += [f"busy with {report.in_progress}"] if report.in_progress else []
    text = f"{name}: incarnation {report.incarnation} crashed: {report.reason.text}"
    text += f" ({', '.join(more)})" if more else ""
    return f"{text}\n{report.reason.traceback}" if report.reason.traceback else text


def _key(reason: Reason) -> tuple[str, int]:
    return reason.kind, hash(reason.text)
