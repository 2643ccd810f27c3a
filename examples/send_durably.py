"""Send what must not be lost: it is on the disk before it is accepted, whoever ends then.

One program accepts orders while nobody can be reached, and ends. The next one delivers them. The
receiver notes the id of each message with its effect, so that one that comes twice has it once.

Prints::

    accepted, and waiting: 3
    the next program finds: 3
    delivered, the last one as well: True
    booked: order 1, order 2, order 3, order 4
"""

import asyncio
import tempfile

from actors import MockExternalSystem, command, current_delivery
from supervisor import ExternalSystemManager, SupervisorOptions


class Orders(MockExternalSystem):
    """Stands for a receiver that keeps the ids it has dealt with."""

    def __init__(self, system_name, connection_details):
        super().__init__(system_name, connection_details)
        self._booked = {}

    async def send_data(self, data):
        self._booked.setdefault(current_delivery().id, data)
        return True

    @command
    async def booked(self):
        return sorted(self._booked.values())


async def accept(options):
    async with ExternalSystemManager(strict=True, options=options) as manager:
        orders = Orders("orders", {})
        manager.register_system(orders, durable=True)
        for number in (1, 2, 3):
            await orders.send_data(f"order {number}")
        print(f"accepted, and waiting: {(await manager.status('orders')).outbox}")


async def deliver(options):
    async with ExternalSystemManager(strict=True, options=options) as manager:
        orders = Orders("orders", {})
        manager.register_system(orders, durable=True)
        while (waiting := (await manager.status("orders")).outbox) is None:
            await asyncio.sleep(0.01)  # its journal is being opened
        print(f"the next program finds: {waiting}")
        await orders.connect()
        print(f"delivered, the last one as well: {await orders.send_data('order 4', wait=True)}")
        print(f"booked: {', '.join(await orders.booked())}")


async def main():
    with tempfile.TemporaryDirectory() as directory:
        options = SupervisorOptions(state_dir=f"{directory}/state")
        await accept(options)
        await deliver(options)


if __name__ == "__main__":
    asyncio.run(main())
