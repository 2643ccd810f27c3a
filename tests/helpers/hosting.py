"""Actor systems in small processes of their own, which do what a test asks of them.

Thespian forks the process that starts a system, and pytest's is too big and too busy for
that. What a host or an actor is to do is a function of a module, given by reference.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import time
import traceback
from pathlib import Path

import attrs
from thespian.actors import Actor, ActorExitRequest, ActorSystem

CAP = 20.0
ROOT = Path(__file__).parents[2]


@attrs.frozen
class Do:
    """Have an actor call a function with itself and more; what it gives is the answer."""

    function: object
    args: tuple = ()


@attrs.frozen
class Raised:
    text: str


class Doer(Actor):
    """Does as it is told, and notes all else that it hears."""

    def __init__(self):
        super().__init__()
        self.heard = []
        self.confidant = None
        """Who is told of all that it hears."""
        self.sender = None

    def receiveMessage(self, message, sender):
        if isinstance(message, ActorExitRequest):
            return None
        if not isinstance(message, Do):
            self.heard.append(message)
            if self.confidant is not None:
                self.send(self.confidant, message)
            return None
        self.sender = sender
        result = message.function(self, *message.args)
        if isinstance(result, After):
            result = result.watch
        elif result is not None:
            self.send(sender, result)
            result = None
        return result


@attrs.frozen
class After:
    """To be given to Thespian, and to nobody else."""

    watch: object


def of(actor, name):
    """An attribute of an actor."""
    return getattr(actor, name)


def pid(actor):
    return os.getpid()


def create(actor):
    """Have an actor create another one, and answer with the new one's address."""
    actor.child = actor.createActor(Doer)
    actor.send(actor.child, Do(answer_to, (actor.sender,)))


def answer_to(actor, whom):
    actor.send(whom, actor.myAddress)


def kinds_heard(actor):
    return [type(each).__name__ for each in actor.heard]


def confide_in_sender(actor):
    actor.confidant = actor.sender
    return "yes"


# ---- in the test's process -------------------------------------------------------------


class HostDied(Exception):
    """The host ended instead of answering."""


class Host:
    """A process that is attached to an actor system. The first one starts it."""

    def __init__(self, directory, port="test", before=None, log_definitions=None):
        """
        Args:
            before: called in the process before it attaches.
        """
        self.directory = Path(directory, port)
        capabilities = {"Socket Directory": str(directory), "Admin Port": port}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.helpers.hosting"],
            cwd=ROOT,
            env=os.environ | {"THESPLOG_FILE": os.devnull},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.write(before)
        self.write((capabilities, log_definitions))

    def write(self, order):
        pickle.dump(order, self.process.stdin)
        self.process.stdin.flush()

    def read(self):
        try:
            answer = pickle.load(self.process.stdout)
        except EOFError:
            raise HostDied(f"exit code {self.process.wait(CAP)}") from None
        if isinstance(answer, Raised):
            raise RuntimeError(answer.text)
        return answer

    def do(self, function, *args):
        """What the function gives, called in the host with its actor system."""
        self.write((function, args))
        return self.read()

    def wait_until_attached(self):
        return self.do(nothing)

    def create(self, name=None):
        return self.do(create_in_host, name)

    def ask(self, actor, function, *args):
        answer = self.do(ask, actor, Do(function, args))
        assert answer is not None, f"no answer to {function.__name__}"
        return answer

    def pid_of(self, actor):
        return self.ask(actor, pid)

    def heard_by(self, actor, count):
        """What an actor has heard, as soon as it is so much."""
        deadline = time.monotonic() + CAP
        while len(heard := self.ask(actor, of, "heard")) < count:
            assert time.monotonic() < deadline, f"heard only {heard}"
            time.sleep(0.005)
        return heard

    def close(self):
        """Have the host end, and so, if it is still there, its actor system."""
        with contextlib.suppress(BrokenPipeError):  # it was killed with an order unread
            self.process.stdin.close()
        try:
            self.process.wait(CAP)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()


@contextlib.contextmanager
def host(directory, port="test", **more):
    one = Host(directory, port, **more)
    try:
        yield one
    finally:
        one.close()


def nothing(system):
    pass


def create_in_host(system, name):
    return system.createActor(Doer, globalName=name)


def ask(system, actor, message, seconds=CAP):
    return system.ask(actor, message, seconds)


def tell(system, actor, message):
    system.tell(actor, message)


def listen(system, seconds=CAP):
    return system.listen(seconds)


def forget_what_came(system):
    """What a test did not listen to is no news for the next."""
    while system.listen(0.01) is not None:
        pass


def wait_until(happened, what="it"):
    deadline = time.monotonic() + CAP
    while not (result := happened()):
        assert time.monotonic() < deadline, f"{what} did not happen within {CAP:g} s"
        time.sleep(0.005)
    return result


def is_running(pid):
    """Whether there is such a process that is not at its end."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


# ---- in the host's process -------------------------------------------------------------


def main():
    # What is forked must not hold the pipes: their end is the sign to end.
    orders, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    before, (capabilities, log_definitions) = pickle.load(orders), pickle.load(orders)
    if before is not None:
        before()
    import actors.unix_base

    system = None
    try:
        while True:
            try:
                function, args = pickle.load(orders)
            except EOFError:
                break
            try:
                if system is None:
                    name = actors.unix_base.BASE_NAME
                    system = ActorSystem(name, capabilities, log_definitions)
                answer = function(system, *args)
            except Exception:
                answer = Raised(traceback.format_exc())
            pickle.dump(answer, answers)
            answers.flush()
    finally:
        if system is not None:
            system.shutdown()


if __name__ == "__main__":
    from tests.helpers import hosting  # what it answers is not of __main__

    hosting.main()
