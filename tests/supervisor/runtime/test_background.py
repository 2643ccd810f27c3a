"""What dies in the background of a real connector."""

from __future__ import annotations

from contextlib import suppress

import pytest

from supervisor import ExternalSystemManager, SystemCrashedError, SystemSpec
from supervisor.messages import SystemState
from tests.helpers.shared import with_shared_manager
from tests.helpers.support import until_state

pytestmark = pytest.mark.usefixtures("way", "shared_runtime")


@pytest.mark.parametrize(
    ("command", "cause"),
    [("fail_in_background", "the reader died"), ("fail_in_a_thread", "the thread died")],
)
def test_it_is_a_crash_like_any_other(command: str, cause: str) -> None:
    spec = SystemSpec("plc", "tests.helpers.connectors:WithTrouble", connect=True)

    async def work(manager: ExternalSystemManager) -> None:
        with suppress(SystemCrashedError):  # a thread may be quicker than the answer
            await manager.call_command("plc", command)
        status = await until_state(manager, "plc", SystemState.CONNECTED, incarnation=2)
        [report] = status.crashes
        assert report.reason.kind == "ValueError"
        assert report.reason.text == f"ValueError: {cause}"
        assert "in read" in report.reason.traceback

    with_shared_manager(work, spec)
