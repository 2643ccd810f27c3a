"""All that Thespian's multiprocess bases do is done here, too."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import pytest
from thespian.actors import (
    ActorExitRequest,
    ChildActorExited,
    DeadEnvelope,
    PoisonMessage,
    ThespianWatch,
    WakeupMessage,
    WatchMessage,
)
from thespian.system.messages.status import Thespian_StatusReq, Thespian_SystemStatus

from tests.helpers import hosting
from tests.helpers.hosting import (
    CAP,
    After,
    Do,
    ask,
    create,
    is_running,
    listen,
    of,
    tell,
    wait_until,
)


@pytest.fixture
def host(shared_host):
    return shared_host


def echo(actor, message):
    return message


def test_an_actor_answers(host):
    actor = host.create()

    assert host.ask(actor, echo, "hello") == "hello"
    assert host.pid_of(actor) not in (os.getpid(), host.process.pid)


def test_what_is_told_is_heard_in_order(host):
    actor = host.create()
    host.do(tell_numbers, actor, 200)

    assert host.heard_by(actor, 200) == list(range(200))


def tell_numbers(system, actor, count):
    for number in range(count):
        system.tell(actor, number)


def test_a_host_hears_what_it_did_not_ask_for(host):
    actor = host.create()
    host.do(tell, actor, Do(say_several, (3,)))

    assert [host.do(listen) for _ in range(3)] == [0, 1, 2]
    assert host.do(listen, 0.01) is None


def say_several(actor, count):
    for number in range(count):
        actor.send(actor.sender, number)


def test_actors_create_actors_and_talk_to_them(host):
    parent = host.create()
    child = host.ask(parent, create)
    grandchild = host.ask(child, create)

    assert len({host.pid_of(each) for each in (parent, child, grandchild)}) == 3
    assert host.ask(grandchild, pass_on, child, "regards") == "sent"
    assert host.heard_by(child, 1) == ["regards"]


def pass_on(actor, whom, message):
    actor.send(whom, message)
    return "sent"


def test_what_is_sent_to_a_child_before_it_runs_arrives(host):
    parent = host.create()

    child = host.ask(parent, create_and_tell, list(range(50)))

    assert host.heard_by(child, 50) == list(range(50))


def create_and_tell(actor, messages):
    child = actor.createActor(hosting.Doer)
    for each in messages:
        actor.send(child, each)
    actor.send(child, Do(hosting.answer_to, (actor.sender,)))


def test_an_actor_may_send_to_itself(host):
    actor = host.create()

    host.ask(actor, tell_itself, "a note")

    assert host.heard_by(actor, 1) == ["a note"]


def tell_itself(actor, message):
    actor.send(actor.myAddress, message)
    return "sent"


def test_a_private_asker_hears_only_its_own_answers(host):
    actor = host.create()

    assert host.do(ask_privately, actor) == ("one", "two", None)


def ask_privately(system, actor):
    with system.private() as one, system.private() as other:
        one.tell(actor, Do(echo, ("one",)))
        second = other.ask(actor, Do(echo, ("two",)), CAP)
        return one.listen(CAP), second, system.listen(0.01)


def test_many_threads_of_a_host_may_ask_privately(host):
    actors = [host.create(), host.create()]

    assert host.do(ask_in_threads, actors, 8, 25) == [list(range(25))] * 8


def ask_in_threads(system, actors, count, rounds):
    answers = [[] for _ in range(count)]

    def ask_on(number):
        with system.private() as asker:
            for each in range(rounds):
                message = Do(echo, ((number, each),))
                answer = asker.ask(actors[each % len(actors)], message, CAP)
                if answer[0] == number:
                    answers[number].append(answer[1])

    threads = [threading.Thread(target=ask_on, args=(number,)) for number in range(count)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return answers


def test_a_thread_of_an_actor_may_send(host):
    actor = host.create()
    host.do(tell, actor, Do(send_from_threads, (4, 50)))

    heard = [host.do(listen) for _ in range(200)]

    for thread in range(4):
        assert [number for which, number in heard if which == thread] == list(range(50))


def send_from_threads(actor, count, messages):
    def work(which):
        for number in range(messages):
            actor.send(whom, (which, number))

    whom = actor.sender
    for which in range(count):
        threading.Thread(target=work, args=(which,)).start()


def test_a_wakeup_comes_when_it_is_due_with_what_was_asked(host):
    actor = host.create()
    host.ask(actor, want_wakeups)

    heard = host.heard_by(actor, 3)

    assert all(isinstance(each, WakeupMessage) for each in heard)
    assert [each.payload for each in heard] == ["soonest", "sooner", "later"]


def want_wakeups(actor):
    actor.wakeupAfter(0.06, "later")
    actor.wakeupAfter(0.03, "sooner")
    actor.wakeupAfter(0.0, "soonest")
    return "yes"


class Watcher(hosting.Doer):
    def receiveMessage(self, message, sender):
        if isinstance(message, WatchMessage):
            self.send(self.whom, message.ready == [self.watched])
            return None
        return super().receiveMessage(message, sender)


def test_an_actor_is_woken_by_a_descriptor_that_it_watches(host):
    actor = host.do(create_watcher)
    host.do(tell, actor, Do(watch_a_pipe))

    assert host.do(listen) is True


def create_watcher(system):
    return system.createActor(Watcher)


def watch_a_pipe(actor):
    actor.whom = actor.sender
    actor.watched, writable = os.pipe()
    os.write(writable, b"x")
    return After(ThespianWatch([actor.watched]))


def test_a_parent_hears_of_the_end_of_a_child_once(host):
    parent = host.create()
    child = host.ask(parent, create)
    process = host.pid_of(child)

    host.do(tell, child, ActorExitRequest())

    [exited] = host.heard_by(parent, 1)
    assert isinstance(exited, ChildActorExited)
    assert exited.childAddress == child
    wait_until(lambda: not is_running(process))
    assert len(host.ask(parent, of, "heard")) == 1


def test_an_actor_that_exits_takes_its_children_with_it(host):
    parent = host.create()
    child = host.ask(parent, create)
    pids = [host.pid_of(parent), host.pid_of(child)]

    host.do(tell, parent, ActorExitRequest())

    wait_until(lambda: not any(map(is_running, pids)))


def test_a_message_to_an_actor_that_is_gone_is_a_dead_letter(host):
    undertaker, actor = host.create(), host.create()
    host.ask(undertaker, handle_dead_letters)
    process = host.pid_of(actor)
    host.do(tell, actor, ActorExitRequest())
    wait_until(lambda: not is_running(process))

    assert host.ask(undertaker, pass_on, actor, "from an actor") == "sent"
    host.do(tell, actor, "from a host")

    letters = host.heard_by(undertaker, 2)
    assert all(isinstance(each, DeadEnvelope) for each in letters)
    assert {each.deadMessage for each in letters} == {"from an actor", "from a host"}
    assert all(each.deadAddress == actor for each in letters)


def handle_dead_letters(actor):
    actor.handleDeadLetters()
    return "yes"


def test_an_actor_has_a_global_name(host):
    one, same = host.create("the one"), host.create("the one")
    other = host.create("another one")

    assert one == same != other
    parent = host.create()
    assert host.ask(parent, create_named, "the one") == one


def create_named(actor, name):
    child = actor.createActor(hosting.Doer, globalName=name)
    actor.send(child, Do(hosting.answer_to, (actor.sender,)))


def test_a_global_name_is_free_when_its_actor_has_ended(host):
    one = host.create("the one")
    process = host.pid_of(one)
    host.do(tell, one, ActorExitRequest())
    wait_until(lambda: not is_running(process))

    wait_until(lambda: host.create("the one") != one, "another actor of that name")


def test_a_message_that_an_actor_cannot_deal_with_comes_back_as_poison(host):
    actor = host.create()

    poison = host.do(ask, actor, Do(fail))

    assert isinstance(poison, PoisonMessage)
    assert "as it was to be" in poison.details
    assert host.ask(actor, of, "tries") == 2


def fail(actor):
    actor.tries = getattr(actor, "tries", 0) + 1
    raise RuntimeError("as it was to be")


def test_what_actors_log_is_written_where_the_host_says(sockets, tmp_path):
    file = tmp_path / "log"
    logging_to = {
        "version": 1,
        "handlers": {"file": {"class": "logging.FileHandler", "filename": str(file)}},
        "root": {"handlers": ["file"], "level": "INFO"},
    }
    with hosting.host(sockets, log_definitions=logging_to) as one:
        one.ask(one.create(), log, "a line of an actor")
        wait_until(lambda: file.exists() and "a line of an actor" in file.read_text())


def log(actor, line):
    logging.getLogger("doer").warning(line)
    return "yes"


def test_a_system_tells_of_its_state(host):
    actor = host.create()

    status = host.do(ask_status)

    assert isinstance(status, Thespian_SystemStatus)
    assert actor in status.childActors
    assert not status.inShutdown


def ask_status(system):
    return system.ask(system._systemBase.adminAddr, Thespian_StatusReq(), CAP)


def test_several_systems_of_one_machine_know_nothing_of_one_another(sockets):
    with hosting.host(sockets, "one") as one, hosting.host(sockets, "two") as two:
        actors = [each.create("same name") for each in (one, two)]

        assert actors[0] != actors[1]
        one.close()
        assert two.ask(actors[1], echo, "still here") == "still here"


def test_another_process_attaches_to_a_system_that_runs(sockets):
    with hosting.host(sockets) as first, hosting.host(sockets) as second:
        actor = first.create("shared")

        assert second.create("shared") == actor
        assert first.pid_of(actor) == second.pid_of(actor)
        second.process.stdin.close()
        assert second.process.wait(CAP) == 0


def test_nothing_is_left_after_a_shutdown(sockets):
    with hosting.host(sockets) as one:
        parent = one.create()
        pids = [one.pid_of(parent), one.pid_of(one.ask(parent, create))]
        assert len(os.listdir(one.directory)) == 5  # admin, logger, host, two actors

    wait_until(lambda: not any(map(is_running, pids)))
    assert not one.directory.exists()


def test_no_process_listens_on_the_network(host):
    parent = host.create()
    pids = [host.pid_of(parent), host.pid_of(host.ask(parent, create)), host.process.pid]

    for each in pids:
        own = {os.readlink(fd) for fd in Path(f"/proc/{each}/fd").iterdir() if fd.is_symlink()}
        inodes = {name[8:-1] for name in own if name.startswith("socket:")}
        assert inodes
        for kind in ("tcp", "tcp6", "udp", "udp6"):
            table = Path(f"/proc/{each}/net/{kind}")
            lines = table.read_text().splitlines()[1:] if table.exists() else []
            assert not inodes & {line.split()[9] for line in lines}
