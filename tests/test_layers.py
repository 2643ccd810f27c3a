"""No import goes up, none goes round, and what decides touches nothing of the world.

A room is a package inside ``actors`` or ``supervisor``, a file beside those stands for itself.
Imports in functions count, and so do those for type checkers.
"""

from __future__ import annotations

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.helpers.programs import ROOT

LAYERS = """
    actors.unix_base.names actors.unix_base.kernel
    actors.unix_base.transport
    actors.unix_base.processes
    actors.unix_base.host actors.unix_base.hooks
    actors.unix_base.base
    actors.unix_base
    actors.errors actors.loggers actors.delivery
    actors.payload
    actors.interface actors.settings
    actors.resilience
    actors.messages
    actors.wire
    actors.connectors
    actors
    actors.processes actors.testing
    actors.system_actor
    supervisor.specs supervisor.errors supervisor.durable.entry
    supervisor.timing supervisor.messages
    supervisor.tree supervisor.views supervisor.config supervisor.output supervisor.durable
    supervisor.core supervisor.durable.store
    supervisor.runtime
    supervisor.client
    supervisor.host
    supervisor
    supervisor.demo
    supervisor.cli
    supervisor.__main__
"""
"""From the ground up: a room imports what stands in lines above its own, and nothing else."""

PURE = """
    actors.errors actors.loggers actors.delivery actors.messages actors.settings actors.resilience
    supervisor.specs supervisor.errors supervisor.timing supervisor.messages
    supervisor.tree supervisor.views supervisor.output supervisor.core
    supervisor.durable supervisor.durable.entry
"""
"""Rooms that decide or describe: no clock, socket, file, process or event loop."""
SEEN_BY_THE_PURE = {"actors.payload", "actors.interface"}
"""What data is wrapped in, and the class that connectors inherit, are no decisions."""
WORLD = {
    *("asyncio", "concurrent", "ctypes", "fcntl", "mmap", "multiprocessing", "os", "pathlib"),
    *("select", "selectors", "shutil", "socket", "subprocess", "tempfile", "thespian"),
    *("threading", "time"),
}
OF_THE_RUNTIME = {"directory", "embedded", "limits", "processes"}
"""What a host's process takes of the runtime: where it is, and how to start it."""

LEVEL = {room: level for level, line in enumerate(LAYERS.split("\n")) for room in line.split()}


def name_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


FILES = {name_of(f): f for top in ("actors", "supervisor") for f in (ROOT / top).rglob("*.py")}


def imports_of(module: str) -> set[str]:
    """The modules that a module imports, ours and others'."""
    found = set()
    for node in ast.walk(ast.parse(FILES[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{each.name}" for each in node.names}
            found |= (names & FILES.keys()) or {str(node.module)}
    return found


def room_of(module: str) -> str:
    """The longest name in the table that it is, or is in."""
    parts = module.split(".")
    names = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next(name for name in names if name in LEVEL)


OURS = {module: {each for each in imports_of(module) if each in FILES} for module in FILES}


def test_every_room_has_its_place_in_the_table() -> None:
    rooms = {name_of(d) for top in ("actors", "supervisor") for d in (ROOT / top).iterdir()}
    assert {room for room in rooms if room in FILES} - LEVEL.keys() == set()


@pytest.mark.parametrize("module", FILES)
def test_a_room_imports_only_rooms_below_its_own(module: str) -> None:
    own = room_of(module)
    others = {each for each in OURS[module] if room_of(each) != own}
    assert {each for each in others if LEVEL[room_of(each)] >= LEVEL[own]} == set()


def test_no_two_modules_import_each_other_however_far_round() -> None:
    list(TopologicalSorter(OURS).static_order())  # raises CycleError, which names them


@pytest.mark.parametrize("module", [each for each in FILES if room_of(each) in PURE.split()])
def test_what_decides_touches_no_clock_socket_or_file(module: str) -> None:
    assert {each.split(".")[0] for each in imports_of(module)} & WORLD == set()
    assert {room_of(each) for each in OURS[module]} - set(PURE.split()) <= SEEN_BY_THE_PURE


def test_the_base_knows_nothing_else_of_ours() -> None:
    base = {m for m in FILES if m.startswith("actors.unix_base")}
    assert {x for m in base for x in OURS[m]} - base == set()


def test_a_host_takes_little_of_the_runtime() -> None:
    hosts = [m for m in FILES if room_of(m) in ("supervisor.client", "supervisor.host")]
    taken = {x for m in hosts for x in OURS[m] if room_of(x) == "supervisor.runtime"}
    assert {x.removeprefix("supervisor.runtime.") for x in taken} <= OF_THE_RUNTIME


def test_the_map_in_the_docs_shows_every_room_and_no_file_that_is_not_there() -> None:
    text = (ROOT / "docs/design.rst").read_text()
    packages = {FILES[room].parent for room in LEVEL if FILES[room].name == "__init__.py"}
    inner = {each for each in packages if each.parent != ROOT}
    assert {f"{each.name}/" for each in inner if f"``{each.name}/``" not in text} == set()
    named = set(re.findall(r"``([\w/]+\.py)``", text))
    places = (ROOT, ROOT / "actors", ROOT / "supervisor")
    assert {name for name in named if not any((at / name).exists() for at in places)} == set()
