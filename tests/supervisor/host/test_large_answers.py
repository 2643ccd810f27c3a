"""What is too long is its own caller's failure, on both ways, and nobody is hung up on."""

from __future__ import annotations

import asyncio
from typing import Any

import attrs
import pytest

from actors import MockExternalSystem, command
from supervisor import ConnectorFailedError, ExternalSystemManager, InvalidRequestError
from tests.helpers.support import QUIET, mock, until_linked

pytestmark = pytest.mark.usefixtures("nothing_left")

LIMIT = 1 << 20
SMALL = attrs.evolve(QUIET, max_payload_bytes=LIMIT)


class Large(MockExternalSystem):
    """Gives as much as it is asked for."""

    @command
    async def give(self, size: int) -> bytes:
        return bytes(size)

    @command
    async def swallow(self, data: bytes) -> int:
        return len(data)

    @command
    async def fail(self, size: int) -> None:
        raise ConnectionError("x" * size)


async def others(manager: ExternalSystemManager, over: asyncio.Event) -> None:
    while not over.is_set():
        assert await manager.send_data_to_system("other", "x")
        await asyncio.sleep(0)


@pytest.mark.parametrize("direct", [True, False])
def test_neither_a_large_answer_nor_a_large_request_costs_anybody_else(direct: bool) -> None:
    async def ask(manager: ExternalSystemManager) -> None:
        supervisor, over = manager.supervisor_pid, asyncio.Event()
        busy = asyncio.ensure_future(others(manager, over))
        assert len(await manager.call_command("large", "give", LIMIT // 2)) == LIMIT // 2
        calls: list[tuple[str, Any, type[Exception], str]] = [
            ("give", 5 * LIMIT, ConnectorFailedError, "max_payload_bytes"),
            ("fail", 5 * LIMIT, ConnectorFailedError, "characters left out"),
            ("swallow", bytes(2 * LIMIT), InvalidRequestError, "max_payload_bytes"),
            ("swallow", bytes(80 * LIMIT), InvalidRequestError, "cannot be sent"),
        ]
        for name, argument, error, text in calls:
            with pytest.raises(error, match=text) as raised:
                await manager.call_command("large", name, argument)
            assert len(str(raised.value)) < 3000
        over.set()
        await busy
        assert manager.supervisor_pid == supervisor
        assert manager.ended is None

    async def main() -> None:
        async with ExternalSystemManager(strict=True, options=SMALL, direct=direct) as manager:
            manager.register_system(Large("large", {}))
            manager.register_system(mock("other"))
            await manager.connect_all()
            await until_linked(manager)
            await ask(manager)

    asyncio.run(main())
