"""Nobody outlives the actor system, whoever was killed, or ended before his children began."""

from __future__ import annotations

import os
import signal
from unittest import mock

import psutil
import pytest
from thespian.actors import ActorExitRequest

from actors.unix_base.processes import admin as admin_module
from tests.helpers import hosting
from tests.helpers.deaths import children_of
from tests.helpers.hosting import Do, create, is_running, tell, wait_until

PLACES = 3
"""Sockets in a directory of a system without actors: of admin, logger and host."""


@pytest.fixture
def host(own_host):
    return own_host


def has_no_actor(host):
    wait_until(lambda: len(os.listdir(host.directory)) <= PLACES, "the end of all actors")


# ---- children that begin as their parent ends ------------------------------------------


class Heir(hosting.Doer):
    """Creates a child when it is told to exit."""

    def receiveMessage(self, message, sender):
        if isinstance(message, ActorExitRequest):
            self.createActor(hosting.Doer)
        return super().receiveMessage(message, sender)


def create_heirs(system, count):
    return [system.createActor(Heir) for _ in range(count)]


def end_all(system, actors):
    for each in actors:
        system.tell(each, ActorExitRequest())


def test_a_child_that_is_made_at_the_exit_ends_with_its_parent(host):
    heirs = host.do(create_heirs, 20)

    host.do(end_all, heirs)

    has_no_actor(host)


def test_a_child_that_is_made_at_the_shutdown_does_not_outlive_it(host):
    host.do(create_heirs, 5)

    host.do(shutdown)

    wait_until(lambda: not host.directory.exists(), "the end of all")


def shutdown(system):
    system.shutdown()


def create_and_be_killed(actor):
    actor.createActor(hosting.Doer)
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_child_whose_parent_is_killed_before_it_began_ends(host):
    parents = [host.create() for _ in range(5)]

    for each in parents:
        host.do(tell, each, Do(create_and_be_killed))

    has_no_actor(host)


def create_and_exit(actor):
    actor.createActor(hosting.Doer)
    actor.send(actor.myAddress, ActorExitRequest())


def test_an_actor_that_exits_waits_for_a_child_that_has_only_just_begun(host):
    grandparent = host.create()
    parent = host.ask(grandparent, create)

    host.do(tell, parent, Do(create_and_exit))

    host.heard_by(grandparent, 1)  # of the parent's end
    wait_until(lambda: len(os.listdir(host.directory)) == PLACES + 1)


# ---- children of killed parents --------------------------------------------------------


def test_nobody_of_a_tree_outlives_the_shutdown_when_eight_parents_were_killed(host):
    roots = [host.create() for _ in range(4)]  # 4, 8 and 32 below one another
    branches = [host.ask(root, create) for root in roots for _ in range(2)]
    leaves = [each for branch in branches for each in children_of(host, branch, 4).values()]
    doomed = [host.pid_of(each) for each in [*roots[:2], *branches[2:]]]
    for process in doomed:
        os.kill(process, signal.SIGKILL)
    wait_until(lambda: not any(map(is_running, doomed)), "the end of the parents")
    assert all(map(is_running, leaves))  # they live on until the system ends

    host.do(shutdown)

    assert not [each for each in leaves if is_running(each)]
    assert not host.directory.exists()


def test_a_child_whose_parent_was_killed_can_be_talked_to_until_the_system_ends(host):
    parent = host.create()
    child = host.ask(parent, create)
    process = host.pid_of(child)
    own = host.pid_of(parent)

    os.kill(own, signal.SIGKILL)
    wait_until(lambda: not is_running(own), "the end of the parent")

    assert host.pid_of(child) == process


def test_one_that_a_killed_admin_left_ends_with_the_next_system(sockets):
    with hosting.host(sockets) as first:
        child = first.pid_of(first.create())
        [admin] = psutil.Process(child).parents()[:1]
        admin.kill()
        wait_until(lambda: not is_running(admin.pid), "the end of the admin")
    assert is_running(child)

    with hosting.host(sockets) as second:
        second.wait_until_attached()

    assert not is_running(child)


def end_shortly():
    mock.patch.object(admin_module, "ENDS", 0.5).start()


@pytest.fixture
def short_host(sockets):
    with hosting.host(sockets, before=end_shortly) as one:
        one.wait_until_attached()
        yield one


def test_one_that_hangs_is_killed_at_the_shutdown_and_other_hosts_are_not(short_host):
    parent = short_host.create()
    child = short_host.ask(parent, create)
    processes = [short_host.pid_of(each) for each in (parent, child)]
    with hosting.host(short_host.directory.parent) as other:
        other.wait_until_attached()
        for each in processes:
            os.kill(each, signal.SIGSTOP)

        short_host.do(shutdown)

        assert not any(map(is_running, processes))
        assert other.process.poll() is None
