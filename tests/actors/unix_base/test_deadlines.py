"""Nobody waits longer than he said for a receiver that takes nothing; whoever exits, exits."""

from __future__ import annotations

import os
import signal
import threading
import time
from datetime import timedelta
from unittest import mock

import pytest
from thespian.actors import ActorSystemRequestTimeout

from actors.unix_base import host as host_module
from actors.unix_base.transport import running
from tests.helpers import hosting
from tests.helpers.hosting import Do, is_running, of, pid, tell, wait_until
from tests.helpers.signals import kill, stop

TOO_MUCH = 70 << 20
"""Bytes; more than may be on their way without waiting."""
SHORT = 0.5
MUCH_LATER = 15.0
"""Seconds after which the receiver goes on, so that what waits for it does come to an end."""


@pytest.fixture
def host(shared_host):
    return shared_host


def timed(call, *args):
    before = time.monotonic()
    result = call(*args)
    return result, time.monotonic() - before


def stopped(process):
    """Stop a process; it goes on if the test fails."""
    os.kill(process, signal.SIGSTOP)
    timer = threading.Timer(MUCH_LATER, go_on, (process,))
    timer.daemon = True
    timer.start()
    return timer


def go_on(process):
    try:
        os.kill(process, signal.SIGCONT)
    except ProcessLookupError:
        pass


def test_asking_with_much_one_that_takes_nothing_ends_in_time(host):
    receiver = host.create()
    process = host.pid_of(receiver)

    answers, seconds = host.do(ask_much, receiver, process)

    assert answers == [None, None]
    assert seconds < MUCH_LATER - 5
    wait_until(lambda: host.ask(receiver, of, "heard") == [TOO_MUCH], "what was sent")


class Much:
    def __init__(self):
        self.data = bytes(TOO_MUCH)

    def __reduce__(self):
        return len, (self.data,)


def ask_much(system, receiver, process):
    timer = stopped(process)
    before = time.monotonic()
    # For the second one there is no room: it is never sent.
    answers = [system.ask(receiver, Much(), timedelta(seconds=SHORT)) for _ in range(2)]
    seconds = time.monotonic() - before
    timer.cancel()
    go_on(process)
    return answers, seconds


def test_asking_beside_a_thread_that_asks_another_ends_in_time(host):
    receiver, silent = host.create(), host.create()
    process = host.pid_of(receiver)

    assert host.do(ask_much_beside_another, receiver, silent, process) < MUCH_LATER - 5
    host.do(kill, process)


def ask_much_beside_another(system, receiver, silent, process):
    timer = stopped(process)
    other = threading.Thread(target=system.ask, args=(silent, Do(say_nothing), MUCH_LATER))
    other.start()
    wait_until(system._systemBase._turn.locked, "the other thread waits")
    answers, seconds = timed(ask_much, system, receiver, process)
    timer.cancel()
    assert answers[0] == [None, None]
    system.ask(silent, Do(pid), 0.01)
    other.join()
    return seconds


def say_nothing(actor):
    return None


def test_telling_much_to_one_that_takes_nothing_ends_in_time(host):
    receiver = host.create()
    process = host.pid_of(receiver)

    first, second, seconds = host.do(tell_much, receiver, process)

    assert "gets it when it does" in first
    assert "not sent" in second
    assert seconds < MUCH_LATER - 5
    wait_until(lambda: host.ask(receiver, of, "heard") == [TOO_MUCH], "what was sent")


def tell_much(system, receiver, process):
    timer = stopped(process)
    try:
        with mock.patch.object(host_module, "TELL_SECONDS", SHORT):
            before = time.monotonic()
            texts = [str(raised(system.tell, receiver, Much())) for _ in range(2)]
        return *texts, time.monotonic() - before
    finally:
        timer.cancel()
        go_on(process)


def raised(call, *args):
    try:
        call(*args)
    except ActorSystemRequestTimeout as error:
        return error
    return None


# ---- exits -----------------------------------------------------------------------------


def drain_shortly():
    mock.patch.object(running, "DRAINS", 0.2).start()


@pytest.fixture
def short_host(sockets):
    """One whose processes wait only shortly before they exit."""
    with hosting.host(sockets, before=drain_shortly) as one:
        one.wait_until_attached()
        yield one


def send_much(actor, whom):
    actor.begins = True
    for _ in range(3):
        actor.send(whom, bytes(TOO_MUCH // 2))


def handle_dead_letters(actor):
    actor.handleDeadLetters()
    return "yes"


def waits_for_room(host, sender, receiver):
    """Have an actor wait in its send for a receiver that is stopped; their processes."""
    own, process = host.pid_of(sender), host.pid_of(receiver)
    host.do(stop, process)
    host.do(tell, sender, Do(send_much, (receiver,)))
    assert host.do(hosting.ask, sender, Do(pid), SHORT) is None
    return own, process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_a_sender_that_waits_for_room_exits_when_it_is_told_to(short_host, number):
    sender, receiver, undertaker = (short_host.create() for _ in range(3))
    short_host.ask(undertaker, handle_dead_letters)
    own, process = waits_for_room(short_host, sender, receiver)

    os.kill(own, number)

    wait_until(lambda: not is_running(own), "the end of the sender")
    # What was not taken is known to be lost.
    wait_until(lambda: short_host.ask(undertaker, count_bytes) >= 3)
    short_host.do(kill, process)


def count_bytes(actor):
    return sum(1 for each in actor.heard if isinstance(each.deadMessage, bytes))


def test_a_thread_that_waits_for_room_lets_its_actor_exit(short_host):
    sender, receiver = short_host.create(), short_host.create()
    own, process = short_host.pid_of(sender), short_host.pid_of(receiver)
    short_host.do(stop, process)
    short_host.do(tell, sender, Do(send_much_in_thread, (receiver,)))
    assert short_host.do(hosting.ask, sender, Do(pid), SHORT) is None

    os.kill(own, signal.SIGTERM)

    wait_until(lambda: not is_running(own), "the end of the sender")
    short_host.do(kill, process)


def send_much_in_thread(actor, whom):
    thread = threading.Thread(target=send_much, args=(actor, whom))
    thread.start()
    thread.join()


def test_a_sender_that_waits_for_room_does_not_outlive_the_shutdown(short_host):
    sender, receiver = short_host.create(), short_host.create()
    own, process = waits_for_room(short_host, sender, receiver)

    short_host.do(shutdown)

    wait_until(lambda: not is_running(own), "the end of the sender")
    go_on(process)
    wait_until(lambda: not is_running(process), "the end of the receiver")


def shutdown(system):
    system.shutdown()
