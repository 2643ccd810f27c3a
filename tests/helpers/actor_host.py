"""A host that speaks in actor messages, in a process of its own.

Thespian leaves sockets and a thread of control in whatever process starts an actor
system; here they end with the process. :class:`ActorHost` is the test's side; run as a
program it is the host's: calls come in by standard input, results go out by standard
output, both pickled.
"""

from __future__ import annotations

import pickle
import socket
import subprocess
import sys
from typing import Any

from thespian.actors import ActorSystem

from actors.unix_base import BASE_NAME


class ActorHost:
    def __init__(self, base: str = BASE_NAME) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.helpers.actor_host", base],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def ask(self, message: Any, timeout: float) -> Any:
        """``ActorSystem.ask`` of a supervisor."""
        return self._call("ask", message, timeout)

    def tell(self, message: Any) -> None:
        """``ActorSystem.tell`` of the same supervisor."""
        self._call("tell", message)

    def listen(self, timeout: float) -> Any:
        """``ActorSystem.listen``."""
        return self._call("listen", timeout)

    def close(self) -> None:
        """Shut the actor system down."""
        self._call("shutdown")
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def _call(self, *call: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        pickle.dump(call, self._process.stdin)
        self._process.stdin.flush()
        return pickle.load(self._process.stdout)


def main(base: str) -> None:
    from supervisor import Supervisor

    kind = socket.SOCK_DGRAM if base == "multiprocUDPBase" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    system = ActorSystem(base, {"Admin Port": port})
    try:
        supervisor = system.createActor(Supervisor)
        while True:
            match pickle.load(sys.stdin.buffer):
                case ("ask", message, timeout):
                    result = system.ask(supervisor, message, timeout)
                case ("tell", message):
                    result = system.tell(supervisor, message)
                case ("listen", timeout):
                    result = system.listen(timeout)
                case ("shutdown",):
                    break
            pickle.dump(result, sys.stdout.buffer)
            sys.stdout.flush()
    finally:
        system.shutdown()
    pickle.dump(None, sys.stdout.buffer)


if __name__ == "__main__":
    main(sys.argv[1])
