"""How the command line shows things: for people, and as JSON. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import attrs

from actors.resilience.cache import CacheState
from actors.resilience.circuit_breaker import CircuitState
from actors.resilience.pool_actions import PoolState
from supervisor.messages import CircuitStatus, EventKind, LifecycleEvent, SystemStatus
from supervisor.messages.crashes import CrashReport
from supervisor.specs.spec import GroupSpec
from supervisor.views.table import table, wrap

_LINES_SHOWN = 10
_CRASH_COLUMNS = ("TIME", "INCARNATION", "UPTIME", "IN PROGRESS", "CAUSE")
_SPARE_OF_CRASH = ("IN PROGRESS", "INCARNATION", "UPTIME")
_SPARE = ("PID", "RECEIVED", "SENT", "INCARNATION", "RESTARTS", "UPTIME")
_COLUMNS = ("NAME", "STATE", "INCARNATION", "UPTIME", "RESTARTS", "SENT", "RECEIVED", "PID")


def statuses_as_table(systems: Sequence[SystemStatus], width: int | None = None) -> str:
    """One line a system, under headings. What does not fit ``width`` columns is left out, but
    never a name or a state."""
    if not systems:
        return "no systems"
    return table([_COLUMNS, *(_row(system) for system in systems)], width, spare=_SPARE)


def status_as_text(system: SystemStatus, columns: int | None = None) -> str:
    """Everything about one system, a line each, and its last crashes, newest first.

    Args:
        columns: of the terminal, into which long texts are wrapped; None leaves them whole.
    """
    lines = {
        "name": system.name,
        "kind": system.kind,
        "group": system.group,
        "state": system.state.value,
        "desired state": system.desired.value,
        "connected to": system.connected_to or "",
        "incarnation": str(system.incarnation),
        "process": "none" if system.pid is None else str(system.pid),
        "uptime": duration(system.uptime),
        "restarts": str(system.restarts),
        "sent": str(system.sent),
        "received": str(system.received),
        "dropped": str(system.dropped),
        "waiting": str(system.waiting),
        "commands": ", ".join(system.commands) or "none",
        "last error": system.last_error or "none",
        "next attempt": "none" if system.next_attempt is None else _after(system.next_attempt),
        **_policies(system),
        "last crash": system.last_crash.text if system.last_crash else "none",
    }
    if system.outbox != 0:
        waiting = "not known yet" if system.outbox is None else f"{system.outbox:,} to be delivered"
        lines["outbox"] = waiting
    if system.connected_to is None:
        del lines["connected to"]
    if system.cache is not None:
        lines["cache"] = _cache_as_text(system.cache)
    width = max(map(len, lines)) + 2
    room = None if columns is None else max(columns - width, 1)
    below = "\n" + " " * width
    text = "\n".join(
        f"{key + ':':<{width}}{below.join(wrap(value, room))}" for key, value in lines.items()
    )
    if not system.crashes:
        return text
    said = [line for each in system.crashes[-1].last_lines for line in each.splitlines()]
    if said:
        shown = "\n".join(f"  {line}" for line in said[-_LINES_SHOWN:])
        text = f"{text}\n\nwhat it said before the last crash:\n{shown}"
    crashes = table(
        [_CRASH_COLUMNS, *map(_crash_row, reversed(system.crashes))],
        columns,
        spare=_SPARE_OF_CRASH,
        wraps=True,
    )
    return f"{text}\n\nlast crashes, newest first:\n{crashes}"


def statuses_as_json(systems: Sequence[SystemStatus]) -> str:
    return json.dumps([attrs.asdict(system) for system in systems])


def status_as_json(system: SystemStatus) -> str:
    return json.dumps(attrs.asdict(system))


def event_as_text(event: LifecycleEvent) -> str:
    time = datetime.fromtimestamp(event.time).strftime("%H:%M:%S.%f")[:-3]
    text = f"{time}  {event.system_name}  {event.kind.value}  (incarnation {event.incarnation})"
    if event.kind is EventKind.DISCONNECTED and event.delay is not None:
        text += f"  connecting again {_after(event.delay)}"
    elif event.delay:
        text += f"  {_after(event.delay)}"
    if event.connected_to is not None:
        text += f"  to {event.connected_to}"
    if event.reason is not None:
        text += f"  {event.reason.text}"
    return text


def event_as_json(event: LifecycleEvent) -> str:
    return json.dumps(attrs.asdict(event))


def data_as_text(name: str, item: Any) -> str:
    return f"{name}: {item_as_text(item)}"


def data_as_json(name: str, item: Any) -> str:
    return json.dumps({"system_name": name, "data": for_json(item)})


def item_as_text(item: Any) -> str:
    """A text as it is; bytes as text where they are UTF-8; anything else as Python shows it."""
    if isinstance(item, str):
        return item
    if isinstance(item, bytes):
        try:
            return item.decode()
        except UnicodeDecodeError:
            return repr(item)
    return repr(item)


def item_as_json(item: Any) -> str:
    return json.dumps(for_json(item))


def count(systems: int) -> str:
    """``1 system``, ``2 systems``."""
    return "1 system" if systems == 1 else f"{systems} systems"


def spec_as_tree(group: GroupSpec, indent: str = "") -> str:
    """A group and what is in it, a line each, in the order of their start::

    root: group, one_for_one
      db: tcp
      line-1: group, rest_for_one
        plc-1: tcp
    """
    lines = [f"{indent}{group.name}: group, {group.strategy}"]
    indent += "  "
    for child in group.children:
        if isinstance(child, GroupSpec):
            lines.append(spec_as_tree(child, indent))
        else:
            lines.append(f"{indent}{child.name}: {child.kind}")
    return "\n".join(lines)


def duration(seconds: float) -> str:
    """A time span in one or two units: ``85 ms``, ``3.2 s``, ``4m05s``, ``2h10m``, ``3d04h``."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms" if seconds else "-"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days}d{hour:02}h"
    return f"{hours}h{minute:02}m" if hours else f"{minute}m{second:02}s"


