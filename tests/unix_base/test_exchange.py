"""Between two processes nothing is lost unsaid; here both are in this one."""

from __future__ import annotations

import errno
import os
import pickle
import socket
import struct
import threading
import time

import pytest
from thespian.actors import ActorExitRequest, DeadEnvelope, PoisonMessage, WakeupMessage
from thespian.actors import WatchMessage as Watched
from thespian.system.messages.multiproc import ChildMayHaveDied
from thespian.system.transport import SendStatus

from actors.unix_base import exchange as exchange_module
from actors.unix_base import framing
from actors.unix_base.exchange import Exchange
from actors.unix_base.family import UnixSockets
from tests.conftest import open_descriptors
from tests.unix_base.members import CAP, Member, fate, run, wait_for


@pytest.fixture
def directory(runtime_dir):
    before = open_descriptors()
    runtime_dir.mkdir(0o700)
    yield runtime_dir
    assert list(runtime_dir.iterdir()) == []
    assert open_descriptors() == before


@pytest.fixture
def trio(directory):
    """An admin and two others."""
    members = [Member(directory, name) for name in ("admin", "ann", "bob")]
    yield members
    for each in members:
        each.close()


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
    ann.exchange.set_watch([readable])
    os.write(writable, b"x")

    [message] = ann.take()
    assert isinstance(message, Watched)
    assert message.ready == [readable]

    ann.exchange.set_watch([])
    ann.exchange.wake_up_after(0, "payload")
    [message] = ann.take()
    assert isinstance(message, WakeupMessage)
    assert message.payload == "payload"
    os.close(readable)
    os.close(writable)


def test_a_descriptor_that_cannot_be_watched_is_left_out(trio):
    _, ann, _ = trio
    with open(__file__) as file:
        ann.exchange.set_watch([file.fileno(), -1, 10_000])
    ann.exchange.set_watch([])


def test_a_signal_is_heard_of_in_the_next_wait(trio):
    _, ann, _ = trio
    ann.exchange.interrupt(told_to_exit=False, children_died=True)
    ann.exchange.interrupt(told_to_exit=True, children_died=False)

    first, second = ann.take(2)
    assert isinstance(first, ChildMayHaveDied)
    assert isinstance(second, ActorExitRequest)


def test_a_signal_that_comes_when_all_is_closed_does_no_harm(directory):
    ann = Member(directory, "ann")
    ann.close()
    ann.exchange.interrupt(told_to_exit=True, children_died=True)


def test_any_number_of_signals_is_no_error(trio):
    _, ann, _ = trio
    for _ in range(70_000):  # more than a pipe holds
        ann.exchange.interrupt(told_to_exit=True, children_died=False)
    assert isinstance(ann.take()[0], ActorExitRequest)


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
    assert not admin.exchange.inbox
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
    wait_for(lambda: run(admin, *others) or len(admin.exchange.inbox) >= count)
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

    wait_for(lambda: run(ann, bob) or len(bob.exchange.inbox) == 200)
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


# ---- no room ---------------------------------------------------------------------------


class Scarce(UnixSockets):
    """There are no descriptors left for a while."""

    room = threading.Event()

    def dial(self, name):
        self.need_room()
        return super().dial(name)

    def accept(self, listener):
        self.need_room()
        return super().accept(listener)

    def need_room(self):
        if not self.room.is_set():
            raise OSError(errno.EMFILE, "no descriptors left")


def test_a_call_for_which_there_is_no_descriptor_waits_and_goes_on(directory):
    Scarce.room.clear()
    ann, bob = Member(directory, "ann", Scarce), Member(directory, "bob")
    for number in range(3):
        ann.post(bob, number)
    run(ann, bob)
    assert ann.exchange.waiting == 1

    Scarce.room.set()
    wait_for(lambda: run(ann) or not ann.exchange.waiting)

    assert bob.take(3) == [0, 1, 2]
    ann.close()
    bob.close()


