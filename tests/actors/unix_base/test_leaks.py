"""Whoever creates actors for ever holds no more than at the beginning."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from thespian.actors import ActorExitRequest, ChildActorExited

from tests.helpers import hosting
from tests.helpers.descriptors import call, create_in_vain, let_in, use_up
from tests.helpers.hosting import CAP, Do, ask, kinds_heard, pid, wait_until


class Rounds(hosting.Doer):
    """Creates an actor, has it answer and exit, and begins again when it has ended."""

    left = 0
    child = None
    whom = None

    def receiveMessage(self, message, sender):
        if isinstance(message, ChildActorExited) and self.whom is not None:
            self.left -= 1
            self.begin() if self.left else self.send(self.whom, "done")
            return None
        if message == "answer":
            self.send(self.child, ActorExitRequest())
            return None
        return super().receiveMessage(message, sender)

    def begin(self):
        self.child = self.createActor(hosting.Doer)
        self.send(self.child, Do(say_answer))


def say_answer(actor):
    return "answer"


def go_round(actor, count):
    actor.whom, actor.left = actor.sender, count
    actor.begin()


def create_rounds(system):
    return system.createActor(Rounds)


def create_and_end(system, count):
    """The same from a host, whose admin is the parent."""
    for _ in range(count):
        actor = system.createActor(hosting.Doer)
        assert system.ask(actor, Do(pid), CAP)
        system.tell(actor, ActorExitRequest())


def descriptors_of(process):
    return len(os.listdir(f"/proc/{process}/fd"))


def pids_of_admin_and(host, actor):
    status = Path(f"/proc/{host.pid_of(actor)}/stat").read_text()
    admin = int(status.rpartition(")")[2].split()[1])
    return [admin, host.pid_of(actor), host.process.pid]


@pytest.mark.parametrize("count", [150, pytest.param(1_000, marks=pytest.mark.long)])
def test_no_descriptor_and_no_file_is_left_of_actors_that_ended(host, count):
    parent = host.do(create_rounds)
    assert host.do(ask, parent, Do(go_round, (2,)), CAP) == "done"
    host.do(create_and_end, 2)
    pids = pids_of_admin_and(host, parent)
    files = 4  # of the admin, the logger, the host, and the parent
    wait_until(lambda: len(os.listdir(host.directory)) == files)
    before = list(map(descriptors_of, pids))

    assert host.do(ask, parent, Do(go_round, (count * 2 // 3,)), CAP * 5) == "done"
    host.do(create_and_end, count - count * 2 // 3)

    wait_until(lambda: len(os.listdir(host.directory)) == files, "the end of all files")

    def none_is_left():
        host.pid_of(parent)  # the host hears of the last one's end when it asks
        return list(map(descriptors_of, pids)) <= before

    wait_until(none_is_left, "the end of all descriptors")


def test_no_descriptor_is_left_of_private_askers(host):
    actor = host.create()
    host.do(ask_privately_often, actor, 1)
    before = descriptors_of(host.process.pid)

    host.do(ask_privately_often, actor, 50)

    assert descriptors_of(host.process.pid) == before
    wait_until(lambda: len(os.listdir(host.directory)) == 4)


def ask_privately_often(system, actor, count):
    for _ in range(count):
        with system.private() as asker:
            assert asker.ask(actor, Do(pid), CAP)


# ---- no descriptors left ---------------------------------------------------------------


def test_an_actor_without_descriptors_is_called_when_it_has_some_again(host):
    """Nobody new reaches it before, and nothing that they said is lost."""
    busy, callers = host.create(), [host.create() for _ in range(3)]
    assert host.ask(busy, use_up) == "EMFILE"
    for number, each in enumerate(callers):
        assert host.ask(each, call, busy, number) == "called"
    assert host.ask(busy, hosting.of, "heard") == []

    assert host.ask(busy, let_in) == "free"

    wait_until(lambda: sorted(host.ask(busy, hosting.of, "heard")) == [0, 1, 2])


def test_an_actor_without_descriptors_calls_when_it_has_some_again(host):
    busy, callees = host.create(), [host.create() for _ in range(3)]
    assert host.ask(busy, use_up) == "EMFILE"
    for number, each in enumerate(callees):
        assert host.ask(busy, call, each, number) == "called"

    assert host.ask(busy, let_in) == "free"

    for number, each in enumerate(callees):
        assert host.heard_by(each, 1) == [number]


def test_an_actor_without_descriptors_is_told_that_its_child_cannot_be(host):
    busy = host.create()
    assert host.ask(busy, use_up) == "EMFILE"

    assert host.ask(busy, create_in_vain) == "tried"

    wait_until(lambda: host.ask(busy, kinds_heard) == ["ChildActorExited"])
