"""How ``extsys demo --chaos`` is shown: frames on a terminal, lines elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from actors.messages import Outcome
from supervisor.demo.chaos import Deed, Healed, Ledger, Plan, all_is_well
from supervisor.messages import EventKind, LifecycleEvent, TreeNode
from supervisor.views.status import duration, event_as_text
from supervisor.views.tree import tree_as_text

FIRST_FRAME: Final = "\x1b[?25l\x1b[?7l\x1b[2J"
"""Hides the cursor, and has long lines cut off; then an empty screen."""
AFTER_FRAMES: Final = "\x1b[?7h\x1b[?25h"
"""Undoes that."""
_HOME, _TO_LINE_END, _TO_END = "\x1b[H", "\x1b[K", "\x1b[J"
_BOLD, _DIM, _RED, _RESET = "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[0m"
_BAD_NEWS: Final = (
    *(EventKind.FAILED, EventKind.HUNG, EventKind.CRASHED),
    *(EventKind.QUARANTINED, EventKind.GAVE_UP),
)
_MOST_EVENTS: Final = 8
_AROUND: Final = 4
"""Lines of a frame beside the tree and the events."""


def frame(
    root: TreeNode,
    events: Sequence[LifecycleEvent],
    ledger: Ledger,
    headline: str,
    *,
    rows: int,
    colour: bool,
) -> list[str]:
    """The lines of one picture: the tree, the last events as far as there is room, counters.

    Args:
        rows: of the terminal.
    """
    tree = tree_as_text(root, colour=colour).splitlines()
    room = max(0, min(_MOST_EVENTS, rows - len(tree) - _AROUND))
    last = [_event(event, colour) for event in list(events)[-room:]] if room else []
    last += [""] * (room - len(last))
    if colour:
        headline = f"{_BOLD}{headline}{_RESET}"
    return [headline, *tree, "", *last, counters(ledger)]


def _event(event: LifecycleEvent, colour: bool) -> str:
    text = event_as_text(event)
    if not colour:
        return text
    return f"{_RED if event.kind in _BAD_NEWS else _DIM}{text}{_RESET}"


def redrawn(lines: Sequence[str]) -> str:
    """What to write to a terminal to have these lines in place of the frame before."""
    return _HOME + "".join(f"{line}{_TO_LINE_END}\r\n" for line in lines) + _TO_END


def counters(ledger: Ledger) -> str:
    return (
        f"{ledger.sent:,} requests: {ledger.answered:,} answered; failed: "
        f"{ledger.failed[Outcome.NOT_SENT]:,} not sent, "
        f"{ledger.failed[Outcome.UNKNOWN]:,} of unknown outcome; {ledger.given_up} lost"
    )


def deed_as_text(plan: Plan, pid: int | None) -> str:
    """Said when it is done."""
    who = plan.target if plan.target is not None else "all systems"
    return f"{plan.deed.text} {who}" + (f" (pid {pid})" if pid is not None else "")


def healed_as_text(healed: Healed) -> str:
    verb = "answer" if healed.deed is Deed.SUPERVISOR else "answers"
    return f"{healed.name} {verb} again after {duration(healed.took)}"


def report_as_text(found: Mapping[str, Any]) -> str:
    """The final report for people."""
    rows = [("deed", "times", "answered again: median", "at most")]
    for deed, times in found["deeds"].items():
        rows.append((deed, str(times["times"]), _ms(times["median_ms"]), _ms(times["max_ms"])))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    requests = found["requests"]
    lines += [
        "",
        f"Requests: {requests['sent']:,} sent, {requests['answered']:,} answered, "
        f"{requests['failed_not_sent']:,} failed and not sent, "
        f"{requests['failed_unknown']:,} failed with unknown outcome, {requests['lost']} lost.",
        _verdict(found),
    ]
    return "\n".join(lines)


def _verdict(found: Mapping[str, Any]) -> str:
    systems = found["systems"]
    astray = [name for name, each in systems.items() if each["state"] != each["desired"]]
    silent = found["never_answered_again"]
    if all_is_well(found):
        return f"Nothing was lost; all {len(systems)} systems are in their desired state."
    wrong = []
    if found["requests"]["lost"]:
        wrong.append("requests were lost")
    if silent:
        wrong.append(f"never answered again: {', '.join(silent)}")
    if astray or not systems:
        wrong.append(f"not in the desired state: {', '.join(astray) or 'nobody can tell'}")
    return f"NOT well: {'; '.join(wrong)} (seed {found['seed']})."


def _ms(value: float | None) -> str:
    return "-" if value is None else duration(value / 1000)
