"""How the supervision tree is shown: for people, and as JSON. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

import attrs

from actors.resilience.backoff import BackoffPolicy
from supervisor.messages import ChildInfo, ChildrenCounted, SystemState, TreeNode
from supervisor.specs.spec import ChildSpec, GroupSpec
from supervisor.views.status import duration

_RESET: Final = "\x1b[0m"
_DIM: Final = "\x1b[2m"
_GREEN, _YELLOW, _RED, _CYAN = "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[36m"
_COLOURS: Final = {
    SystemState.UP: _GREEN,
    SystemState.CONNECTED: _GREEN,
    SystemState.STARTING: _YELLOW,
    SystemState.CONNECTING: _YELLOW,
    SystemState.RESTARTING: _YELLOW,
    SystemState.WAITING: _YELLOW,
    SystemState.STOPPING: _YELLOW,
    SystemState.QUARANTINED: _RED,
    SystemState.DISCONNECTED: _CYAN,
    SystemState.TERMINATED: _DIM,
}


def tree_as_text(root: TreeNode, *, colour: bool) -> str:
    """The tree, a line for each child: its name, state, incarnation, uptime and restarts."""
    rows = list(_rows(root, "", ""))
    name_width = max(len(label) for label, _ in rows)
    state_width = max(len(node.state.value) for _, node in rows)
    return "\n".join(
        _line(label.ljust(name_width), node, state_width, colour) for label, node in rows
    )


def _rows(node: TreeNode, first: str, rest: str) -> Iterator[tuple[str, TreeNode]]:
    """Each child with its label: the branches before it, and its name."""
    yield first + node.name, node
    for number, child in enumerate(node.children, 1):
        last = number == len(node.children)
        yield from _rows(
            child,
            rest + ("└─ " if last else "├─ "),
            rest + ("   " if last else "│  "),
        )


def _line(label: str, node: TreeNode, state_width: int, colour: bool) -> str:
    state = node.state.value.ljust(state_width)
    if colour:
        state = f"{_COLOURS[node.state]}{state}{_RESET}"
    about = [f"#{node.incarnation}".ljust(5), duration(node.uptime).rjust(7)]
    about.append(f"restarts {node.restarts}".ljust(12) if node.restarts else " " * 12)
    what = node.strategy if node.strategy is not None else node.kind or ""
    about.append(f"{_DIM}{what}{_RESET}" if colour and what else what)
    if node.cause is not None:
        about.append(node.cause)
    return f"{label}  {state}  {'  '.join(about)}".rstrip()


def tree_as_json(root: TreeNode) -> str:
    return json.dumps(attrs.asdict(root))


def children_as_text(children: Sequence[ChildInfo]) -> str:
    """A line for each child of a group."""
    if not children:
        return "no children"
    rows = [("NAME", "TYPE", "STATE", "PID")]
    for child in children:
        pid = "-" if child.pid is None else str(child.pid)
        rows.append((child.name, child.type.value, child.state.value, pid))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def children_as_json(children: Sequence[ChildInfo]) -> str:
    return json.dumps([attrs.asdict(child) for child in children])


def counts_as_text(counts: ChildrenCounted) -> str:
    return (
        f"specs {counts.specs}, active {counts.active}, "
        f"supervisors {counts.supervisors}, workers {counts.workers}"
    )


def counts_as_json(counts: ChildrenCounted) -> str:
    names = ("specs", "active", "supervisors", "workers")
    return json.dumps({name: getattr(counts, name) for name in names})


def spec_as_text(spec: ChildSpec, indent: str = "") -> str:
    """A spec, a line for each field. Connection details never print."""
    lines = [f"{indent}{key}: {_as_text(value)}" for key, value in _fields(spec).items()]
    if isinstance(spec, GroupSpec):
        for child in spec.children:
            lines += [f"{indent}child:", spec_as_text(child, indent + "  ")]
    return "\n".join(lines)


def spec_as_json(spec: ChildSpec) -> str:
    """The same as JSON."""
    return json.dumps(_for_json(spec))


def _fields(spec: ChildSpec) -> dict[str, Any]:
    return {
        field.name: getattr(spec, field.name)
        for field in attrs.fields(type(spec))
        if field.name not in ("connection_details", "snapshot", "children")
    }


def _as_text(value: object) -> str:
    if isinstance(value, BackoffPolicy):
        return ", ".join(f"{key} {each:g}" for key, each in attrs.asdict(value).items())
    return str(value)


def _for_json(spec: ChildSpec) -> dict[str, Any]:
    fields = {
        key: attrs.asdict(value) if isinstance(value, BackoffPolicy) else value
        for key, value in _fields(spec).items()
    }
    if isinstance(spec, GroupSpec):
        fields["children"] = [_for_json(child) for child in spec.children]
    return fields
