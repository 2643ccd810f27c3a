"""Each test of the base has a directory for the sockets, and leaves it as it was."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import psutil
import pytest

from tests.conftest import open_descriptors
from tests.helpers import hosting
from tests.helpers.leaks import descendants, no_leaks
from tests.helpers.members import Member


@pytest.fixture
def sockets(runtime_dir):
    """A directory for actor systems: nothing in it, and no process, is left afterwards."""
    with no_leaks(hosting.CAP):
        yield runtime_dir
    assert left_in(runtime_dir) == []


def left_in(directory):
    return sorted(map(str, directory.rglob("*")))


@pytest.fixture
def own_host(sockets):
    """A process that started an actor system."""
    with hosting.host(sockets) as one:
        one.wait_until_attached()
        yield one


@pytest.fixture
def host(own_host):
    """Modules that kill nothing but actors have the shared one."""
    return own_host


class SharedHost:
    """A host for tests that kill nothing but actors: each finds it as if it were new."""

    def __init__(self, parent):
        self.parent = parent
        self.one = None

    def get(self):
        if self.one is None:
            before = descendants()
            # A directory of its own: one that went wrong may be about to end.
            self.one = hosting.Host(tempfile.mkdtemp(dir=self.parent))
            self.one.wait_until_attached()
            self.own = descendants() - before
        return self.one

    def clear(self):
        """End all actors, and forget what they said."""
        try:
            told_to_end = set()
            hosting.wait_until(lambda: not self._actors(told_to_end), "the end of all actors")
            assert self.own <= descendants(), "the test ended more than actors"
            self.one.do(hosting.forget_what_came)
        except BaseException:
            self.close()
            raise

    def _actors(self, told_to_end):
        actors = descendants() - self.own
        for each in actors - told_to_end:
            try:
                each.resume()  # it may have been stopped
                each.terminate()
            except psutil.NoSuchProcess:
                pass
        told_to_end |= actors
        return actors

    def close(self):
        if self.one is not None:
            self.one.close()
            self.one = None


@pytest.fixture(scope="module")
def host_of_module():
    parent = Path(tempfile.mkdtemp(prefix="xt-"))
    with no_leaks(hosting.CAP):
        shared = SharedHost(parent)
        yield shared
        shared.close()
    left = [path for directory in parent.iterdir() for path in left_in(directory)]
    assert left == []
    shutil.rmtree(parent)


@pytest.fixture
def shared_host(host_of_module):
    """A process that started an actor system, in which there is no actor yet; the tests of a
    module use it one after the other."""
    yield host_of_module.get()
    host_of_module.clear()


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