def _after(seconds: float) -> str:
    return f"in {duration(seconds)}" if seconds else "at once"


def _cache_as_text(cache: CacheState) -> str:
    answers = "1 answer" if cache.answers == 1 else f"{cache.answers} answers"
    return f"hits: {cache.hits}, misses: {cache.misses}; {answers}, {cache.size:,} bytes"


def _pool_as_text(pool: PoolState) -> str:
    return (
        f"{pool.open} of {pool.size} open, {pool.idle} idle, {pool.borrowed} borrowed, "
        f"{pool.waiting} waiting; {pool.lost} lost, {pool.refused} refused"
    )


def _policies(system: SystemStatus) -> dict[str, str]:
    """Lines for what not every system has."""
    lines = {}
    if system.circuit is not None:
        lines["circuit breaker"] = _circuit(system.circuit)
    if system.pool is not None:
        lines["pool"] = _pool_as_text(system.pool)
    if system.retried:
        lines["retried"] = str(system.retried)
    return lines


def _circuit(circuit: CircuitStatus) -> str:
    if circuit.state is CircuitState.CLOSED:
        return "closed"
    if circuit.state is CircuitState.HALF_OPEN:
        return f"half-open, what is asked next shows whether it works; was open: {circuit.reason}"
    return f"open, tries again {_after(circuit.next_try or 0.0)}: {circuit.reason}"


def _state(system: SystemStatus) -> str:
    """In one line: that calls are refused, too."""
    if system.circuit is None or system.circuit.state is CircuitState.CLOSED:
        return system.state.value
    return f"{system.state.value}, circuit {system.circuit.state.value.replace('_', '-')}"


def _row(system: SystemStatus) -> tuple[str, ...]:
    return (
        system.name,
        _state(system),
        str(system.incarnation),
        duration(system.uptime),
        str(system.restarts),
        str(system.sent),
        str(system.received),
        "-" if system.pid is None else str(system.pid),
    )


def _crash_row(report: CrashReport) -> tuple[str, ...]:
    return (
        datetime.fromtimestamp(report.time).strftime("%Y-%m-%d %H:%M:%S"),
        str(report.incarnation),
        duration(report.uptime),
        report.in_progress or "-",
        report.one_line,
    )


def for_json(item: Any) -> Any:
    """Bytes become ``{"base64": ...}``; what JSON cannot say becomes ``{"repr": ...}``."""
    if isinstance(item, bytes):
        return {"base64": base64.b64encode(item).decode()}
    try:
        json.dumps(item, allow_nan=False)
    except (TypeError, ValueError):
        return {"repr": repr(item)}
    return item
