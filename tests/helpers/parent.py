"""An actor that is the parent of another, such as a system actor, and passes on all it hears to the
test.

The actor system runs in a small process of its own: Thespian forks the process that
starts one, and leaves sockets for the interpreter to close, which pytest must not see.
"""

import contextlib
import os
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import attrs
from thespian.actors import Actor, ActorExitRequest, ActorSystem, ChildActorExited

from actors.messages import (
    CallCommand,
    Deliver,
    Failure,
    Report,
    StartSystem,
    SystemDefinition,
    SystemStarted,
)
from actors.system_actor.actor import SystemActor
from actors.unix_base import BASE_NAME
from supervisor.runtime.actor_system import free_port

CAP = 15.0
_ROOT = Path(__file__).parents[2]


@attrs.frozen
class Begin:
    """Create the child; answered with :class:`Begun`."""

    child: type[Actor]


@attrs.frozen
class Begun:
    pid: int


@attrs.frozen
class Tell:
    """Pass this on to the child."""

    message: object


@attrs.frozen
class Heard:
    """The child said this."""

    message: object


@attrs.frozen
class Exited:
    """The child's process has ended."""


class Parent(Actor):
    test = None
    child = None

    def receiveMessage(self, message, sender):
        match message:
            case Begin():
                self.test, self.child = sender, self.createActor(message.child)
                self.send(self.test, Begun(os.getpid()))
            case Tell():
                self.send(self.child, message.message)
            case ChildActorExited():
                self._tell(Exited())
            case ActorExitRequest():
                self.test = None  # it has left, and sending to it would take seconds
            case _ if sender == self.child:
                self._tell(Heard(message))

    def _tell(self, message):
        if self.test is not None:
            self.send(self.test, message)


# ---- in the test's process -------------------------------------------------------------


class Host:
    """The process with the actor system, which does what it is asked for by pipe."""

    def __init__(self, base, directory):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.helpers.parent", base],
            cwd=_ROOT,
            env=os.environ | {"THESPLOG_FILE": str(Path(directory, "thespian.log"))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.call("wait until it runs")

    def call(self, *order):
        pickle.dump(order, self._process.stdin)
        self._process.stdin.flush()
        return pickle.load(self._process.stdout)

    def close(self):
        self._process.stdin.close()
        try:
            self._process.wait(CAP)
        finally:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()


class Family:
    """A parent and its child, as a test sees them."""

    def __init__(self, host, child):
        self._host = host
        self.heard = []
        self._key = host.call("open")
        self._host.call("tell", self._key, Begin(child))
        self.parent_pid = self._next(lambda message: isinstance(message, Begun)).pid

    def tell(self, message):
        self._host.call("tell", self._key, Tell(message))

    def hear(self, kind, is_it=lambda message: True):
        """The next message of a kind from the child; what comes before is dropped."""
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
        self._host.call("close", self._key)

    def _next(self, is_it):
        deadline = time.monotonic() + CAP
        while (left := deadline - time.monotonic()) > 0:
            message = self._host.call("listen", self._key, left)
            if isinstance(message, Heard):
                self.heard.append(message.message)
            if message is not None and is_it(message):
                return message
        raise AssertionError(f"not heard within {CAP:g} s; heard: {self.heard}")


@contextlib.contextmanager
def actor_system(base=BASE_NAME):
    """An actor system of its own, which is gone afterwards."""
    with tempfile.TemporaryDirectory() as directory:
        host = Host(base, directory)
        try:
            yield host
        finally:
            host.close()


@contextlib.contextmanager
def family(host, child=SystemActor):
    one = Family(host, child)
    try:
        yield one
    finally:
        one.end()


class Started:
    """A started system actor: asks it one request after the other."""

    def __init__(self, plc, kind="mock", incarnation=3, **details):
        self.plc = plc
        self._number = 0
        plc.tell(StartSystem(SystemDefinition("plc", kind, details), incarnation))
        self.pid = plc.hear(SystemStarted).pid

    def submit(self, request):
        self._number += 1
        self.plc.tell(Deliver(self._number, ((self._number, request),)))
        return self._number

    def answer(self, ref):
        report = self.plc.hear(
            Report, lambda report: any(ref == each for each, _ in report.replies)
        )
        return dict(report.replies)[ref]

    def ask(self, request):
        return self.answer(self.submit(request))

    def inject(self, operation, action, **options):
        answer = self.ask(CallCommand("plc", "inject_fault", (operation, action), options))
        assert not isinstance(answer, Failure), answer


# ---- in the host's process -------------------------------------------------------------


def serve(system, orders, answers):
    """Carry out orders until there are no more."""
    open_ones = {}
    while True:
        try:
            order = pickle.load(orders)
        except EOFError:
            return
        answer = None
        match order:
            case ("open",):
                scope = contextlib.ExitStack()
                asker = scope.enter_context(system.private())
                # By name: here this module is __main__, which no actor process can import.
                parent = asker.createActor("tests.helpers.parent.Parent")
                answer = len(open_ones)
                open_ones[answer] = scope, asker, parent
            case ("tell", key, message):
                _, asker, parent = open_ones[key]
                asker.tell(parent, message)
            case ("listen", key, seconds):
                answer = open_ones[key][1].listen(seconds)
            case ("close", key):
                scope, asker, parent = open_ones[key]
                asker.tell(parent, ActorExitRequest())
                scope.close()
        pickle.dump(answer, answers)
        answers.flush()


def main():
    # What is forked must not hold the pipes: their end is the sign to end.
    orders, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)
    base = sys.argv[1]
    capabilities = {} if base == "multiprocQueueBase" else {"Admin Port": free_port()}
    system = ActorSystem(base, capabilities)
    try:
        serve(system, orders, answers)
    finally:
        system.shutdown()


if __name__ == "__main__":
    main()
