"""Several connections to one system: slow questions are asked beside each other.

The server is really there, behind a TCP port of this machine. It answers a question only when four
are out, which one connection could not do: there each question waits for the answer before it.
One connection that breaks costs nobody the system, and a pool that is too small says so.

Prints::

    connected with 1 connection
    four questions at once: 1, 2, 3, 4
    now there are 4 connections
    one breaks, connected: True, lost: 1
    and it goes on: 5, 6, 7, 8
    one too many: overloaded, not_sent
    the four were not disturbed: 9, 10, 11, 12
"""

import asyncio

from actors import Policy, PoolPolicy
from supervisor import ExternalSystemManager, OverloadedError, SupervisorOptions, SystemSpec


class SlowServer:
    """Answers when as many questions are out as are asked together."""

    def __init__(self):
        self.together = 4
        self.connections = []
        self.waiting = []

    async def serve(self, reader, writer):
        self.connections.append(writer)
        while line := await reader.readline():
            self.waiting.append((writer, line))
            if len(self.waiting) == self.together:
                self.answer()
        self.connections.remove(writer)
        writer.close()

    def answer(self):
        for writer, question in self.waiting:
            writer.write(question.removeprefix(b"question "))
        self.waiting.clear()


async def until(condition):
    while not condition():
        await asyncio.sleep(0.05)


async def ask(manager, *numbers):
    answers = await asyncio.gather(
        *(manager.query_system("clerk", f"question {number}") for number in numbers)
    )
    return ", ".join(answers)


async def main():
    slow = SlowServer()
    server = await asyncio.start_server(slow.serve, "127.0.0.1", 0)
    details = {"host": "127.0.0.1", "port": server.sockets[0].getsockname()[1]}
    policy = Policy(pool=PoolPolicy(size=4, max_idle=60.0, overflow_wait=0.5))
    options = SupervisorOptions(log_level="critical")
    async with server, ExternalSystemManager(strict=True, options=options) as manager:
        manager.register_system(SystemSpec("clerk", "tcp", details, policy=policy))
        await manager.connect_all()
        await until(lambda: slow.connections)
        print(f"connected with {len(slow.connections)} connection")
        print(f"four questions at once: {await ask(manager, 1, 2, 3, 4)}")
        print(f"now there are {len(slow.connections)} connections")

        slow.connections[0].transport.abort()
        while not (status := await manager.status("clerk")).pool.lost:
            await asyncio.sleep(0.05)
        print(f"one breaks, connected: {status.is_connected}, lost: {status.pool.lost}")
        print(f"and it goes on: {await ask(manager, 5, 6, 7, 8)}")

        slow.together = 5
        four = asyncio.create_task(ask(manager, 9, 10, 11, 12))
        await until(lambda: len(slow.waiting) == 4)
        try:
            await manager.query_system("clerk", "one too many")
        except OverloadedError as error:
            print(f"one too many: {error.failure.code}, {error.failure.outcome}")
        slow.answer()
        print(f"the four were not disturbed: {await four}")


if __name__ == "__main__":
    asyncio.run(main())
