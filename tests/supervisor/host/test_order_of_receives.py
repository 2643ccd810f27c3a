"""Items come in the order in which their system gave them, whatever receives are cancelled."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from actors import ExternalSystemInterface
from supervisor import ExternalSystemManager
from tests.helpers.support import PATIENCE, QUIET, until_linked

pytestmark = pytest.mark.usefixtures("nothing_left")

ITEMS = 400


class Counter(ExternalSystemInterface):
    """Gives 1, 2, 3..., each after a short while."""

    def __init__(self, system_name: str, connection_details: dict[str, Any]) -> None:
        super().__init__(system_name, connection_details)
        self.last = 0

    async def connect(self) -> bool:
        self.is_connected = True
        return True

    async def disconnect(self) -> bool:
        self.is_connected = False
        return True

    async def send_data(self, data: Any) -> bool:
        return True

    async def receive_data(self) -> int:
        await asyncio.sleep(0.001 * (self.last % 3))
        self.last += 1
        return self.last


@pytest.mark.parametrize("direct", [True, False])
def test_a_cancelled_receive_changes_no_order(direct: bool) -> None:
    chance = random.Random(6)

    async def main() -> list[Any]:
        got: list[Any] = []
        async with ExternalSystemManager(strict=True, options=QUIET, direct=direct) as manager:
            manager.register_system(Counter("c", {}))
            await manager.connect_all()
            await until_linked(manager)
            async with asyncio.timeout(PATIENCE):
                while len(got) < ITEMS:
                    receive = asyncio.ensure_future(manager.receive_data_from_system("c", 10.0))
                    await asyncio.wait([receive], timeout=0.004 * chance.random())
                    receive.cancel()
                    try:
                        got.append(await receive)
                    except asyncio.CancelledError:
                        continue
        return got

    assert asyncio.run(main()) == list(range(1, ITEMS + 1))
