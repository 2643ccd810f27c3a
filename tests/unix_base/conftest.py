"""Each test of the base has a directory for the sockets, and leaves it as it was."""

from __future__ import annotations

import pytest

from tests.actors.leaks import no_leaks
from tests.unix_base import hosting


@pytest.fixture
def sockets(runtime_dir):
    """A directory for actor systems: nothing in it, and no process, is left afterwards."""
    with no_leaks(hosting.CAP):
        yield runtime_dir
    left = [] if not runtime_dir.exists() else sorted(map(str, runtime_dir.rglob("*")))
    assert not left, f"left behind: {left}"


@pytest.fixture
def host(sockets):
    """A process that started an actor system."""
    with hosting.host(sockets) as one:
        one.wait_until_attached()
        yield one
