"""A host without asyncio, and a system that is really there: a TCP instrument.

``SynchronousManager`` has the manager's methods, and they block. The instrument is a
simulator in a process of its own that speaks lines over TCP; the kind ``tcp`` talks to it.

Prints, with a voltage near 5::

    *IDN? -> EXTSYS,Simulated Instrument,1,1.0
    MEAS:VOLT? -> 5.012882
    SET range 10 -> OK
    GET range -> 10
    sent 4, received 4
"""

import subprocess
import sys
from contextlib import contextmanager

from supervisor import SynchronousManager, SystemSpec


@contextmanager
def instrument_simulator():
    """Gives the port of a simulated instrument, which ends with its standard input."""
    command = [sys.executable, "-m", "actors.testing.instrument", "--port", "0"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield int(process.stdout.readline())
        process.stdin.close()


def main():
    with instrument_simulator() as port, SynchronousManager(strict=True) as manager:
        details = {"host": "127.0.0.1", "port": port, "connect_timeout": 5.0}
        manager.register_system(SystemSpec("voltmeter", "tcp", details))
        manager.connect_system("voltmeter")
        for question in ("*IDN?", "MEAS:VOLT?", "SET range 10", "GET range"):
            answer = manager.query_system("voltmeter", question, timeout=5.0)
            print(f"{question} -> {answer}")
        status = manager.status("voltmeter")
        print(f"sent {status.sent}, received {status.received}")


if __name__ == "__main__":
    main()
