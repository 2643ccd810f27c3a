"""A cache, as a host sees it."""

from __future__ import annotations

import asyncio

import pytest

from actors import CachePolicy, MockExternalSystem, Policy, command
from supervisor import ExternalSystemManager, SystemSpec
from tests.helpers.shared import with_shared_manager
from tests.helpers.support import status_of, until

pytestmark = pytest.mark.usefixtures("shared_runtime")

CACHED = Policy(cache=CachePolicy(ttl=3600.0))


class Meter(MockExternalSystem):
    """Each reading is one more than the last."""

    count = 0

    @command(cacheable=True)
    async def reading(self, of: str = "volt") -> int:
        await asyncio.sleep(0.05)
        self.count += 1
        return self.count

    @command
    async def forget(self) -> None:
        self.invalidate_cache("reading")


@pytest.mark.parametrize("is_direct", [True, False])
def test_a_question_is_asked_once_and_its_answer_given_again(is_direct: bool) -> None:
    async def work(manager: ExternalSystemManager) -> None:
        manager._dialog.links.is_direct = is_direct
        spec = SystemSpec.of(Meter("meter", {}), connect=True, policy=CACHED)
        assert manager.register_system(spec)
        await manager.connect_all()
        at_once = [manager.call_command("meter", "reading") for _ in range(10)]
        assert await asyncio.gather(*at_once) == [1] * 10
        assert await manager.call_command("meter", "reading", of="amp") == 2
        assert await manager.call_command("meter", "reading") == 1
        assert await manager.invalidate_cache("meter") == 2
        assert await manager.call_command("meter", "reading") == 3
        await manager.call_command("meter", "forget")
        assert await manager.call_command("meter", "reading") == 4
        await manager.send_data_to_system("meter", "something")
        assert await manager.call_command("meter", "reading") == 5

        async def counted() -> bool:
            cache = (await status_of(manager, "meter")).cache
            return cache is not None and (cache.hits, cache.misses, cache.answers) == (10, 5, 1)

        await until(counted)

    with_shared_manager(work)


def test_a_system_without_a_cache_forgets_nothing() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        assert await manager.invalidate_cache("meter") == 0
        assert (await status_of(manager, "meter")).cache is None

    with_shared_manager(work, SystemSpec("meter", "mock"))
