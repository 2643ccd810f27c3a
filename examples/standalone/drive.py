"""A supervisor as a process of its own, driven from another process and from the shell.

Starts ``extsys run plant.toml`` with a runtime directory of its own, attaches to it with
the manager, then does the same with the command line, and stops it. The supervisor and its
systems live on while clients come and go.

Prints, with other paths and numbers::

    extsys: supervising 2 systems in /tmp/extsys-example-... (pid 1234)
    attached: valve is connected, pump is connected
    received through the manager: open
    $ extsys send valve close
    exit code 0
    $ extsys receive valve
    close
    exit code 0
    $ extsys receive valve
    extsys: valve: nothing came
    exit code 5
    $ extsys send vavle open
    extsys: vavle: no such system; did you mean 'valve'? [unknown_system, not sent]
    exit code 1
    $ extsys stop
    exit code 0
    $ extsys status
    extsys: no supervisor runs at /tmp/extsys-example-.../supervisor.sock; start one with \
'extsys run'
    exit code 3
    the supervisor's own exit code: 0
"""

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from supervisor import ExternalSystemManager

# What the command "extsys" does, also where it is not on the PATH.
EXTSYS = [sys.executable, "-m", "supervisor"]
PLANT = Path(__file__).with_name("plant.toml")


def main():
    with tempfile.TemporaryDirectory(prefix="extsys-example-") as directory:
        # The same as --runtime-dir before each command.
        environment = {**os.environ, "EXTSYS_RUNTIME_DIR": directory}
        supervisor = subprocess.Popen(
            [*EXTSYS, "run", str(PLANT)], env=environment, stderr=subprocess.PIPE, text=True
        )
        try:
            # This line says that it can be reached, and that its systems are registered.
            print(supervisor.stderr.readline().rstrip(), flush=True)
            asyncio.run(use_manager(directory))
            extsys(environment, "send", "valve", "close")
            extsys(environment, "receive", "valve")
            extsys(environment, "receive", "valve")
            extsys(environment, "send", "vavle", "open")
            extsys(environment, "stop")
            extsys(environment, "status")
        finally:
            supervisor.terminate()  # does nothing to one that was stopped
            supervisor.communicate()
        print(f"the supervisor's own exit code: {supervisor.returncode}")


async def use_manager(directory):
    async with ExternalSystemManager.attach(directory, strict=True) as manager:
        await manager.connect_all()
        states = [f"{each.name} is {each.state}" for each in await manager.status_all()]
        print(f"attached: {', '.join(states)}")
        await manager.send_data_to_system("valve", "open")
        answer = await manager.receive_data_from_system("valve", timeout=5.0)
        print(f"received through the manager: {answer}", flush=True)
    # Leaving ends the connection; the supervisor runs on.


def extsys(environment, *arguments):
    print(f"$ extsys {' '.join(arguments)}", flush=True)
    done = subprocess.run([*EXTSYS, *arguments], env=environment, stderr=subprocess.STDOUT)
    print(f"exit code {done.returncode}", flush=True)


if __name__ == "__main__":
    main()
