"""A system of your own, defined right here: errors are answers, bugs are crashes.

``Thermostat`` implements the four coroutines of the interface and adds a command. An
expected error (``ConnectorError``) is an answer to the one who asked. A bug (here a
``ZeroDivisionError``) crashes the system's process; it is restarted and connected again,
and starts as the object was when it was registered.

Prints::

    target: 21.5
    connected: True
    refused: 99.0 degrees is too hot; 5 to 30 are allowed
    measured: 21.5
    crashed: process incarnation 1 ended by ZeroDivisionError
    back as incarnation 2, connected: True
    target after the crash: 18.0
"""

import asyncio

from actors import ConnectorError, ExternalSystemInterface, command
from supervisor import (
    ConnectorFailedError,
    ExternalSystemManager,
    SupervisorOptions,
    SystemCrashedError,
)
from supervisor.messages import EventKind


class Thermostat(ExternalSystemInterface):
    """A thermostat that exists only in its own process's memory."""

    def __init__(self, system_name, connection_details):
        super().__init__(system_name, connection_details)
        self.target = connection_details["target"]

    async def connect(self):
        self.is_connected = True
        return True

    async def disconnect(self):
        self.is_connected = False
        return True

    async def send_data(self, data):
        """Take a new target temperature."""
        if not 5 <= data <= 30:
            raise ConnectorError(f"{data} degrees is too hot; 5 to 30 are allowed")
        self.target = data
        return True

    async def receive_data(self):
        """Measure: this room is always as warm as it should be."""
        return self.target

    @command
    async def get_target(self):
        return self.target

    @command
    async def percent_of(self, other):
        """Has a bug: nobody thought of 0."""
        return 100 * self.target / other


async def main():
    # The crash below is meant, so its traceback need not be logged.
    options = SupervisorOptions(log_level="critical")
    async with ExternalSystemManager(strict=True, options=options) as manager:
        events = manager.events()
        thermostat = Thermostat("living room", {"target": 18.0})
        manager.register_system(thermostat)
        # From here on the object is a handle: its methods act on the system actor.
        await thermostat.connect()
        await thermostat.send_data(21.5)
        print(f"target: {await thermostat.get_target()}")
        print(f"connected: {thermostat.is_connected}")

        try:
            await thermostat.send_data(99.0)
        except ConnectorFailedError as error:
            print(f"refused: {error.failure.text.partition('ConnectorError: ')[2]}")
        print(f"measured: {await thermostat.receive_data()}")

        back = asyncio.create_task(wait_for_connected(events, incarnation=2))
        try:
            await thermostat.percent_of(0)
        except SystemCrashedError:
            status = await manager.status("living room")
            kind = status.last_crash.kind
            print(f"crashed: process incarnation 1 ended by {kind}")
        event = await back
        print(f"back as incarnation {event.incarnation}, connected: {thermostat.is_connected}")
        print(f"target after the crash: {await thermostat.get_target()}")


async def wait_for_connected(events, incarnation):
    async for event in events:
        if event.kind is EventKind.CONNECTED and event.incarnation == incarnation:
            return event
    raise RuntimeError("the manager was closed")


if __name__ == "__main__":
    asyncio.run(main())
