"""Between two processes nothing is lost unsaid; here both are in this one."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest
from thespian.actors import ActorExitRequest, DeadEnvelope, PoisonMessage, WakeupMessage
from thespian.actors import WatchMessage as Watched
from thespian.system.messages.multiproc import ChildMayHaveDied
from thespian.system.transport import SendStatus

from actors.unix_base.transport import exchange as exchange_module
from actors.unix_base.transport import frames
from tests.helpers.members import CAP, Member, fate, run, wait_for


class Refuses:
    """Cannot be unpickled."""

    def __reduce__(self):
        return int, ("no number",)

    def __eq__(self, other):
        return isinstance(other, Refuses)


# ---- everyday --------------------------------------------------------------------------


def test_messages_arrive_in_order_and_both_ways_on_one_connection(trio):
    _, ann, bob = trio
    for number in range(100):
        ann.post(bob, number)
    assert bob.take(100) == list(range(100))
    bob.post(ann, "answer")

    assert ann.take() == ["answer"]
    assert len(ann.exchange.links) == len(bob.exchange.links) == 1


def test_two_that_call_each_other_at_once_both_keep_their_order(trio):
    _, ann, bob = trio
    for number in range(50):
        ann.post(bob, number)
        bob.post(ann, -number)
    run(ann, bob)
    for number in range(50, 60):
        ann.post(bob, number)
        bob.post(ann, -number)

    assert bob.take(60) == list(range(60))
    assert ann.take(60) == [-number for number in range(60)]


def test_an_intent_is_at_its_end_when_the_message_was_dealt_with(trio):
    _, ann, bob = trio
    intent = ann.intend(bob, "hello")
    run(ann, bob)
    assert not ann.exchange.done

    bob.take()

    assert fate(intent, ann, bob) is SendStatus.Sent


def test_a_message_of_a_hundred_megabytes_arrives(trio):
    _, ann, bob = trio
    big = bytes(100 << 20)
    sender = threading.Thread(target=in_thread(ann, lambda: ann.post(bob, big)))
    sender.start()

    [received] = bob.take()
    sender.join(CAP)

    assert received == big
    assert ann.exchange.waiting == 0


def in_thread(member, work):
    def act():
        member.exchange.be_runner()
        work()
        while member.exchange.waiting:
            member.exchange.do_io(0.01)

    return act


def test_wakeups_and_watches_come_as_messages(trio):
    _, ann, _ = trio
    readable, writable = os.pipe()
    ann.exchange.watches.set([readable])
    os.write(writable, b"x")

    [message] = ann.take()
    assert isinstance(message, Watched)
    assert message.ready == [readable]

    ann.exchange.watches.set([])
    ann.exchange.wake_up_after(0, "payload")
    [message] = ann.take()
    assert isinstance(message, WakeupMessage)
    assert message.payload == "payload"
    os.close(readable)
    os.close(writable)


def test_a_descriptor_that_cannot_be_watched_is_left_out(trio):
    _, ann, _ = trio
    with open(__file__) as file:
        ann.exchange.watches.set([file.fileno(), -1, 10_000])
    ann.exchange.watches.set([])


def test_a_signal_is_heard_of_in_the_next_wait(trio):
    _, ann, _ = trio
    ann.exchange.interrupt(told_to_exit=False, children_died=True)
    ann.exchange.interrupt(told_to_exit=True, children_died=False)

    first, second = ann.take(2)
    assert isinstance(first, ChildMayHaveDied)
    assert isinstance(second, ActorExitRequest)


def test_a_signal_just_before_the_wait_ends_it(trio):
    _, ann, _ = trio
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.set_wakeup_fd(ann.exchange.wake_fd)
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
        began = time.monotonic()
        ann.exchange.do_io(CAP)
    finally:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGUSR1, before)
    assert time.monotonic() - began < CAP


def test_a_signal_that_comes_when_all_is_closed_does_no_harm(directory):
    ann = Member(directory, "ann")
    ann.close()
    ann.exchange.interrupt(told_to_exit=True, children_died=True)


def test_any_number_of_signals_is_no_error(trio):
    _, ann, _ = trio
    for _ in range(70_000):  # more than a pipe holds
        ann.exchange.interrupt(told_to_exit=True, children_died=False)
    assert isinstance(ann.take()[0], ActorExitRequest)


def test_what_was_dealt_with_is_told_though_the_other_end_takes_nothing_just_then(trio):
    _, ann, bob = trio
    bob.post(ann, "question")
    ann.take()
    [link] = ann.exchange.links
    with pytest.raises(BlockingIOError):
        fill(link.sock)

    ann.exchange.acknowledge()
    assert link.backlog

    [other_end] = bob.exchange.links
    wait_for(lambda: run(ann, bob) or not other_end.posted)


def fill(sock):
    while True:
        sock.send(frames.header(frames.ACKNOWLEDGE, 0, 0))


def test_what_was_dealt_with_is_told_soon_when_nothing_is_answered(trio):
    _, ann, bob = trio
    ann.post(bob, "question")
    bob.take()
    bob.post(ann, "answer")
    ann.take()
    ann.post(bob, "no question")
    bob.take()

    [link], [other_end] = ann.exchange.links, bob.exchange.links
    wait_for(lambda: run(ann, bob) or not (link.posted or other_end.posted))


# ---- what cannot be delivered ----------------------------------------------------------


def test_a_message_to_nobody_is_a_dead_letter_at_once(trio):
    admin, ann, bob = trio
    bob.close()
    ann.post(bob, "to nobody")

    [letter] = admin.take()

    assert isinstance(letter, DeadEnvelope)
    assert (letter.deadAddress, letter.deadMessage) == (bob.address, "to nobody")
    bob.__init__(bob.name.rpartition("/")[0], "bob")


def test_an_intent_to_nobody_fails_and_writes_no_letter_itself(trio):
    admin, ann, bob = trio
    bob.close()
    intent = ann.intend(bob, "to nobody")

    assert fate(intent, ann) is SendStatus.DeadTarget
    run(admin, ann)
    assert not admin.exchange.unread
    bob.__init__(bob.name.rpartition("/")[0], "bob")


def test_what_the_other_had_not_dealt_with_when_it_ended_are_dead_letters(trio):
    admin, ann, bob = trio
    for number in range(5):
        ann.post(bob, number)
    bob.take(2)
    bob.close()

    letters = admin_takes(admin, 3, ann)

    assert [each.deadMessage for each in letters] == [2, 3, 4]
    bob.__init__(bob.name.rpartition("/")[0], "bob")


def admin_takes(admin, count, *others):
    wait_for(lambda: run(admin, *others) or len(admin.exchange.unread) >= count)
    return admin.take(count)


def test_a_dead_letter_that_cannot_be_delivered_is_not_written_about(trio):
    admin, ann, bob = trio
    bob.close()
    admin.close()

    ann.post(bob, "to nobody")
    run(ann)

    for each in (admin, bob):
        directory, _, name = each.name.rpartition("/")
        each.__init__(directory, name)


def test_what_was_said_before_the_end_is_read_though_nothing_can_be_sent_any_more(trio):
    admin, ann, bob = trio
    ann.post(bob, "question")
    bob.take()
    bob.post(ann, "answer")
    bob.post(ann, "last words")
    bob.close()

    ann.post(bob, "too late")  # before it read anything

    assert ann.take(2) == ["answer", "last words"]
    [letter] = admin_takes(admin, 1, ann)
    assert letter.deadMessage == "too late"  # and not the question, which was dealt with
    bob.__init__(bob.name.rpartition("/")[0], "bob")


def test_a_message_that_cannot_be_read_comes_back_as_poison_and_others_do_not(trio):
    _, ann, bob = trio
    intents = [ann.intend(bob, each) for each in ("before", Refuses(), "after")]

    assert bob.take(2) == ["before", "after"]
    statuses = [fate(each, ann, bob) for each in intents]

    assert statuses == [SendStatus.Sent, SendStatus.BadPacket, SendStatus.Sent]
    [poison] = ann.take()
    assert isinstance(poison, PoisonMessage)
    assert poison.poisonMessage == Refuses()
    assert "no number" in poison.details


# ---- back-pressure ---------------------------------------------------------------------


def test_a_writer_is_no_faster_than_its_reader(trio, monkeypatch):
    monkeypatch.setattr(exchange_module, "MAX_BACKLOG", 1 << 20)
    _, ann, bob = trio
    sent = []

    def flood():
        for number in range(200):
            ann.post(bob, (number, bytes(50_000)))
            sent.append(number)

    writer = threading.Thread(target=in_thread(ann, flood))
    writer.start()
    wait_for(lambda: any(each.backlog_bytes > 1 << 20 for each in ann.exchange.links))
    assert len(sent) < 100, "the writer did not wait"

    assert [number for number, _ in bob.take(200)] == list(range(200))
    writer.join(CAP)
    assert len(sent) == 200


def test_a_thread_that_is_not_the_runner_waits_as_well(trio, monkeypatch):
    monkeypatch.setattr(exchange_module, "MAX_BACKLOG", 1 << 20)
    _, ann, bob = trio
    sent = []
    waits = threading.Event()
    wait = ann.exchange._wait_beside_runner

    def tell_of_waiting(link):
        waits.set()
        wait(link)

    monkeypatch.setattr(ann.exchange, "_wait_beside_runner", tell_of_waiting)

    def flood():
        for number in range(200):
            ann.post(bob, (number, bytes(50_000)))
            sent.append(number)

    writer = threading.Thread(target=flood)
    writer.start()
    assert waits.wait(CAP)
    assert len(sent) < 100, "the writer did not wait"

    wait_for(lambda: run(ann, bob) or len(bob.exchange.unread) == 200)
    assert [number for number, _ in bob.take(200)] == list(range(200))
    writer.join(CAP)
    assert len(sent) == 200


def test_a_waiting_thread_is_let_go_when_the_other_ends(trio, monkeypatch):
    monkeypatch.setattr(exchange_module, "MAX_BACKLOG", 1 << 20)
    admin, ann, bob = trio
    writer = threading.Thread(target=lambda: ann.post(bob, bytes(5 << 20)))
    writer.start()
    wait_for(lambda: ann.exchange.waiting)

    bob.close()
    writer.join(CAP)

    assert not writer.is_alive()
    assert isinstance(admin_takes(admin, 1, ann)[0], DeadEnvelope)
    bob.__init__(bob.name.rpartition("/")[0], "bob")


def test_two_that_flood_each_other_both_come_to_an_end(trio, monkeypatch):
    monkeypatch.setattr(exchange_module, "MAX_BACKLOG", 1 << 20)
    monkeypatch.setattr(exchange_module, "MAX_INBOX", 1 << 20)
    _, ann, bob = trio

    def flood(one, other):
        def work():
            for number in range(200):
                one.post(other, (number, bytes(50_000)))
            taken = [number for number, _ in one.take(200)]
            assert taken == list(range(200))
            done.append(one.name)

        return in_thread(one, work)

    done = []
    threads = [threading.Thread(target=flood(*pair)) for pair in ((ann, bob), (bob, ann))]
    for each in threads:
        each.start()
    for each in threads:
        each.join(CAP)
    while ann.exchange.waiting or bob.exchange.waiting:
        run(ann, bob)

    assert sorted(done) == sorted([ann.name, bob.name])
