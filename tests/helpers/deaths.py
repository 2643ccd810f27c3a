"""Children that die in one way or another, and what is heard of that."""

from __future__ import annotations

import os

from thespian.actors import ChildActorExited

from tests.helpers import hosting
from tests.helpers.hosting import Do, is_running, listen, tell, wait_until


def children_of(host, parent, count):
    """The addresses and processes of new children."""
    host.do(tell, parent, Do(create_many, (count,)))
    pairs = dict(host.do(listen) for _ in range(count))
    assert len(pairs) == count
    return pairs


def create_many(actor, count):
    for _ in range(count):
        child = actor.createActor(hosting.Doer)
        actor.send(child, Do(introduce_yourself, (actor.sender,)))


def introduce_yourself(actor, whom):
    actor.send(whom, (str(actor.myAddress), os.getpid()))


def names_of_the_dead(messages):
    return sorted(str(m.childAddress) for m in messages if isinstance(m, ChildActorExited))


def be_busy_until_ended(actor, pids, number):
    """All of them end while nothing can be heard, which is the hardest case."""
    for each in pids:
        os.kill(each, number)
    wait_until(lambda: not any(map(is_running, pids)), "the end of all")


def have_child_speak_and_die(actor, process):
    actor.send(actor.child, Do(speak_and_die, (actor.myAddress,)))
    wait_until(lambda: not is_running(process))


def speak_and_die(actor, whom):
    for number in range(100):
        actor.send(whom, number)
    os._exit(1)


def pid_of_logger(system):
    """The one of the admin's children whose socket is the logger's."""
    import socket
    import struct

    name = f"{os.path.dirname(system._systemBase.adminAddr.addressDetails.name)}/logger"
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(name)
        except OSError:
            return None
        return struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
