"""Bare Thespian: the least that does the same hops, on any of its bases.

The host asks a router actor, the router asks a leaf actor, the leaf echoes, and the
answer goes back the same way. Or the host asks a leaf itself.
"""

from __future__ import annotations

import importlib
import os
import time
from typing import Any, Final

from thespian.actors import Actor, ActorAddress, ActorExitRequest, ActorSystem, ChildActorExited

from benchmarks.loopback import free_port, stay_on_loopback

ITEM_SIZE: Final = 32
WARM_UPS: Final = 3
"""Requests that are not counted, each time before others are."""
_WARM_UP: Final = bytes(ITEM_SIZE)
_ANSWER_TIMEOUT: Final = 10.0
_LATE_ANSWERS: Final = 0.5
_EXIT_TIMEOUT: Final = 2.0
_MARK: Final = 8
"""Bytes that tell one item from another."""
_GROWN_AT_ONCE: Final = 10
"""Leaves; between so many it is looked whether the time is over."""
_PID: Final = "pid"


class Leaf(Actor):
    """Sends back what it gets, from a router together with whom it is for."""

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        match message:
            case (asker, data):
                self.send(sender, (asker, os.getpid() if data == _PID else data))
            case "pid":
                self.send(sender, os.getpid())
            case bytes():
                self.send(sender, message)


class Router(Actor):
    """Passes items to its leaves, and their answers to whoever asked."""

    def __init__(self) -> None:
        super().__init__()
        self.leaves: list[ActorAddress] = []

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        match message:
            case int():
                self.leaves += [self.createActor(Leaf) for _ in range(message)]
                self.send(sender, len(self.leaves))
            case (int() as number, data):
                self.send(self.leaves[number], (sender, data))
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


class BareSystem:
    """A Thespian actor system of its own, used from the host; every method blocks.

    It is not shut down: Thespian sometimes waits long for that, and
    :func:`~benchmarks.cleanup.nothing_left_behind` ends it surely.

    Args:
        base: Thespian's name of the base.
        module: what has to be imported for the base to be known.
    """

    def __init__(self, base: str, module: str | None = None) -> None:
        stay_on_loopback()
        if module:
            importlib.import_module(module)
        # transientUnique: another actor system of this process must not be taken for this.
        self._system = ActorSystem(base, {"Admin Port": free_port()}, transientUnique=True)
        self._router = self._system.createActor(Router)
        self._leaf = self._system.createActor(Leaf)
        self._mending: ActorAddress | None = None
        self._leaves = 0
        self._turn = 0
        self._late = False
        """Whether an answer did not come, but still may."""

    def grow(self, leaves: int, seconds: float) -> int:
        """Have the router have so many leaves, each of which has answered once.

        Returns:
            how many it has, fewer if more would have taken longer than ``seconds``.
        """
        end = time.monotonic() + seconds
        while self._leaves < leaves and time.monotonic() < end:
            more = min(_GROWN_AT_ONCE, leaves - self._leaves)
            self._ask(self._router, more)
            for number in range(self._leaves, self._leaves + more):
                while not self._answers(number):
                    if time.monotonic() > end:
                        return self._leaves
                self._leaves += 1
        return self._leaves

    def direct(self, count: int, size: int = ITEM_SIZE) -> float:
        """Ask a leaf, one time after the other; in seconds."""
        item = self._new_item(size)
        self._warm_up(self._leaf, _WARM_UP)
        began = time.perf_counter()
        for _ in range(count):
            self._check(self._ask(self._leaf, item), item)
        return time.perf_counter() - began

    def routed(self, count: int, size: int = ITEM_SIZE) -> float:
        """Ask the router's first leaf, one time after the other; in seconds."""
        item = self._new_item(size)
        message = (0, item)
        self._warm_up(self._router, (0, _WARM_UP))
        began = time.perf_counter()
        for _ in range(count):
            self._check(self._ask(self._router, message), item)
        return time.perf_counter() - began

    def spread(self, count: int) -> float:
        """Ask the router's leaves in turns; in seconds."""
        item = self._new_item(ITEM_SIZE)
        self._warm_up(self._router, (0, _WARM_UP))
        began = time.perf_counter()
        for _ in range(count):
            self._turn = (self._turn + 1) % self._leaves
            self._check(self._ask(self._router, (self._turn, item)), item)
        return time.perf_counter() - began

    def pipelined(self, count: int, outstanding: int) -> float:
        """Have the router's first leaf echo, with so many items on their way; in seconds."""
        item = self._new_item(ITEM_SIZE)
        message = (0, item)
        told = answered = 0
        self._warm_up(self._router, message)
        began = time.perf_counter()
        while answered < count:
            while told < count and told - answered < outstanding:
                self._system.tell(self._router, message)
                told += 1
            self._check(self._answered(self._system.listen(_ANSWER_TIMEOUT)), item)
            answered += 1
        return time.perf_counter() - began

    def create(self, count: int) -> float:
        """Make an actor that answers once, and let it exit; in seconds without the exit."""
        seconds = 0.0
        for _ in range(count):
            began = time.perf_counter()
            leaf = self._system.createActor(Leaf)
            pid = self._ask(leaf, _PID)
            seconds += time.perf_counter() - began
            self._system.tell(leaf, ActorExitRequest())
            _wait_until_gone(pid)
        return seconds

    def restart(self, signal: int) -> float:
        """Send a signal that kills to a leaf that is made again; in seconds to its answer."""
        if self._mending is None:
            self._mending = self._system.createActor(MendingRouter)
        pid = self._ask(self._mending, _PID)
        began = time.perf_counter()
        os.kill(pid, signal)
        self._ask(self._mending, b"are you there?")
        return time.perf_counter() - began

    def pids(self) -> list[int]:
        """The processes of the router's leaves."""
        return [self._ask(self._router, (number, _PID)) for number in range(self._leaves)]

    def _answers(self, number: int) -> bool:
        """Whether a leaf of the router does; over UDP the first item sometimes is lost."""
        try:
            self._ask(self._router, (number, _WARM_UP))
        except RuntimeError:
            return False
        return True

    def _ask(self, address: ActorAddress, message: Any) -> Any:
        return self._answered(self._system.ask(address, message, _ANSWER_TIMEOUT))

    def _answered(self, answer: Any) -> Any:
        if answer is None:
            self._late = True
            raise RuntimeError(f"no answer within {_ANSWER_TIMEOUT:.0f} s")
        return answer

    def _warm_up(self, address: ActorAddress, message: Any) -> None:
        """Wake the processes: the first to be asked after others is slower."""
        for _ in range(WARM_UPS):
            self._ask(address, message)

    def _new_item(self, size: int) -> bytes:
        """Unlike all before: an answer that comes late would be taken for the next one."""
        if self._late:
            while self._system.listen(_LATE_ANSWERS) is not None:
                pass
            self._late = False
        return os.urandom(_MARK) + bytes(size - _MARK)

    @staticmethod
    def _check(answer: Any, item: bytes) -> None:
        # To compare all of a big item would take part of the time measured.
        if (
            not isinstance(answer, bytes)
            or len(answer) != len(item)
            or answer[:_MARK] != item[:_MARK]
        ):
            raise RuntimeError(f"answered by {type(answer).__name__}, not by the item")


def _wait_until_gone(pid: int) -> None:
    """Or not: over UDP the request to exit may be lost, and nothing else needs it."""
    end = time.monotonic() + _EXIT_TIMEOUT
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.001)
