"""Items that come twice, as a host sees it."""

from __future__ import annotations

import pytest

from actors import Deduplication, MockExternalSystem, Policy
from supervisor import ExternalSystemManager, SystemSpec
from tests.helpers.shared import with_shared_manager
from tests.helpers.support import status_of, until

pytestmark = pytest.mark.usefixtures("shared_runtime")


def test_what_comes_twice_is_received_once_and_counted() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        for number in (1, 2, 1, 2, 3):
            item = {"id": number}
            await manager.call_command("sensor", "mock_incoming_data", item)
        got = await manager.receive_many_from_system("sensor", 10, 5.0)
        assert got == [{"id": 1}, {"id": 2}, {"id": 3}]

        async def counted() -> bool:
            return (await status_of(manager, "sensor")).dropped == 2

        await until(counted)

    once = Policy(deduplicate=Deduplication(key="id", window="1h"))
    sensor = SystemSpec.of(MockExternalSystem("sensor", {}), connect=True, policy=once)
    with_shared_manager(work, sensor)


def test_a_function_that_is_not_there_is_told_when_the_system_starts() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        wrong = Policy(deduplicate=Deduplication(key="no_such_module:key", window=1))
        assert manager.register_system(SystemSpec("sensor", "mock", policy=wrong))
        with pytest.raises(
            Exception, match=r"deduplicate\.key 'no_such_module:key' cannot be found"
        ):
            await manager.start()

    with_shared_manager(work)
