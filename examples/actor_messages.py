"""The supervisor as a plain Thespian actor: a request is a message, and so is its answer.

For hosts that run an actor system already. Every request is answered exactly once, with
the typed result that its docstring names or with a Failure. ``ActorSystem.ask`` returns the
next message from anybody, so an answer is told from a late one by its ``request_id``.

Prints::

    registered plc-1, incarnation 1
    connected plc-1
    plc-1 took b'start'
    received b'start'
    failed: plc1: no such system; did you mean 'plc-1'? [unknown_system, not_sent]
    supervisor stopped
"""

import os
import time

from thespian.actors import ActorExitRequest, ActorSystem

from actors.messages import (
    ConnectSystem,
    DataReceived,
    DataSent,
    Failure,
    ReceiveData,
    SendData,
    SystemConnected,
)
from actors.unix_base import BASE_NAME
from supervisor import Supervisor, SystemSpec
from supervisor.messages import (
    RegisterSystem,
    StopSupervisor,
    SupervisorStopped,
    SystemRegistered,
)


def ask(actor_system, supervisor, request, seconds=20.0):
    """The answer to this request, and to no other.

    Thespian's ask gives None after its time; the next ask would then get the late answer.
    """
    deadline = time.monotonic() + seconds
    answer = actor_system.ask(supervisor, request, seconds)
    while answer is not None and getattr(answer, "request_id", None) != request.request_id:
        answer = actor_system.listen(max(0.0, deadline - time.monotonic()))
    if answer is None:
        raise TimeoutError(f"no answer to {type(request).__name__} within {seconds} s")
    return answer


def main():
    # The name tells this actor system from others: whoever gives the same one attaches to it.
    actor_system = ActorSystem(BASE_NAME, {"Admin Port": f"example-{os.getpid()}"})
    try:
        supervisor = actor_system.createActor(Supervisor)
        spec = SystemSpec("plc-1", "mock", {"echo": True})
        requests = [
            RegisterSystem(spec),
            ConnectSystem("plc-1"),
            SendData("plc-1", b"start"),
            ReceiveData("plc-1", wait=5.0),
            SendData("plc1", b"oops"),
            StopSupervisor(),
        ]
        for request in requests:
            match ask(actor_system, supervisor, request):
                case SystemRegistered() as answer:
                    print(f"registered {answer.system_name}, incarnation {answer.incarnation}")
                case SystemConnected() as answer:
                    print(f"connected {answer.system_name}")
                case DataSent() as answer:
                    print(f"{answer.system_name} took {request.data!r}")
                case DataReceived() as answer:
                    print(f"received {answer.load()!r}")
                case Failure() as failure:
                    print(f"failed: {failure.text} [{failure.code}, {failure.outcome}]")
                case SupervisorStopped():
                    print("supervisor stopped")
                case answer:
                    print(f"unexpected: {answer}")
        actor_system.tell(supervisor, ActorExitRequest())
    finally:
        actor_system.shutdown()


if __name__ == "__main__":
    main()
