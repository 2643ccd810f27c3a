"""What happens when a system's process dies: once by ``kill -9``, then again and again.

First a process is killed while it has an item. The sender gets a typed error whose
``outcome`` says what became of the item, the supervisor restarts and connects the system,
and the lifecycle events tell the story. Then a fault script lets every send end the
process, until the supervisor gives up: the system is quarantined, refuses everything at
once, and comes back when it is restarted by hand and the cause is mended.

Prints::

    SystemCrashedError: pump: crashed (its process was killed by SIGKILL), outcome unknown
    pump: crashed, restarting, starting, started, connecting, connected (incarnation 2)
    sent again: True

    SystemCrashedError: press: crashed (its process ended with exit code 7), outcome unknown
    press: crashed, restarting, starting, started, connecting, connected (incarnation 2)
    SystemCrashedError: press: crashed (its process ended with exit code 7), outcome unknown
    press: crashed, quarantined (incarnation 2)
    UnavailableError: press: quarantined after repeated crashes (its process ended with exit \
code 7); mend the cause and restart it, outcome not_sent
    press: starting, started, connecting, connected (incarnation 3)
    sent again: True
"""

import asyncio
import os
import signal

from actors import MockExternalSystem
from supervisor import (
    ExternalSystemError,
    ExternalSystemManager,
    RestartPolicy,
    SupervisorOptions,
)
from supervisor.messages import EventKind


async def main():
    # The crashes are meant, so they need not be logged.
    options = SupervisorOptions(log_level="critical")
    async with ExternalSystemManager(strict=True, options=options) as manager:
        await kill_in_the_middle(manager)
        print()
        await crash_again_and_again(manager)


async def kill_in_the_middle(manager):
    slow = {"operation": "send", "action": "delay", "seconds": 30}
    pump = MockExternalSystem("pump", {"faults": [slow]})
    manager.register_system(pump)
    await pump.connect()

    async def kill():
        # The answer comes beside the slow send, and says that the item is there.
        await pump.check_health()
        status = await manager.status("pump")
        os.kill(status.pid, signal.SIGKILL)

    watching = asyncio.create_task(watch(manager, "pump", EventKind.CONNECTED))
    await asyncio.gather(try_to_send(manager, "pump"), kill())
    print(await watching)
    # Each incarnation starts as the object was registered: slow, until it is told otherwise.
    await pump.clear_faults()
    print(f"sent again: {await pump.send_data('on')}")


async def crash_again_and_again(manager):
    deadly = {"operation": "send", "action": "exit", "exit_code": 7, "times": "always"}
    press = MockExternalSystem("press", {"faults": [deadly]})
    manager.register_system(press, restart=RestartPolicy(max_restarts=1, period=60))
    await press.connect()
    for last in (EventKind.CONNECTED, EventKind.QUARANTINED):
        watching = asyncio.create_task(watch(manager, "press", last))
        await try_to_send(manager, "press")
        print(await watching)
    await try_to_send(manager, "press")  # refused at once

    watching = asyncio.create_task(watch(manager, "press", EventKind.CONNECTED))
    await manager.restart_system("press")
    print(await watching)
    await press.clear_faults()  # the cause is mended
    print(f"sent again: {await press.send_data('on')}")


async def try_to_send(manager, name):
    try:
        await manager.send_data_to_system(name, "on")
    except ExternalSystemError as error:
        failure = error.failure
        print(f"{type(error).__name__}: {failure.text}, outcome {failure.outcome}")


async def watch(manager, name, last):
    """What happens to a system, up to an event of kind ``last``."""
    kinds = []
    async for event in manager.events():
        if event.system_name == name:
            kinds.append(event.kind.value)
            if event.kind is last:
                return f"{name}: {', '.join(kinds)} (incarnation {event.incarnation})"
    raise RuntimeError("the manager was closed")


if __name__ == "__main__":
    asyncio.run(main())
