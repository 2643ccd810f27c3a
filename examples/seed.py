"""The shortest whole program: two systems that do not exist, sent to and received from.

Each system runs in a process of its own. Data "comes in" because the mock is told so.

Prints::

    Main received: Response from System1
"""

import asyncio

from actors import MockExternalSystem
from supervisor import ExternalSystemManager


async def main():
    manager = ExternalSystemManager()
    system1 = MockExternalSystem("System1", {"host": "mock1.example.com", "port": 8080})
    system2 = MockExternalSystem("System2", {"host": "mock2.example.com", "port": 9090})
    manager.register_system(system1)
    manager.register_system(system2)
    await manager.connect_all()
    await manager.send_data_to_system("System1", "Hello, System1!")
    await system1.mock_incoming_data("Response from System1")
    received_data = await manager.receive_data_from_system("System1")
    print(f"Main received: {received_data}")
    await manager.disconnect_all()


if __name__ == "__main__":
    asyncio.run(main())
