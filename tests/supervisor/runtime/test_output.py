"""What real processes say, and that it is heard, whatever becomes of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from supervisor import ExternalSystemManager, SystemSpec
from supervisor.errors import ExternalSystemError
from supervisor.messages import OutputLine, SystemState
from tests.helpers.processes import parts_of
from tests.helpers.shared import with_shared_manager
from tests.helpers.support import (
    PATIENCE,
    mock,
    pid_of,
    status_of,
    until,
    until_state,
    with_manager,
)

pytestmark = pytest.mark.usefixtures("shared_runtime")


def talker(**details: Any) -> SystemSpec:
    return SystemSpec("talker", "tests.helpers.talking:Talking", details, connect=True)


async def until_said(
    manager: ExternalSystemManager, text: str, name: str = "talker"
) -> tuple[OutputLine, ...]:
    """Wait, with a cap, until a system has said this; all that it has said."""
    lines: tuple[OutputLine, ...] = ()

    async def there() -> bool:
        nonlocal lines
        lines = await manager.logs(name, 1000)
        return any(text in line.text for line in lines)

    await until(there)
    return lines


def test_all_that_a_process_says_is_kept_as_what_it_is() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        await manager.call_command("talker", "log", logging.INFO, "a record")
        await manager.call_command("talker", "log", logging.DEBUG, "too little")
        await manager.call_command("talker", "out", "printed")
        await manager.call_command("talker", "err", "to stderr")
        await manager.call_command("talker", "run", "sh", "-c", "echo a program; echo its err >&2")
        await manager.call_command("talker", "raw", b"\xff\x00junk\n")
        lines = await until_said(manager, "junk")
        assert [(line.source, line.level, line.logger, line.text) for line in lines] == [
            ("stdout", logging.INFO, "", "hello"),
            ("logging", logging.INFO, "talking", "a record"),
            ("stdout", logging.INFO, "", "printed"),
            *(("stderr", logging.WARNING, "", text) for text in ("to stderr", "a program")),
            *(("stderr", logging.WARNING, "", text) for text in ("its err", r"\xff\x00junk")),
        ]
        assert {(line.system_name, line.incarnation) for line in lines} == {("talker", 1)}

    with_shared_manager(work, talker(hello="hello"))


@pytest.mark.parametrize("how", ["exit", "raise", "segfault"])
def test_a_crash_report_has_the_last_words_also_half_a_line(how: str) -> None:
    async def work(manager: ExternalSystemManager) -> None:
        await manager.call_command("talker", "out", "before")
        with pytest.raises(ExternalSystemError):
            await manager.call_command("talker", "die", b"malloc(): corr", how)
        status = await until_state(manager, "talker", SystemState.CONNECTED, incarnation=2)
        [report] = status.crashes
        assert report.last_lines[0] == "before"
        assert report.last_lines[1].startswith("malloc(): corr")
        if how == "segfault":
            assert "Fatal Python error: Segmentation fault" in report.last_lines[1]
            assert any("in die" in line for line in report.last_lines)
            assert report.signal == "SIGSEGV"
        # What its next incarnation says follows that of the last.
        await manager.call_command("talker", "out", "after")
        lines = await until_said(manager, "after")
        assert {line.incarnation for line in lines} == {1, 2}

    with_shared_manager(work, talker())


def test_a_process_that_cannot_stop_talking_harms_nobody() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        flood = asyncio.ensure_future(manager.call_command("talker", "flood", 200))
        for n in range(20):
            await manager.send_data_to_system("other", n)
            assert await manager.receive_data_from_system("other", 10.0) == n
        await flood
        lines = await until_said(manager, "more than this system may say")
        assert len(lines) <= 1000
        assert (await status_of(manager, "talker")).incarnation == 1

    with_shared_manager(work, talker(), mock("other", echo=True))


def test_what_a_system_has_left_running_holds_up_nothing() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        await manager.call_command("talker", "leave", "sh", "-c", "while :; do echo here; done")
        await until_said(manager, "here")
        with pytest.raises(ExternalSystemError):
            await manager.call_command("talker", "die", b"gone\n")
        await until_state(manager, "talker", SystemState.CONNECTED, incarnation=2)
        await manager.call_command("talker", "out", "next")
        await until_said(manager, "next")

    with_shared_manager(work, talker())


@pytest.mark.parametrize("part", ["scribe", "supervisor"])
def test_a_killed_process_of_the_runtime_costs_no_line_of_those_after_it(part: str) -> None:
    async def work(manager: ExternalSystemManager) -> None:
        follower = manager.logs_from("talker")
        taking = asyncio.ensure_future(anext(follower))
        await manager.call_command("talker", "out", "first")
        assert (await asyncio.wait_for(taking, PATIENCE)).text == "first"
        before = await pid_of(manager, "talker")
        parts_of(manager)[part].kill()
        if part == "supervisor":

            async def another() -> bool:
                with suppress(ExternalSystemError):  # it was killed over it
                    status = await status_of(manager, "talker")
                    return status.pid not in (None, before) and status.is_connected
                return False

            await until(another)
        await manager.call_command("talker", "out", "second")
        async with asyncio.timeout(PATIENCE):
            async for line in follower:
                if line.text == "second":
                    break
        await follower.aclose()

    with_manager(work, talker())


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    """What a host that has set up its logging gets of systems."""
    found: list[logging.LogRecord] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record)

    logger, handler = logging.getLogger("extsys.system"), Handler()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield found
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def test_an_embedding_host_has_it_in_its_own_logging(records: list[logging.LogRecord]) -> None:
    async def work(manager: ExternalSystemManager) -> None:
        await manager.call_command("talker", "log", logging.ERROR, "a record")
        await manager.call_command("talker", "out", "printed")

        async def there() -> bool:
            return len(records) >= 2

        await until(there)

    with_manager(work, talker())
    assert [(each.name, each.levelname, each.getMessage()) for each in records] == [
        ("extsys.system.talker", "ERROR", "talker[1]: talking: a record"),
        ("extsys.system.talker", "INFO", "talker[1]: printed"),
    ]
