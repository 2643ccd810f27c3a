"""Links of one manager: what concerns one system is none of another's business."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from actors.messages import DataSent, FailureCode, Reply, SendData
from supervisor.client.session import Session
from supervisor.client.system_links import SystemLinks
from supervisor.client.ways import Ways


class OnlyRoute:
    """A session whose supervisor answers at once, and knows of no door."""

    over = None

    async def ask(self, request: Any) -> Reply:
        failure: Reply = request.failure(FailureCode.UNAVAILABLE, "no door")
        return failure

    def ask_stream(self, request: Any, on_part: Callable[[Reply], None]) -> None:
        on_part(DataSent(request_id=request.request_id, system_name=request.system_name))


def fail(*_: Any) -> Any:
    raise ZeroDivisionError


@pytest.mark.parametrize("step", ["flush", "tick"])
def test_a_bug_about_one_system_keeps_no_other_from_being_served(
    step: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        links = SystemLinks(cast(Session, OnlyRoute()), lambda _: True, lambda _: None, direct=True)
        bad: Ways = links.prepare("bad")
        setattr(bad, step, fail)
        links.prepare("good")
        bad.next_due = lambda: 0.0
        asked = asyncio.create_task(links.ask(SendData("bad", b"")))
        links._tick()
        assert isinstance(await links.ask(SendData("good", b"")), DataSent)
        asked.cancel()
        links.close("the test is over")

    asyncio.run(main())
    assert any("bad: what" in each.message for each in caplog.records)
