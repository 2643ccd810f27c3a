"""How the supervision tree is shown: for people, and as JSON. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

import attrs

from supervisor.messages import ChildInfo, ChildrenCounted, SystemState, TreeNode
from supervisor.specs.spec import ChildSpec, GroupSpec, SystemSpec
from supervisor.views.status import duration
from supervisor.views.table import table, wrap

_RESET: Final = "\x1b[0m"
_SPARE: Final = ("kind", "uptime", "incarnation", "restarts")
"""What is left out of a tree where there is no room, the first one first."""
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
    SystemState.FAILED: _RED,
    SystemState.QUARANTINED: _RED,
    SystemState.DISCONNECTED: _CYAN,
    SystemState.TERMINATED: _DIM,
}


def tree_as_text(root: TreeNode, *, colour: bool, width: int | None = None) -> str:
    """The tree, a line for each child: its name, state, incarnation, uptime and restarts.

    Args:
        width: columns there are; what does not fit is left out from the right, but the state
            and the cause of a quarantine, which go on below.
    """
    rows = list(_rows(root, "", ""))
    name_width = max(len(label) for label, _, _ in rows)
    state_width = max(len(node.state.value) for _, node, _ in rows)
    # Without colours, which take no room, and without causes, which may go on below.
    left_out: set[str] = set()
    for part in _SPARE:
        lines = (
            _line(label.ljust(name_width), node, state_width, left_out) for label, node, _ in rows
        )
        if width is None or max(map(len, lines)) <= width:
            break
        left_out.add(part)
    shown: list[str] = []
    for label, node, rest in rows:
        padded = label.ljust(name_width)
        plain = _line(padded, node, state_width, left_out)
        line = _line(padded, node, state_width, left_out, colour=colour)
        cause = "" if node.cause is None else node.cause
        if width is not None and len(plain) > width:
            # A name is never cut: what is told of it stands below.
            under = _line("", node, 0, left_out, colour=colour).lstrip()
            shown += [label, f"{rest}  {under}"]
        elif cause and (width is None or len(plain) + 2 + len(cause) <= width):
            shown.append(f"{line}  {cause}")
            continue
        else:
            shown.append(line)
        if cause:
            room = max(1, (width or 0) - len(rest) - 2)
            shown += [f"{rest}  {part}" for part in wrap(cause, room)]
    return "\n".join(shown)


def _rows(node: TreeNode, first: str, rest: str) -> Iterator[tuple[str, TreeNode, str]]:
    """Each child with its label, the branches before it and its name; and the branches that
    go on below."""
    yield first + node.name, node, rest + ("│" if node.children else " ")
    for number, child in enumerate(node.children, 1):
        last = number == len(node.children)
        yield from _rows(
            child,
            rest + ("└─ " if last else "├─ "),
            rest + ("   " if last else "│  "),
        )


def _line(
    label: str, node: TreeNode, state_width: int, left_out: set[str], *, colour: bool = False
) -> str:
    state = node.state.value.ljust(state_width)
    if colour:
        state = f"{_COLOURS[node.state]}{state}{_RESET}"
    what = node.strategy if node.strategy is not None else node.kind or ""
    about = {
        "incarnation": f"#{node.incarnation}".ljust(5),
        "uptime": duration(node.uptime).rjust(7),
        "restarts": f"restarts {node.restarts}".ljust(12) if node.restarts else " " * 12,
        "kind": f"{_DIM}{what}{_RESET}" if colour and what else what,
    }
    parts = [text for key, text in about.items() if key not in left_out]
    return "  ".join([label, state, *parts]).rstrip()


def tree_as_json(root: TreeNode) -> str:
    return json.dumps(attrs.asdict(root))


def children_as_text(children: Sequence[ChildInfo], width: int | None = None) -> str:
    """A line for each child of a group, with what fits ``width`` columns."""
    if not children:
        return "no children"
    rows = [("NAME", "TYPE", "STATE", "PID")]
    for child in children:
        pid = "-" if child.pid is None else str(child.pid)
        rows.append((child.name, child.type.value, child.state.value, pid))
    return table(rows, width, spare=("PID", "TYPE"))


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
    """By the keys of a configuration: what a policy asks for stands with the rest."""
    fields = {
        field.name: getattr(spec, field.name)
        for field in attrs.fields(type(spec))
        if field.name not in ("connection_details", "snapshot", "children", "policy")
    }
    if isinstance(spec, SystemSpec):
        asked_for = _set_in(spec.policy)
        fields |= {key: getattr(spec.policy, key) for key in asked_for}
    return fields


def _set_in(settings: Any) -> dict[str, Any]:
    """What is not None of an object of a settings class."""
    return {key: each for key, each in attrs.asdict(settings).items() if each is not None}


def _as_text(value: Any) -> str:
    if not attrs.has(type(value)):
        return str(value)
    return ", ".join(f"{key} {_short(each)}" for key, each in _set_in(value).items())


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _for_json(spec: ChildSpec) -> dict[str, Any]:
    fields = {
        key: attrs.asdict(value) if attrs.has(type(value)) else value
        for key, value in _fields(spec).items()
    }
    if isinstance(spec, GroupSpec):
        fields["children"] = [_for_json(child) for child in spec.children]
    return fields
