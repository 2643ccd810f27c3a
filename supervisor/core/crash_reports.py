"""What is known of a crash is put together, kept, and told. Pure."""

from __future__ import annotations

from typing import Final

import attrs

from actors.messages import RECEIVING_KINDS, Fence, Reason, Request
from supervisor.core.child import Child
from supervisor.core.context import Context
from supervisor.core.exits import ProcessExit
from supervisor.messages import EventKind
from supervisor.messages.crashes import CrashReport, with_newest
from supervisor.tree.decisions import Happened

_LONGEST_TEXT: Final = 4_000
_LONGEST_TRACEBACK: Final = 32_000
"""Characters. An exception may show all of the data it was raised for, and reports are kept."""


def report_crash(context: Context, child: Child, reason: Reason, how: ProcessExit | None) -> None:
    """A child's process has ended in a crash. Call it before its requests are failed.

    Args:
        how: None if its process was killed because it had crashed: its end says nothing.
    """
    how = how or ProcessExit(out_of_memory=False)
    name, incarnation = child.name, child.incarnation
    report = CrashReport(
        reason=shortened(reason),
        incarnation=incarnation,
        time=context.wall_clock(),
        uptime=max(0.0, context.now - child.node.up_since),
        exit_code=how.code,
        signal=how.signal,
        out_of_memory=how.out_of_memory,
        in_progress=in_progress(child),
        last_lines=child.last_lines,
    )
    child.crashes = with_newest(child.crashes, report, context.options.crash_reports)
    happened = Happened(EventKind.CRASHED, name, incarnation, report.reason, report=report)
    context.publish(happened)


def in_progress(child: Child) -> str | None:
    """The type of the oldest request that its process has, and has not answered; one that
    only waits for data counts last."""
    delivered: list[type[Request]] = [
        type(each.request) for each in child.open.values() if each.delivered
    ]
    if child.tallied.busy_with is not None:
        delivered.append(child.tallied.busy_with)
    asked = [each for each in delivered if each is not Fence]
    busy = [each for each in asked if not issubclass(each, RECEIVING_KINDS)]
    return next((each.__name__ for each in (*busy, *asked)), None)


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
