"""A message counts as it was when it was sent, and what becomes of one harms no other."""

from __future__ import annotations

import threading

import pytest
from thespian.actors import PoisonMessage

from tests.helpers import hosting
from tests.helpers.hosting import CAP, Do, is_running, of, pid, wait_until
from tests.helpers.signals import kill, stop


@pytest.fixture
def host(shared_host):
    return shared_host


def handle_dead_letters(actor):
    actor.handleDeadLetters()
    return "yes"


def dead_letters(host, undertaker, count):
    """What is in the letters; but for the questions, of which nobody knows that they were dealt
    with before that is told."""

    def letters():
        found = [each.deadMessage for each in host.ask(undertaker, of, "heard")]
        return [each for each in found if not isinstance(each, Do)]

    wait_until(lambda: len(letters()) >= count, "the letters")
    return letters()


def send_and_change(actor, whom, count):
    for number in range(count):
        message: dict[str, object] = {"number": number}
        actor.send(whom, message)
        message["number"] = "changed"
        message["lock"] = threading.Lock()
    return "sent"


def test_an_actor_that_changes_what_it_sent_lives_on_when_its_receiver_dies(host):
    undertaker, sender, receiver = host.create(), host.create(), host.create()
    host.ask(undertaker, handle_dead_letters)
    process, own = host.pid_of(receiver), host.pid_of(sender)
    host.do(stop, process)
    host.ask(sender, send_and_change, receiver, 3)

    host.do(kill, process)

    assert dead_letters(host, undertaker, 3) == [{"number": each} for each in range(3)]
    assert host.pid_of(sender) == own


def test_a_child_gets_what_was_sent_to_it_before_it_began_and_not_what_that_became(host):
    parent = host.create()

    assert host.ask(parent, create_and_change) == "sent"

    wait_until(lambda: host.ask(parent, of, "heard") == [{"number": 0}], "its word")


def create_and_change(actor):
    child = actor.createActor(hosting.Doer)
    message: dict[str, object] = {"number": 0}
    actor.send(child, Do(confide_in, (actor.myAddress,)))
    actor.send(child, message)
    message["lock"] = threading.Lock()
    return "sent"


def confide_in(actor, whom):
    actor.confidant = whom


def test_a_host_that_changes_what_it_sent_can_ask_others_when_the_receiver_dies(host):
    undertaker, receiver, other = host.create(), host.create(), host.create()
    host.ask(undertaker, handle_dead_letters)
    process = host.pid_of(receiver)

    answer = host.do(tell_change_kill_and_ask, receiver, process, other)

    assert isinstance(answer, int)
    assert dead_letters(host, undertaker, 2) == [{"number": 0}, {"number": 1}]


def tell_change_kill_and_ask(system, receiver, process, other):
    stop(system, process)
    for number, send in enumerate((system.tell, ask_in_vain(system))):
        message: dict[str, object] = {"number": number}
        send(receiver, message)
        message["lock"] = threading.Lock()
    kill(system, process)
    wait_until(lambda: not is_running(process))
    return system.ask(other, Do(pid), CAP)


def ask_in_vain(system):
    return lambda actor, message: system.ask(actor, message, 0.01)


class Mutable:
    def __init__(self):
        self.lock: object = None

    def __eq__(self, other):
        return isinstance(other, Mutable)


def test_whoever_sent_what_its_receiver_spoils_and_fails_at_hears_of_that(host):
    """The receiver's copy cannot be copied for a second try, nor sent back."""
    actor = host.create()

    poison = host.do(ask_and_unwrap, actor, Do(spoil_and_fail, (Mutable(),)))

    assert "the actor's own reason" in poison


def ask_and_unwrap(system, actor, message):
    answer = system.ask(actor, message, CAP)
    assert isinstance(answer, PoisonMessage), answer
    return answer.details


def spoil_and_fail(actor, message):
    message.lock = threading.Lock()
    raise ValueError("the actor's own reason")


class NoText:
    """Cannot be read, and the error about that cannot be told."""

    def __reduce__(self):
        return fail_untold, ()


class UntoldError(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def fail_untold():
    raise UntoldError


class Surrogate:
    def __reduce__(self):
        return fail_with_surrogate, ()


def fail_with_surrogate():
    raise ValueError("\udc80 is no character")


@pytest.mark.parametrize("unreadable", [NoText, Surrogate])
def test_an_error_that_cannot_be_told_is_told_as_well_as_can_be(host, unreadable):
    actor = host.create()
    own = host.pid_of(actor)

    assert "Error" in host.do(ask_new_and_unwrap, actor, unreadable)
    assert host.pid_of(actor) == own


def ask_new_and_unwrap(system, actor, kind):
    return ask_and_unwrap(system, actor, kind())


class Speechless:
    """Raises when it is put in words."""

    def __repr__(self):
        raise RuntimeError("no words")


def test_a_message_that_cannot_be_put_in_words_kills_no_actor_that_fails_at_it(host):
    actor = host.create()
    own = host.pid_of(actor)

    assert "failed at it" in host.do(ask_and_unwrap, actor, Do(fail, (Speechless(),)))
    assert host.pid_of(actor) == own


def fail(actor, message):
    raise ValueError("failed at it")
