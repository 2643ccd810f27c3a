"""An actor that is the parent of a system actor, and passes on all it hears to the test."""

import contextlib
import os
import socket
import time

import attrs
from thespian.actors import Actor, ActorExitRequest, ActorSystem, ChildActorExited

from actors.system_actor import SystemActor

CAP = 15.0


@attrs.frozen
class Begin:
    """Create the system actor; answered with :class:`Begun`."""


@attrs.frozen
class Begun:
    pid: int


@attrs.frozen
class Tell:
    """Pass this on to the system actor."""

    message: object


@attrs.frozen
class Heard:
    """The system actor said this."""

    message: object


@attrs.frozen
class Exited:
    """The system actor's process has ended."""


class Parent(Actor):
    test = None
    child = None

    def receiveMessage(self, message, sender):
        match message:
            case Begin():
                self.test, self.child = sender, self.createActor(SystemActor)
                self.send(self.test, Begun(os.getpid()))
            case Tell():
                self.send(self.child, message.message)
            case ChildActorExited():
                self.send(self.test, Exited())
            case ActorExitRequest():
                pass
            case _ if sender == self.child:
                self.send(self.test, Heard(message))


class Family:
    """A parent and its system actor, as a test sees them."""

    def __init__(self, asker):
        self._asker = asker
        self.heard = []
        self._parent = asker.createActor(Parent)
        asker.tell(self._parent, Begin())
        self.parent_pid = self._next(lambda message: isinstance(message, Begun)).pid

    def tell(self, message):
        self._asker.tell(self._parent, Tell(message))

    def hear(self, kind, is_it=lambda message: True):
        """The next message of a kind from the system actor; what comes before is dropped."""
        heard = self._next(
            lambda message: (
                isinstance(message, Heard)
                and isinstance(message.message, kind)
                and is_it(message.message)
            )
        )
        return heard.message

    def wait_for_exit(self):
        self._next(lambda message: isinstance(message, Exited))

    def end(self):
        self._asker.tell(self._parent, ActorExitRequest())

    def _next(self, is_it):
        deadline = time.monotonic() + CAP
        while (left := deadline - time.monotonic()) > 0:
            message = self._asker.listen(left)
            if isinstance(message, Heard):
                self.heard.append(message.message)
            if message is not None and is_it(message):
                return message
        raise AssertionError(f"not heard within {CAP:g} s; heard: {self.heard}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def actor_system(base="multiprocTCPBase"):
    """An actor system of its own, which is gone afterwards."""
    capabilities = {} if base == "multiprocQueueBase" else {"Admin Port": free_port()}
    system = ActorSystem(base, capabilities)
    try:
        yield system
    finally:
        system.shutdown()


@contextlib.contextmanager
def family(system):
    with system.private() as asker:
        one = Family(asker)
        try:
            yield one
        finally:
            one.end()