def test_a_caller_for_whom_there_is_no_descriptor_waits_and_is_let_in(directory):
    Scarce.room.clear()
    ann, bob = Member(directory, "ann"), Member(directory, "bob", Scarce)
    ann.post(bob, "hello")
    run(ann, bob)
    busy = time.process_time()
    bob.exchange.do_io(0.05)  # it does not spin either
    assert time.process_time() - busy < 0.05
    assert not bob.exchange.inbox

    Scarce.room.set()

    assert bob.take() == ["hello"]
    ann.close()
    bob.close()


def test_a_queue_that_is_full_is_waited_for(directory, monkeypatch):
    monkeypatch.setattr("actors.unix_base.family._BACKLOG", 0)
    bob = Member(directory, "bob")
    callers = [Member(directory, f"caller-{number}") for number in range(8)]
    for number, each in enumerate(callers):
        each.post(bob, number)

    wait_for(lambda: run(bob, *callers) or len(bob.exchange.inbox) == 8)

    assert sorted(bob.take(8)) == list(range(8))
    for each in [bob, *callers]:
        each.close()


def test_nothing_stays_open_of_one_that_cannot_listen(directory, monkeypatch):
    def full(self, name):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(UnixSockets, "listen", full)
    before = open_descriptors()

    with pytest.raises(OSError, match="No space left"):
        Exchange(UnixSockets(str(directory)), f"{directory}/ann", f"{directory}/admin")

    assert open_descriptors() == before


# ---- those who talk nonsense -----------------------------------------------------------


def hello(body):
    return framing.header(framing.HELLO, len(body), 0) + body


NONSENSE = {
    "no frame": b"GET / HTTP/1.1\r\n\r\n",
    "no pickle": hello(b"no pickle"),
    "no version": hello(pickle.dumps("no version")),
    "too much": hello(pickle.dumps((1, 2, 3))),
    "another version": hello(pickle.dumps((99, "/of/the/future"))),
    "no name": hello(pickle.dumps((1, None))),
    "a message without a greeting": framing.header(framing.MESSAGE, 4, 0) + b"rude",
    "a refusal of nothing": framing.header(framing.REFUSE, 0, 0),
    "an answer to nothing": hello(pickle.dumps((1, "/me")))
    + framing.header(framing.ACKNOWLEDGE, 0, 1),
    "two greetings": hello(pickle.dumps((1, "/twice"))) * 2,
}


@pytest.mark.parametrize("said", NONSENSE.values(), ids=NONSENSE)
def test_whoever_talks_nonsense_is_hung_up_on_and_others_are_not(trio, said):
    _, ann, bob = trio
    with socket.socket(socket.AF_UNIX) as rude:
        rude.settimeout(CAP)
        rude.connect(bob.name)
        rude.sendall(said)
        run(bob)
        try:
            assert rude.recv(100) == b""
        except ConnectionResetError:
            pass
    ann.post(bob, "polite")
    assert bob.take() == ["polite"]


def test_a_peer_that_ends_in_the_middle_of_a_frame_is_forgotten(trio):
    _, ann, bob = trio
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(bob.name)
        peer.sendall(hello(pickle.dumps((1, "/peer"))))
        peer.sendall(struct.pack("<QQB", 1 << 20, 0, framing.MESSAGE) + bytes(1000))
        run(bob)
        assert len(bob.exchange.links) == 1
    run(bob)

    assert not bob.exchange.links
    assert not bob.exchange.inbox
    ann.post(bob, "hello")
    assert bob.take() == ["hello"]


def test_a_descriptor_that_was_watched_may_become_a_connection(trio):
    _, ann, bob = trio
    readable, writable = os.pipe()
    ann.exchange.set_watch([readable])
    os.close(readable)

    ann.post(bob, "takes the number that is free")
    ann.exchange.set_watch([])
    bob.take()
    bob.post(ann, "answer")

    assert ann.take() == ["answer"]
    os.close(writable)
