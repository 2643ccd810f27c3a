"""An actor whose children another process forks has them as any other actor has."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from thespian.actors import ChildActorExited, requireCapability

from actors.unix_base import creation_error
from actors.unix_base.kernel.prctl import HAS_PRCTL, adopt_orphans
from tests.helpers import hosting
from tests.helpers.deaths import (
    be_busy_until_ended,
    children_of,
    have_child_speak_and_die,
    names_of_the_dead,
)
from tests.helpers.hosting import Do, create, is_running, of, pid, tell, wait_until
from tests.helpers.nurseries import (
    begin_to_use,
    kinds_of_children,
    parent_of,
    pid_of_nursery,
    pids_of_children,
    prepare,
)

pytestmark = pytest.mark.skipif(not HAS_PRCTL, reason="only Linux has nurseries")

MANY = 40


@pytest.fixture
def host(shared_host):
    return shared_host


@pytest.fixture
def parent(host):
    """An actor that uses a nursery."""
    actor = host.create()
    assert host.ask(actor, begin_to_use)
    return actor


# ---- as any other child ----------------------------------------------------------------


def test_what_a_nursery_forks_is_the_actors_own_child(host, parent):
    child = host.pid_of(host.ask(parent, create))

    assert host.ask(parent, kinds_of_children) == ["AdoptedProcess"]
    assert parent_of(child) == host.pid_of(parent)
    assert host.ask(parent, of, "heard") == []


def test_an_actor_asks_twice_for_a_nursery_and_has_one(host, parent):
    assert host.ask(parent, begin_to_use) == host.ask(parent, pid_of_nursery)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_parent_hears_once_of_each_of_many_children_killed_at_once(host, parent, number):
    children = children_of(host, parent, MANY)
    host.do(tell, parent, Do(be_busy_until_ended, (list(children.values()), number)))

    host.heard_by(parent, MANY)
    host.ask(parent, pid)  # what was on its way is there now
    heard = host.ask(parent, of, "heard")

    assert names_of_the_dead(heard) == sorted(children)
    assert set(host.ask(parent, pids_of_children)) == set()


def test_the_last_words_of_a_child_come_before_the_news_of_its_end(host, parent):
    child = host.ask(parent, create)
    host.do(tell, parent, Do(have_child_speak_and_die, (host.pid_of(child),)))

    *words, last = host.heard_by(parent, 101)

    assert words == list(range(100))
    assert isinstance(last, ChildActorExited)


def test_the_exit_code_of_a_child_is_known(host, parent):
    host.ask(parent, create)
    host.ask(parent, keep_process)
    host.do(tell, parent, Do(have_child_exit, (7,)))
    host.heard_by(parent, 1)

    assert host.ask(parent, exit_code) == 7


def keep_process(actor):
    actor.process = actor._myRef._child_procs[-1].childProc
    return "kept"


def have_child_exit(actor, code):
    actor.send(actor.child, Do(exit_with, (code,)))


def exit_with(actor, code):
    os._exit(code)


def exit_code(actor):
    return actor.process.exitcode


def test_a_child_has_children_of_its_own(host, parent):
    child = host.ask(parent, create)
    grandchild = host.pid_of(host.ask(child, create))

    assert parent_of(grandchild) == host.pid_of(child)
    assert host.ask(child, kinds_of_children) == ["ForkProcess"]


def test_a_child_whose_arguments_cannot_be_pickled_is_forked_by_its_parent(host, parent):
    child = host.ask(parent, create_with_unpicklable_requirements)

    assert host.pid_of(child)
    assert host.ask(parent, kinds_of_children) == ["ForkProcess"]


@requireCapability("Python Version")
class Demanding(hosting.Doer):
    pass


def create_with_unpicklable_requirements(actor):
    actor.child = actor.createActor(Demanding, {"never looked at": lambda: None})
    actor.send(actor.child, Do(hosting.answer_to, (actor.sender,)))


def test_children_have_what_was_prepared(host, parent):
    host.ask(parent, create)

    assert host.ask(parent, prepare, "wave") == "prepared"

    assert host.ask(host.ask(parent, create), is_imported, "wave")
    assert not host.ask(host.create(), is_imported, "wave")
    assert host.ask(parent, kinds_of_children) == ["AdoptedProcess"] * 2


def is_imported(actor, module):
    return module in sys.modules


def test_a_nursery_survives_a_preparation_that_fails(host, parent):
    nursery = host.ask(parent, pid_of_nursery)

    assert host.ask(parent, prepare_in_vain) == "prepared"

    assert host.pid_of(host.ask(parent, create))
    assert host.ask(parent, kinds_of_children) == ["AdoptedProcess"]
    assert host.ask(parent, pid_of_nursery) == nursery


def prepare_in_vain(actor):
    actor._myRef.prepare_children(sys.exit, 1)
    actor._myRef.prepare_children(int, "no number")
    return "prepared"


def test_collection_of_garbage_goes_on_in_children(host, parent):
    assert host.ask(host.ask(parent, create), collects)


def collects(actor):
    import gc

    return gc.isenabled() and "yes"


# ---- what a child has started ----------------------------------------------------------


def start_program(actor, new_session):
    """One that goes on by itself; its process id."""
    program = "import subprocess as s; print(s.Popen(['sleep', '600'], stdout=s.DEVNULL).pid)"
    line = [sys.executable, "-c", program]
    output = subprocess.check_output(line, start_new_session=new_session, text=True)
    actor.program = subprocess.Popen(["sleep", "600"], start_new_session=new_session)
    return int(output), actor.program.pid


@pytest.mark.parametrize("new_session", [False, True])
def test_what_a_child_has_started_ends_with_it(host, parent, new_session):
    child = host.ask(parent, create)
    other = host.ask(parent, create)
    assert host.ask(child, adopt) == host.ask(other, adopt) == "adopts"
    background, program = host.ask(child, start_program, new_session)
    others = host.ask(other, start_program, new_session)

    os.kill(host.pid_of(child), signal.SIGKILL)

    wait_until(lambda: not is_running(background) and not is_running(program), "their end")
    assert all(map(is_running, others))
    os.kill(host.pid_of(other), signal.SIGTERM)
    wait_until(lambda: not any(map(is_running, others)), "the end of the others")


def adopt(actor):
    adopt_orphans()
    return "adopts"


def test_what_a_child_has_started_has_ended_when_its_end_is_told(host, parent):
    child = host.ask(parent, create)
    host.ask(child, adopt)
    programs = host.ask(child, start_program, True)
    host.ask(parent, look_at_exits_for, programs)

    os.kill(host.pid_of(child), signal.SIGKILL)

    wait_until(lambda: host.ask(parent, of, "alive") != "unheard", "the news of the end")
    assert host.ask(parent, of, "alive") == []


def look_at_exits_for(actor, programs):
    """Note which programs are there when it is told of an exit."""
    actor.alive = "unheard"
    hear = actor.receiveMessage

    def receive(message, sender):
        if isinstance(message, ChildActorExited):
            actor.alive = [each for each in programs if is_running(each)]
        return hear(message, sender)

    actor.receiveMessage = receive
    return "looks"


# ---- what could not be created ---------------------------------------------------------


def test_why_a_child_could_not_be_created_can_be_asked(host, parent):
    assert host.ask(parent, why_not_created) == ["none", "OSError: no process is left", "none"]


def why_not_created(actor):
    """Of one that can be created, one that cannot, and one that can."""
    manager = actor._myRef

    def fail(*args):
        raise OSError("no process is left")

    why = []
    for start in (manager._start_process, fail, manager._start_process):
        manager._start_process = start
        actor.createActor(hosting.Doer)
        error = creation_error(actor)
        why.append("none" if error is None else f"{type(error).__name__}: {error}")
    return why
