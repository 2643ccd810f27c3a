"""Puts together what is known of a crash. Pure."""

from __future__ import annotations

from typing import Final

import attrs

from actors.messages import Reason
from supervisor.child import Child
from supervisor.crashes import CrashReport
from supervisor.exits import ProcessExit

_LONGEST_TEXT: Final = 4_000
_LONGEST_TRACEBACK: Final = 32_000
"""Characters. An exception may show all of the data it was raised for, and reports are kept."""


def in_progress(child: Child) -> str | None:
    """The type of the oldest request that its process has, and has not answered."""
    delivered = (each for each in child.open.values() if each.delivered)
    oldest = next(delivered, None)
    return type(oldest.request).__name__ if oldest is not None else None


def crash_report(
    child: Child, reason: Reason, how: ProcessExit | None, time: float, now: float
) -> CrashReport:
    """What is known of the end of a child's process. Make it before its requests are failed.

    Args:
        how: None if its process was killed because it had crashed: its end says nothing.
        time: of the crash, in seconds since the epoch.
    """
    how = how or ProcessExit(out_of_memory=False)
    return CrashReport(
        reason=shortened(reason),
        incarnation=child.incarnation,
        time=time,
        uptime=max(0.0, now - child.started_at) if child.pid is not None else 0.0,
        exit_code=how.code,
        signal=how.signal,
        out_of_memory=how.out_of_memory,
        in_progress=in_progress(child),
    )


def shortened(reason: Reason) -> Reason:
    """A reason of bounded size."""
    if len(reason.text) <= _LONGEST_TEXT and len(reason.traceback) <= _LONGEST_TRACEBACK:
        return reason
    return attrs.evolve(
        reason,
        text=_without_middle(reason.text, _LONGEST_TEXT),
        traceback=_without_middle(reason.traceback, _LONGEST_TRACEBACK),
    )


def _without_middle(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]} [...{len(text) - 2 * half:,} characters...] {text[-half:]}"
