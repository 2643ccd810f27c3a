"""What is told of real crashes of real processes."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

import pytest

from supervisor import ExternalSystemManager
from supervisor.errors import ExternalSystemError
from supervisor.messages import EventKind, SystemState
from supervisor.messages.crashes import CrashReport
from supervisor.views.status import status_as_text
from tests.helpers.doomed import Doomed
from tests.helpers.shared import with_shared_manager
from tests.helpers.support import PATIENCE, pid_of, until_state

pytestmark = pytest.mark.usefixtures("way", "shared_runtime")


def report_of(data: str, kill: Callable[[int], None] | None = None) -> CrashReport:
    """The report of the crash that this data causes, the same in the event and the status."""

    async def work(manager: ExternalSystemManager) -> CrashReport:
        await manager.connect_system("doomed")
        events = manager.events()
        send = asyncio.ensure_future(manager.send_data_to_system("doomed", data))
        if kill is not None:
            async with asyncio.timeout(PATIENCE):
                while not await manager.call_command("doomed", "is_sending"):
                    await asyncio.sleep(0.01)
            kill(await pid_of(manager, "doomed"))
        with pytest.raises(ExternalSystemError):
            await send
        async with asyncio.timeout(PATIENCE):
            async for event in events:
                if event.kind is EventKind.CRASHED:
                    break
        status = await until_state(manager, "doomed", SystemState.CONNECTED, incarnation=2)
        assert event.report is not None
        assert status.crashes == (event.report,)
        assert status.last_crash == event.report.reason == event.reason
        text = status_as_text(status)
        assert event.report.one_line in text.splitlines()[-1]
        assert "SendData" in text.splitlines()[-1]
        return event.report

    report = with_shared_manager(work, Doomed("doomed", {}))
    assert report.incarnation == 1
    assert 0 < report.uptime < 60
    assert report.in_progress == "SendData"
    return report


def test_an_exception_is_reported_with_its_traceback() -> None:
    report = report_of("raise")
    assert report.reason.kind == "ZeroDivisionError"
    assert "in send_data" in report.reason.traceback
    assert (report.exit_code, report.signal, report.out_of_memory) == (None, None, False)


def test_an_exit_is_reported_with_its_code() -> None:
    report = report_of("exit")
    assert (report.exit_code, report.signal, report.out_of_memory) == (3, None, False)


def test_a_segfault_is_reported_by_the_name_of_its_signal() -> None:
    report = report_of("segfault")
    assert (report.exit_code, report.signal, report.out_of_memory) == (None, "SIGSEGV", False)


def test_a_kill_by_somebody_is_not_taken_for_want_of_memory() -> None:
    report = report_of("wait", lambda pid: os.kill(pid, signal.SIGKILL))
    assert (report.exit_code, report.signal) == (None, "SIGKILL")
    assert not report.out_of_memory
