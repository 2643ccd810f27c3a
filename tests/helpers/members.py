"""Exchanges of one process, which take the part of actors and of their admin."""

from __future__ import annotations

import pickle
import time

from thespian.system.transport import SendStatus, TransmitIntent

from actors.unix_base.transport.address import address_of
from actors.unix_base.transport.exchange import Exchange
from actors.unix_base.transport.received import Unreadable
from actors.unix_base.transport.sockets import UnixSockets

CAP = 10.0


class Member:
    def __init__(self, directory, name, family=UnixSockets):
        self.name = f"{directory}/{name}"
        self.address = address_of(self.name)
        self.exchange = Exchange(family(str(directory)), self.name, f"{directory}/admin")

    def post(self, other, message):
        """As an actor does, which is told nothing but of dead letters."""
        self.exchange.post(other.name, (message, pickle.dumps(message), None))

    def intend(self, other, message):
        """As Thespian does, which is told what became of the message."""
        intent = TransmitIntent(other.address, message)
        self.exchange.post(other.name, (message, pickle.dumps(message), intent))
        return intent

    def take(self, count=1):
        """The next messages, each dealt with."""
        taken = []
        while len(taken) < count:
            wait_for(lambda: self.exchange.unread or self.exchange.do_io(0.01), self.name)
            received = self.exchange.take()
            _, message, _, _ = received
            if not isinstance(message, Unreadable):
                taken.append(message)
            self.exchange.dealt_with(received)
        return taken

    def close(self):
        self.exchange.close()


def wait_for(happened, what="it"):
    """Wait, with a cap, until something true comes."""
    deadline = time.monotonic() + CAP
    while not (result := happened()):
        assert time.monotonic() < deadline, f"{what} did not happen within {CAP:g} s"
    return result


def run(*members):
    """Let each do what it can right now, a few times around."""
    for _ in range(5):
        for each in members:
            each.exchange.do_io(0)


def fate(intent, member, *others):
    """What became of an intent in the end."""

    def known():
        run(member, *others)
        ends = [status for each, status in member.exchange.done if each is intent]
        return ends and (ends,)

    [[status]] = wait_for(known)
    assert isinstance(status, SendStatus.BASE)
    return status
