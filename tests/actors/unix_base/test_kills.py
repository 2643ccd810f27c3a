"""Whatever is killed, and however: nothing is silently lost, and nobody waits in vain."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest
from thespian.actors import ActorExitRequest, ChildActorExited, DeadEnvelope, PoisonMessage

from tests.helpers import hosting
from tests.helpers.deaths import (
    be_busy_until_ended,
    children_of,
    have_child_speak_and_die,
    names_of_the_dead,
    pid_of_logger,
)
from tests.helpers.hosting import (
    CAP,
    Do,
    HostDied,
    ask,
    create,
    is_running,
    kinds_heard,
    listen,
    of,
    pid,
    tell,
    wait_until,
)

MANY, SOME = 100, 25
LONG = 60.0
"""Seconds that nobody is to wait for."""


@pytest.fixture
def host(shared_host):
    return shared_host


@pytest.mark.parametrize(
    ("number", "count"),
    [(signal.SIGKILL, MANY), (signal.SIGTERM, SOME), (signal.SIGSEGV, SOME)],
)
def test_a_parent_hears_once_of_each_of_many_children_killed_at_once(host, number, count):
    parent = host.create()
    children = children_of(host, parent, count)
    host.do(tell, parent, Do(be_busy_until_ended, (list(children.values()), number)))

    heard = host.heard_by(parent, count)
    host.ask(parent, pid)  # what was on its way is there now
    heard = host.ask(parent, of, "heard")

    assert names_of_the_dead(heard) == sorted(children)
    assert not {os.path.basename(each) for each in children} & {*os.listdir(host.directory)}


def test_a_parent_hears_once_of_each_of_many_children_that_are_told_to_exit(host):
    parent = host.create()
    children = children_of(host, parent, SOME)
    host.do(tell, parent, Do(have_all_exit, (list(children.values()),)))

    host.heard_by(parent, SOME)
    wait_until(lambda: len(os.listdir(host.directory)) <= 4, "the end of all files")
    heard = host.ask(parent, of, "heard")

    assert names_of_the_dead(heard) == sorted(children)


def have_all_exit(actor, pids):
    for each in actor._myRef._children:
        actor.send(each, ActorExitRequest())
    wait_until(lambda: not any(map(is_running, pids)), "the end of all")


def test_the_last_words_of_a_child_come_before_the_news_of_its_end(host):
    parent = host.create()
    child = host.ask(parent, create)
    host.do(tell, parent, Do(have_child_speak_and_die, (host.pid_of(child),)))

    *words, last = host.heard_by(parent, 101)

    assert words == list(range(100))
    assert isinstance(last, ChildActorExited)


def test_whoever_asks_an_actor_that_dies_of_it_hears_so_at_once(host):
    undertaker, actor = host.create(), host.create()
    host.ask(undertaker, handle_dead_letters)
    before = time.monotonic()

    assert host.do(ask, actor, Do(die), LONG) is None

    assert time.monotonic() - before < LONG / 2
    [letter] = host.heard_by(undertaker, 1)
    assert isinstance(letter, DeadEnvelope)
    assert letter.deadAddress == actor
    assert letter.deadMessage == Do(die)


def handle_dead_letters(actor):
    actor.handleDeadLetters()
    return "yes"


def die(actor):
    os.kill(os.getpid(), signal.SIGKILL)


def test_whoever_asks_an_actor_that_is_dead_hears_so_at_once(host):
    actor = host.create()
    host.do(ask, actor, Do(die), LONG)
    before = time.monotonic()

    assert host.do(ask, actor, Do(pid), LONG) is None
    assert time.monotonic() - before < LONG / 2


def test_a_thread_hears_of_a_death_and_may_tell_while_another_thread_asks_on(host):
    silent, victim = host.create(), host.create()

    answer, asks_on, seconds = host.do(ask_beside_another, silent, victim)

    assert answer is None
    assert asks_on
    assert seconds < LONG / 2


def ask_beside_another(system, silent, victim):
    other = threading.Thread(target=system.ask, args=(silent, Do(say_nothing), LONG))
    other.start()
    wait_until(system._systemBase._turn.locked, "the other thread waits")
    before = time.monotonic()
    answer = system.ask(victim, Do(die), LONG)
    asks_on = other.is_alive()
    system.tell(silent, Do(pid))
    seconds = time.monotonic() - before
    other.join()
    return answer, asks_on, seconds


def say_nothing(actor):
    return None


def test_the_death_of_one_does_not_end_the_wait_for_another(host):
    victim, actor = host.create(), host.create()

    assert host.do(tell_one_and_ask_other, victim, actor) == ["slow answer"] * 3


def tell_one_and_ask_other(system, victim, actor):
    # Each dies, or cannot be answered, while the next question waits.
    system.tell(victim, Do(die_later))
    first = system.ask(actor, Do(answer_after_end_of, (victim, "slow answer")), CAP)
    system.tell(victim, "to a dead one")
    second = system.ask(actor, Do(hosting_echo, ("slow answer",)), CAP)
    system.ask(actor, Do(wait_long), 0.01)
    system.tell(victim, "to a dead one again")
    with system.private() as private:
        private.tell(victim, "to a dead one")
        third = private.ask(actor, Do(hosting_echo, ("slow answer",)), CAP)
    return [first, second, third]


def hosting_echo(actor, message):
    return message


def die_later(actor):
    time.sleep(0.05)
    die(actor)


def wait_long(actor):
    time.sleep(0.05)


def answer_after_end_of(actor, victim, answer):
    time.sleep(0.2)
    return answer


def test_an_end_that_comes_before_a_listener_listens_does_not_end_its_wait(host):
    victim, actor = host.create(), host.create()

    assert host.do(tell_and_listen, victim, actor) == "said"


def tell_and_listen(system, victim, actor):
    system.tell(victim, Do(die_later))
    system.tell(actor, Do(answer_after_end_of, (victim, "said")))
    return system.listen(CAP)


def test_a_message_that_a_host_sent_and_an_actor_cannot_read_does_not_spoil_the_next(host):
    actor = host.create()

    poison, answer = host.do(ask_unreadable_and_then_more, actor)

    assert isinstance(poison, PoisonMessage)
    assert isinstance(answer, int)


def ask_unreadable_and_then_more(system, actor):
    first = system.ask(actor, Unreadable(), CAP)
    second = system.ask(actor, Do(pid), CAP)
    return PoisonMessage("", first.details), second


class Unreadable:
    def __reduce__(self):
        return int, ("no number",)


def test_an_unreadable_message_of_an_actor_comes_back_to_it_as_poison(host):
    one, other = host.create(), host.create()
    host.ask(one, send_unreadable, other)

    wait_until(lambda: host.ask(one, kinds_heard) == ["PoisonMessage"])
    assert host.ask(other, of, "heard") == []


def send_unreadable(actor, whom):
    actor.send(whom, Unreadable())
    return "sent"


def test_a_child_that_ends_before_it_began_is_noticed(host):
    parent = host.create()
    host.do(tell, parent, Do(create_stillborn))

    # Not the messages: they tell of an address that only the parent knows.
    wait_until(lambda: len(host.ask(parent, kinds_heard)) == 2)
    assert set(host.ask(parent, kinds_heard)) == {"PoisonMessage", "ChildActorExited"}


def create_stillborn(actor):
    os.register_at_fork(after_in_child=lambda: os._exit(1))
    actor.send(actor.createActor(hosting.Doer), "never heard")


def test_a_host_is_told_at_once_of_an_actor_that_ended_before_it_began(sockets, tmp_path):
    with hosting.host(sockets, before=die_in_forks_of_admin) as one:
        one.wait_until_attached()
        before = time.monotonic()
        with pytest.raises(RuntimeError, match="ended before it began"):
            one.create()
        assert time.monotonic() - before < 30


def die_in_forks_of_admin():
    """What is forked by a process whose forebears were forked three times ends at once."""
    generation = [0]

    def born():
        generation[0] += 1
        if generation[0] == 3 and loggers:
            os._exit(1)

    def forks():
        if generation[0] == 2:  # the admin: the first that it forks is the logger
            loggers.append("yes") if begun else begun.append("yes")

    begun, loggers = [], []
    os.register_at_fork(before=forks, after_in_child=born)


def test_an_actor_of_a_killed_host_lives_on_and_the_next_host_finds_it(sockets):
    with hosting.host(sockets) as first:
        actor = first.create("stays")
        with hosting.host(sockets) as second:
            second.wait_until_attached()
            first.process.kill()
            with pytest.raises((HostDied, BrokenPipeError)):
                first.do(listen)
            assert second.create("stays") == actor
            second.pid_of(actor)


def test_the_logger_is_replaced_when_it_is_killed(own_host):
    actor = own_host.create()
    logger = own_host.do(pid_of_logger)
    os.kill(logger, signal.SIGKILL)

    wait_until(lambda: own_host.do(pid_of_logger) not in (None, logger), "a new logger")
    assert own_host.pid_of(actor)
