"""The other side of the comparison: the least that does the same hops on bare Thespian.

The host asks a router actor, the router asks a leaf actor, the leaf echoes, and the
answer goes back the same way.
"""

from __future__ import annotations

import os
from typing import Any, Final

from thespian.actors import Actor, ActorAddress, ActorSystem, ChildActorExited

from supervisor.base import free_port, stay_on_loopback

BASE: Final = "multiprocTCPBase"
OUTSTANDING: Final = 20
"""Items on their way at once; Thespian stops a sender with more than this unacknowledged."""
_ANSWER_TIMEOUT: Final = 10.0
_PID: Final = "pid"


class Leaf(Actor):
    """Sends back what it gets, together with whom it is for."""

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        match message:
            case (asker, data):
                self.send(sender, (asker, os.getpid() if data == _PID else data))
            case "pid":
                self.send(sender, os.getpid())
            case bytes():
                self.send(sender, message)


class Router(Actor):
    """Passes items to its leaf, and the leaf's answers to whoever asked."""

    leaf: ActorAddress | None = None

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        match message:
            case bytes() | str():
                if self.leaf is None:
                    self.leaf = self.createActor(Leaf)
                self.send(self.leaf, (sender, message))
            case (asker, data):
                self.send(asker, data)


class MendingRouter(Actor):
    """Makes its leaf again when it dies, by hand, and repeats the one item without answer."""

    leaf: ActorAddress | None = None
    unanswered: tuple[ActorAddress, Any] | None = None

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        match message:
            case bytes() | str():
                if self.leaf is None:
                    self.leaf = self.createActor(Leaf)
                self.unanswered = (sender, message)
                self.send(self.leaf, self.unanswered)
            case (asker, data):
                self.unanswered = None
                self.send(asker, data)
            case ChildActorExited() if message.childAddress == self.leaf:
                self.leaf = self.createActor(Leaf)
                if self.unanswered is not None:
                    self.send(self.leaf, self.unanswered)


class Nursery(Actor):
    """Makes as many leaves as it is told to, and answers with their addresses."""

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        if isinstance(message, int):
            self.send(sender, [self.createActor(Leaf) for _ in range(message)])


class BareSystem:
    """A Thespian actor system of its own, used from the host; every method blocks.

    It is not shut down: Thespian sometimes waits long for that, and
    :func:`~benchmarks.cleanup.nothing_left_behind` ends it surely.
    """

    def __init__(self) -> None:
        stay_on_loopback()
        # transientUnique: another actor system of this process must not be taken for this.
        self._system = ActorSystem(BASE, {"Admin Port": free_port()}, transientUnique=True)

    def create(self, actor: type[Actor]) -> ActorAddress:
        return self._system.createActor(actor)

    def ask(self, address: ActorAddress, message: Any) -> Any:
        """Ask, and wait for the answer.

        Raises:
            RuntimeError: none came.
        """
        answer = self._system.ask(address, message, _ANSWER_TIMEOUT)
        if answer is None:
            raise RuntimeError("bare Thespian gave no answer")
        return answer

    def pid_of_leaf(self, address: ActorAddress) -> int:
        """Of a leaf, or of the leaf behind a router."""
        return int(self.ask(address, _PID))

    def ask_each(self, address: ActorAddress, item: bytes, count: int) -> None:
        """Ask ``count`` times, one after the other."""
        for _ in range(count):
            self.ask(address, item)

    def pipeline(self, address: ActorAddress, item: bytes, count: int) -> None:
        """Have ``count`` items answered, as many at once as Thespian can take."""
        told = answered = 0
        while answered < count:
            while told < count and told - answered < OUTSTANDING:
                self._system.tell(address, item)
                told += 1
            if self._system.listen(_ANSWER_TIMEOUT) is None:
                raise RuntimeError("bare Thespian gave no answer")
            answered += 1
