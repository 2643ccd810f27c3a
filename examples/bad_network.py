"""A test of one's own against a bad network: a fault proxy between a system and its server.

The server is real, a simulated instrument behind a TCP port, and so is the network but for what
the proxy does to it when it is told to. What a client hears of it depends on no chance: the proxy
waits for the question to be out before it breaks the connection.

Prints::

    all is well: hello
    reset while a question was out: connector_error, unknown
    connected again: here again
    the server hangs: timeout, unknown
    and goes on: still here
    nothing listens: not_connected, not_sent
    and it is back: back
"""

import asyncio

from actors.testing.fault_proxy import FaultProxy
from actors.testing.instrument import InstrumentSimulator
from supervisor import ExternalSystemError, ExternalSystemManager, SupervisorOptions, SystemSpec
from supervisor.messages import EventKind


async def main():
    options = SupervisorOptions(log_level="critical")
    async with (
        InstrumentSimulator() as instrument,
        FaultProxy(instrument.port) as proxy,
        ExternalSystemManager(strict=True, options=options) as manager,
    ):
        details = {"host": proxy.host, "port": proxy.port}
        manager.register_system(SystemSpec("dmm", "tcp", details))
        events = manager.events()
        await manager.connect_all()
        print(f"all is well: {await manager.query_system('dmm', 'ECHO hello')}")
        await wait_for(events, EventKind.CONNECTED)

        proxy.black_hole("to_client")
        before = proxy.bytes_to_server
        asking = asyncio.create_task(failure_of(manager, "ECHO nobody hears the answer"))
        await proxy.until(lambda: proxy.bytes_to_server > before)
        proxy.reset()
        proxy.heal()
        print(f"reset while a question was out: {await asking}")
        await wait_for(events, EventKind.CONNECTED)
        print(f"connected again: {await manager.query_system('dmm', 'ECHO here again')}")

        proxy.black_hole()
        print(f"the server hangs: {await failure_of(manager, 'ECHO too late', timeout=0.2)}")
        proxy.heal()
        print(f"and goes on: {await manager.query_system('dmm', 'ECHO still here')}")
        await wait_for(events, EventKind.CONNECTED)

        proxy.refuse()
        proxy.reset()
        await wait_for(events, EventKind.DISCONNECTED)
        print(f"nothing listens: {await failure_of(manager, 'ECHO anybody?')}")
        proxy.accept()
        await wait_for(events, EventKind.CONNECTED)
        print(f"and it is back: {await manager.query_system('dmm', 'ECHO back')}")


async def failure_of(manager, question, timeout=None):
    try:
        await manager.query_system("dmm", question, timeout=timeout)
    except ExternalSystemError as error:
        return f"{error.failure.code}, {error.failure.outcome}"
    raise RuntimeError(f"{question} was answered")


async def wait_for(events, kind):
    async for event in events:
        if event.kind is kind:
            return
    raise RuntimeError("the manager was closed")


if __name__ == "__main__":
    asyncio.run(main())
