"""Three kinds of tests, and which room has which.

pure: no process, no socket, no actor system; all of them take seconds.
runtime: an actor system, or a supervisor with all its processes.
process: other processes and sockets: programs run as a user would run them, and what the
    kernel does with them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

KINDS = {
    "actors": "pure",
    "actors/connectors/tcp": "process",
    "actors/connectors/test_tls": "process",
    "actors/processes": "process",
    "actors/system_actor/test_actor": "runtime",
    "actors/system_actor/test_actor_bases": "runtime",
    "actors/system_actor/test_direct_clients": "process",
    "actors/system_actor/test_leaks": "runtime",
    "actors/testing": "process",
    "actors/unix_base": "runtime",
    "actors/unix_base/kernel": "process",
    "actors/unix_base/transport": "process",
    "actors/unix_base/transport/test_alarms": "pure",
    "actors/unix_base/transport/test_frames": "pure",
    "actors/wire/test_client": "process",
    "actors/wire/test_front_door": "process",
    "actors/wire/test_versions": "process",
    "mutation": "pure",
    "supervisor": "pure",
    "supervisor/cli": "process",
    "supervisor/client/test_connection": "process",
    "supervisor/demo/test_chaos_demo": "process",
    "supervisor/demo/test_demo": "process",
    "supervisor/durable/store/test_files": "process",
    "supervisor/durable/store/test_kills": "process",
    "supervisor/host": "runtime",
    "supervisor/host/test_streams": "pure",
    "supervisor/runtime": "runtime",
    "supervisor/runtime/test_guarding": "pure",
    "test_layers": "pure",
}
"""Of the tests in a room or a module, the nearest counts; of all others it is process. A mark
in a module itself goes before."""
_ROOT = Path(__file__).parents[1]
_OUTSIDE = {
    *("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec"),
    *("socket.bind", "socket.connect"),
}
"""Audit events."""


LENGTHS = ("process", "runtime", "pure")
"""The kinds, those with the longest tests first."""


def mark(item: pytest.Item) -> None:
    if not any(item.get_closest_marker(kind) for kind in LENGTHS):
        item.add_marker(_kind_of(item.path))


def kind_of(item: pytest.Item) -> str:
    """Of a test that is marked."""
    return next(kind for kind in LENGTHS if item.get_closest_marker(kind))


def _kind_of(path: Path) -> str:
    place = path.relative_to(_ROOT).with_suffix("")
    for each in (place, *place.parents):
        if kind := KINDS.get(each.as_posix()):
            return kind
    return "process"


_inside: list[str] = []
"""The pure test that is run."""


@contextmanager
def staying_inside(test: str) -> Iterator[None]:
    """Have the body fail where it reaches for another process."""
    _inside.append(test)
    try:
        yield
    finally:
        _inside.clear()


def _refuse_the_outside(event: str, _: tuple[Any, ...]) -> None:
    if _inside and event in _OUTSIDE:
        raise AssertionError(f"{_inside[0]} is pure, and does {event}")


sys.addaudithook(_refuse_the_outside)
