"""A system that is asked, for tests of questions: it answers by itself, or when a test says so."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from actors import ExternalSystemInterface, NoAnswerError
from actors.messages import DataReceived, Failure, QueryAnswered
from tests.helpers.bench import Bench

FOREVER = 3600.0


class Instrument(ExternalSystemInterface):
    """Answers what it is asked, when a test says so; ``log`` has what was done to it."""

    quiet_time = 0.0

    def __init__(self) -> None:
        super().__init__("plc", {})
        self.is_connected = True
        self.log: list[Any] = []
        self.came: asyncio.Queue[Any] = asyncio.Queue()
        self.by_itself = True
        self.on_send: Any = None

    async def connect(self) -> bool:
        self.log.append("connect")
        self.is_connected = True
        return True

    async def disconnect(self) -> bool:
        self.log.append("disconnect")
        self.is_connected = False
        return True

    async def send_data(self, data: Any) -> bool:
        self.log.append(data)
        if self.on_send is not None:
            result = self.on_send(data)
            if isinstance(result, BaseException):
                raise result
            if result is not None:
                return bool(result)
        if self.by_itself and str(data).endswith("?"):
            self.came.put_nowait(f"answer to {data}")
        return True

    async def receive_data(self) -> Any:
        item = await self.came.get()
        if isinstance(item, BaseException):
            raise item
        return item


class Numbered(Instrument):
    """Sees from its number which question an item answers."""

    def answers(self, question: Any, item: Any) -> bool:
        return str(item).split(":")[0] == str(question).split(":")[0]


class Multiplexed(Instrument):
    """Has many questions under way, and answers them in any order."""

    concurrent_queries = True

    def __init__(self) -> None:
        super().__init__()
        self.asked: deque[tuple[Any, asyncio.Future[Any]]] = deque()

    async def query_data(self, data: Any, timeout: float) -> Any:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.asked.append((data, future))
        try:
            async with asyncio.timeout(timeout):
                return await future
        except TimeoutError:
            raise NoAnswerError(f"no answer to {data} within {timeout:g} s") from None


async def answer(bench: Bench, ref: int) -> Any:
    reply = await bench.answer(ref)
    return reply.load() if isinstance(reply, QueryAnswered | DataReceived) else reply


def failed(reply: Any) -> tuple[Any, Any]:
    assert isinstance(reply, Failure)
    return reply.code, reply.outcome


def silent(kind: type[Instrument] = Instrument) -> Bench:
    """A bench with one that answers nothing by itself."""
    system = kind()
    system.by_itself = False
    return Bench(system)
