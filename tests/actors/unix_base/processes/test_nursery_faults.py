"""What a nursery's children inherit, and what becomes of them when it fails."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import psutil
import pytest
from thespian.actors import ChildActorExited, PoisonMessage

from actors.unix_base import use_nursery
from actors.unix_base.kernel.prctl import HAS_PRCTL
from actors.unix_base.processes import nursery
from tests.helpers import hosting
from tests.helpers.descriptors import KEPT, create_in_vain, held_by, hold_much, let_in, use_up
from tests.helpers.hosting import Do, create, is_running, kinds_heard, of, tell, wait_until
from tests.helpers.nurseries import (
    begin_to_use,
    kinds_of_children,
    parent_of,
    pid_of_nursery,
    pids_of_children,
    prepare,
    wait_for_spare,
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


# ---- descriptors -----------------------------------------------------------------------


def test_neither_nursery_nor_children_hold_anything_of_the_actor_or_of_one_another(sockets):
    with hosting.host(sockets, before=hold_much) as host:
        parent = host.create()
        host.ask(parent, hold_and_use)
        children = [host.ask(parent, create) for _ in range(3)]
        one, *others = pids = [host.pid_of(each) for each in (parent, *children)]
        [spare] = wait_for_spare(host, parent)
        nursery = host.ask(parent, pid_of_nursery)
        held = {each: held_by(each) for each in [*pids, nursery, spare]}

        # One end each of the pipes that tell of the nursery's end, and of the actor's.
        pipes = [link for link in held[one] & held[nursery] if link.startswith("pipe:")]
        assert len(pipes) <= 2
        for each in [nursery, spare, *others]:
            shared = [link for link in held[one] & held[each] if link not in pipes]
            assert shared == [], each
        for each in [spare, *others]:
            assert not [x for x in held[nursery] & held[each] if x not in pipes]
        assert sum(held[nursery].values()) <= 2  # its line, and the sign of the actor's end


def hold_and_use(actor):
    hold_much()
    return begin_to_use(actor)


def test_the_files_that_are_logged_to_are_kept_by_all(host):
    parent = host.create()
    assert host.ask(parent, log_to_file_and_use)
    child = host.ask(parent, create)

    [file] = host.ask(parent, files_kept)

    assert file.endswith("(deleted)")
    assert host.ask(child, files_kept) == [file]
    assert host.ask(host.ask(child, create), files_kept) == [file]


def log_to_file_and_use(actor):
    file = tempfile.TemporaryFile()  # noqa: SIM115
    KEPT.append(file)
    actor._myRef.transport._keep = frozenset({file.fileno()})
    return begin_to_use(actor)


def files_kept(actor):
    return [os.readlink(f"/proc/self/fd/{fd}") for fd in actor._myRef.transport.kept]


def test_no_descriptor_is_left_of_children_that_ended(host, parent):
    process = host.pid_of(parent)
    host.do(tell, parent, Do(create_and_kill, (3,)))
    wait_until(lambda: len(host.ask(parent, kinds_heard)) == 3, "the end of three")
    wait_for_spare(host, parent)
    before = len(os.listdir(f"/proc/{process}/fd"))

    host.do(tell, parent, Do(create_and_kill, (30,)))
    wait_until(lambda: len(host.ask(parent, kinds_heard)) == 33, "the end of thirty")
    wait_until(lambda: len(os.listdir(f"/proc/{process}/fd")) <= before)
    wait_until(lambda: len(psutil.Process(process).children()) == 2, "no zombie left")


def create_and_kill(actor, count):
    for _ in range(count):
        actor.createActor(hosting.Doer)
        actor._myRef._child_procs[-1].childProc.kill()


# ---- faults ----------------------------------------------------------------------------


def test_a_killed_nursery_is_replaced_and_its_end_is_no_actors(host, parent):
    first = host.pid_of(host.ask(parent, create))
    wait_for_spare(host, parent)
    nursery = host.ask(parent, pid_of_nursery)
    kill(nursery)

    pids = {host.pid_of(host.ask(parent, create)) for _ in range(3)}

    assert len(pids) == 3
    assert is_running(first)
    assert host.ask(parent, pid_of_nursery) != nursery
    assert host.ask(parent, kinds_of_children) == ["AdoptedProcess"] * 4
    assert host.ask(parent, of, "heard") == []


def kill(process):
    os.kill(process, signal.SIGKILL)
    wait_until(lambda: not is_running(process), "its end")


def test_a_spare_that_was_killed_is_done_without(host, parent):
    nursery = host.ask(parent, pid_of_nursery)
    for _ in range(2):
        [spare] = wait_for_spare(host, parent)
        kill(spare)
        assert host.pid_of(host.ask(parent, create))
        assert host.pid_of(host.ask(parent, create))

    assert host.ask(parent, pid_of_nursery) == nursery
    assert host.ask(parent, kinds_of_children) == ["ForkProcess", "AdoptedProcess"] * 2
    assert host.ask(parent, of, "heard") == []


def test_nursery_and_spare_killed_together_are_done_without(host, parent):
    [spare] = wait_for_spare(host, parent)
    kill(host.ask(parent, pid_of_nursery))
    kill(spare)

    pids = {host.pid_of(host.ask(parent, create)) for _ in range(3)}

    assert len(pids) == 3
    assert host.ask(parent, kinds_of_children)[-1] == "AdoptedProcess"


def test_a_nursery_that_stands_still_is_killed_and_replaced(host, parent):
    wait_for_spare(host, parent)
    nursery = host.ask(parent, pid_of_nursery)
    os.kill(nursery, signal.SIGSTOP)

    children = [host.ask(parent, create) for _ in range(3)]

    assert len({host.pid_of(each) for each in children}) == 3
    assert not is_running(nursery)
    assert host.ask(parent, kinds_of_children) == [
        "AdoptedProcess",
        "ForkProcess",
        "AdoptedProcess",
    ]


def test_actors_are_created_while_nursery_and_spares_are_killed(host, parent):
    """Whatever is killed when: each actor lives, or its end is told."""
    host.do(tell, parent, Do(create_among_kills, (MANY,)))
    wait_until(lambda: len(host.ask(parent, account)) == MANY, "an account of all")

    alive = [each for each in host.ask(parent, account) if each != "ended"]
    assert len({*alive}) == len(alive) >= MANY // 2
    assert all(map(is_running, alive))
    assert host.pid_of(host.ask(parent, create))
    process = psutil.Process(host.pid_of(parent))
    wait_until(lambda: len(process.children()) == len(alive) + 3, "no zombie left")


def create_among_kills(actor, count):
    mine = psutil.Process()
    for number in range(count):
        child = actor.createActor(hosting.Doer)
        actor.send(child, Do(introduce, (actor.myAddress,)))
        known = pids_of_children(actor)
        others = [each.pid for each in mine.children() if each.pid not in known]
        if others and number % 2:
            os.kill(others[number % len(others)], signal.SIGKILL)


def introduce(actor, whom):
    actor.send(whom, os.getpid())


def account(actor):
    """Of each child its process, or that it ended; what was sent to one that never began comes
    back besides."""
    told = [each for each in actor.heard if not isinstance(each, PoisonMessage)]
    return ["ended" if isinstance(each, ChildActorExited) else each for each in told]


def test_nursery_and_spare_end_when_their_actor_is_killed(host, parent):
    [spare] = wait_for_spare(host, parent)
    both = [spare, host.ask(parent, pid_of_nursery)]

    kill(host.pid_of(parent))

    wait_until(lambda: not any(map(is_running, both)), "the end of both")


def test_nursery_and_spare_end_when_their_actor_exits(host, parent):
    [spare] = wait_for_spare(host, parent)
    both = [spare, host.ask(parent, pid_of_nursery)]

    os.kill(host.pid_of(parent), signal.SIGTERM)

    wait_until(lambda: not any(map(is_running, both)), "the end of both")


def test_a_child_of_a_killed_actor_lives_on_as_ever(host, parent):
    child, mine = host.ask(parent, create), host.pid_of(parent)
    process = host.pid_of(child)

    kill(mine)
    wait_until(lambda: parent_of(process) != mine, "its adoption")

    assert host.pid_of(child) == process
    kill(process)


def test_orphans_are_adopted_waited_for_and_nobody_hears_of_them(host, parent):
    child = host.ask(parent, create)
    orphan = host.ask(child, have_orphan)
    mine = host.pid_of(parent)
    wait_until(lambda: parent_of(orphan) == mine, "the adoption")

    os.kill(orphan, signal.SIGKILL)

    wait_until(lambda: not Path(f"/proc/{orphan}").exists(), "the end of the zombie")
    assert host.pid_of(child)
    assert host.ask(parent, of, "heard") == []


def have_orphan(actor):
    """Fork a process whose parent ends at once."""
    reads, writes = os.pipe()
    between = os.fork()
    if between == 0:
        if os.fork() == 0:
            os.write(writes, os.getpid().to_bytes(8, "big"))
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            while True:
                signal.pause()
        os._exit(0)
    os.waitpid(between, 0)
    orphan = int.from_bytes(os.read(reads, 8), "big")
    os.close(reads)
    os.close(writes)
    return orphan


def test_an_actor_without_descriptors_has_the_spare_and_is_told_that_no_more_can_be(host, parent):
    wait_for_spare(host, parent)
    assert host.ask(parent, use_up) == "EMFILE"

    for _ in range(2):
        assert host.ask(parent, create_in_vain) == "tried"

    wait_until(lambda: host.ask(parent, kinds_heard) == ["ChildActorExited"])
    assert host.ask(parent, let_in) == "free"
    wait_until(lambda: host.ask(parent, kinds_of_children) == ["AdoptedProcess"])
    assert host.pid_of(host.ask(parent, create))


def test_where_there_can_be_no_nursery_an_actor_forks_by_itself(host):
    actor = host.create()
    assert host.ask(actor, begin_in_vain) == "none"

    assert host.pid_of(host.ask(actor, create))
    assert host.ask(actor, kinds_of_children) == ["ForkProcess"]


def begin_in_vain(actor):
    nursery.HAS_PRCTL = False  # type: ignore[attr-defined]
    use_nursery(actor)
    return "none" if actor._myRef._nursery is None else "one"


def test_on_another_base_it_does_nothing():
    from thespian.actors import ActorSystem

    system = ActorSystem("simpleSystemBase", transientUnique=True)
    try:
        actor = system.createActor(Elsewhere)
        assert system.ask(actor, "try", 5) == "prepared"
    finally:
        system.shutdown()


class Elsewhere(hosting.Doer):
    def receiveMessage(self, message, sender):
        if message == "try":
            use_nursery(self)
            self.send(sender, prepare(self, "wave"))
