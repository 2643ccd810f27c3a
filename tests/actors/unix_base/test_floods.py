"""A slow reader slows its writers; nothing is dropped, and nobody waits for ever."""

from __future__ import annotations

import hashlib
import resource
import time

import pytest
from thespian.actors import ActorExitRequest

from tests.helpers import hosting
from tests.helpers.hosting import CAP, Do, ask, create, listen, of, tell, wait_until
from tests.helpers.signals import kill, stop

MEGABYTE = 1 << 20


@pytest.fixture
def host(shared_host):
    return shared_host


def flood(actor, whom, count, size):
    for number in range(count):
        actor.send(whom, (number, bytes(size)))
    actor.flooded = True
    return "done"


class Counts(hosting.Doer):
    """Only notes the numbers of what it hears, and whether they are in order."""

    count = 0
    in_order = True
    flooded = False

    def receiveMessage(self, message, sender):
        if isinstance(message, tuple):
            self.in_order &= message[0] == self.count
            self.count += 1
            return None
        return super().receiveMessage(message, sender)


def create_counter(system):
    return system.createActor(Counts)


def sleep(actor, seconds):
    time.sleep(seconds)


def max_memory(actor):
    """Of its process, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.fixture
def pair(host):
    return host.do(create_counter), host.do(create_counter)


def have_heard(host, actor, count):
    wait_until(lambda: host.ask(actor, of, "count") >= count, f"{count} messages")
    assert host.ask(actor, of, "in_order")


def test_two_actors_that_flood_each_other_both_go_on(host, pair):
    one, other = pair
    rounds, size = 150, MEGABYTE  # far more than all buffers take

    host.do(tell, one, Do(flood, (other, rounds, size)))
    host.do(tell, other, Do(flood, (one, rounds, size)))

    assert [host.do(listen, CAP * 3) for _ in range(2)] == ["done"] * 2
    for each in pair:
        have_heard(host, each, rounds)


def test_small_messages_of_several_writers_all_arrive(host):
    reader = host.do(create_counter)
    writers = [host.create() for _ in range(2)]
    for each in writers:
        host.do(tell, each, Do(flood, (reader, 5_000, 10)))
    assert [host.do(listen) for _ in writers] == ["done"] * 2

    wait_until(lambda: host.ask(reader, of, "count") == 10_000)


def test_a_slow_reader_slows_its_writer_whose_memory_stays_bounded(host, pair):
    writer, reader = pair
    usual = host.ask(writer, max_memory)
    host.do(tell, reader, Do(sleep, (0.5,)))

    assert host.ask(writer, flood, reader, 250, MEGABYTE) == "done"

    have_heard(host, reader, 250)
    assert host.ask(writer, max_memory) < usual + 150 * MEGABYTE
    assert host.ask(reader, max_memory) < usual + 150 * MEGABYTE


def test_a_message_of_a_hundred_megabytes_arrives_whole_and_is_answered(host):
    actor = host.create()
    size = 100 * MEGABYTE

    assert host.do(ask_about_much, actor, size) == hashlib.sha256(b"x" * size).hexdigest()


def ask_about_much(system, actor, size):
    message = Do(digest, (b"x" * size,))
    return system.ask(actor, message, CAP)


def digest(actor, data):
    return hashlib.sha256(data).hexdigest()


def test_a_writer_that_waits_for_a_reader_goes_on_when_that_one_is_killed(host, pair):
    writer, reader = pair
    process = host.pid_of(reader)
    host.do(stop, process)
    host.do(tell, writer, Do(flood, (reader, 150, MEGABYTE)))
    assert host.do(ask, writer, Do(of, ("flooded",)), 0.5) is None  # it waits

    host.do(kill, process)

    wait_until(lambda: host.ask(writer, is_flooded) == "yes")


def is_flooded(actor):
    return "yes" if actor.flooded else "no"


def test_a_host_that_does_not_listen_stops_those_who_talk_to_it_only(own_host):
    talker, other = own_host.do(create_counter), own_host.do(create_counter)
    own_host.do(tell, talker, Do(flood_sender, (100, MEGABYTE)))
    with hosting.host(own_host.directory.parent) as second:
        assert second.do(ask, other, Do(hosting.pid), CAP)
        # Whoever closes ends the system, which would wait long for the talker.
        assert own_host.do(count_heard, 100)


def flood_sender(actor, count, size):
    flood(actor, actor.sender, count, size)


def count_heard(system, count):
    return [system.listen(CAP)[0] for _ in range(count)] == list(range(count))


def test_messages_sent_right_before_an_exit_arrive(host, pair):
    _, reader = pair
    parent = host.create()
    child = host.ask(parent, create)

    host.do(tell, child, Do(flood_and_exit, (reader, 100, MEGABYTE // 2)))

    have_heard(host, reader, 100)


def flood_and_exit(actor, whom, count, size):
    flood(actor, whom, count, size)
    actor.send(actor.myAddress, ActorExitRequest())
