"""Each test of the base has a directory for the sockets, and leaves it as it was."""

from __future__ import annotations

import pytest

from tests.conftest import open_descriptors
from tests.helpers import hosting
from tests.helpers.leaks import no_leaks
from tests.helpers.members import Member


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


@pytest.fixture
def directory(runtime_dir):
    before = open_descriptors()
    runtime_dir.mkdir(0o700)
    yield runtime_dir
    assert list(runtime_dir.iterdir()) == []
    assert open_descriptors() == before


@pytest.fixture
def trio(directory):
    """An admin and two others."""
    members = [Member(directory, name) for name in ("admin", "ann", "bob")]
    yield members
    for each in members:
        each.close()
