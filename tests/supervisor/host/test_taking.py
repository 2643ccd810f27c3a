"""``manager.take``: what comes from a system stays until its reader is done with it, whatever is
killed."""

import asyncio
import functools
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from supervisor import (
    ExternalSystemManager,
    InvalidRequestError,
    InvalidSpecError,
    SupervisorOptions,
    SynchronousManager,
)
from supervisor.durable.store.errors import NoJournalError
from supervisor.durable.store.files import journal_to_read
from tests.helpers.commands import running
from tests.helpers.programs import ROOT
from tests.helpers.support import PATIENCE, mock

pytestmark = pytest.mark.usefixtures("nothing_left")

PLANT = """
    [supervisor]
    state_dir = "{state}"

    [[system]]
    name = "plc"
    kind = "mock"
    connect = true
    inbox = true
    connection_details = {{echo = true}}
"""
READER = """
import asyncio, sys
from supervisor import ExternalSystemManager

async def main():
    async with ExternalSystemManager.attach(sys.argv[1], strict=True) as manager:
        async with manager.take("plc") as item:
            print(item.data, item.taken, flush=True)
            await asyncio.sleep(1000)

asyncio.run(main())
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def on_a_loop(test):
    @functools.wraps(test)
    def run(*args, **fixtures):
        asyncio.run(test(*args, **fixtures))

    return run


def stored(state):
    try:
        with journal_to_read(str(state)) as reader:
            return [item.data.wrapped() for item in reader.load_received("plc")[0]]
    except NoJournalError:
        return []  # nobody has made it yet


async def until_stored(state, wanted):
    async with asyncio.timeout(PATIENCE):
        while await asyncio.to_thread(stored, state) != wanted:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("direct", [True, False])
@on_a_loop
async def test_an_item_is_acknowledged_by_its_reader(state, direct):
    options = SupervisorOptions(state_dir=str(state))
    async with ExternalSystemManager(strict=True, options=options, direct=direct) as manager:
        manager.register_system(mock("plc", echo=True, options={"inbox": True}))
        async with manager.take("plc", timeout=0.05) as nothing:
            assert nothing is None
        await manager.send_many_to_system("plc", ["one", {"two": 2}, (3,)])
        async with manager.take("plc") as first:
            assert (first.data, first.id, first.taken) == ("one", 1, 0)
            async with manager.take("plc", timeout=PATIENCE) as second:
                assert (second.data, second.id) == ({"two": 2}, 2)

        async def fail():
            async with manager.take("plc", timeout=PATIENCE) as third:
                assert third.data == (3,)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()
        async with manager.take("plc", timeout=PATIENCE) as again:
            assert (again.data, again.id, again.taken) == ((3,), 3, 1)
        assert stored(state) == []


@on_a_loop
async def test_who_is_cancelled_while_waiting_takes_nothing(state):
    options = SupervisorOptions(state_dir=str(state))
    async with ExternalSystemManager(strict=True, options=options) as manager:
        manager.register_system(mock("plc", echo=True, options={"inbox": True}))

        async def take():
            async with manager.take("plc"):
                raise AssertionError("it was cancelled")

        reader = asyncio.create_task(take())
        await asyncio.sleep(0.1)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        await manager.send_data_to_system("plc", "one")
        async with manager.take("plc", timeout=PATIENCE) as item:
            assert item.data == "one"


@on_a_loop
async def test_what_a_killed_reader_had_comes_again(runtime_dir, state):
    runtime_dir.parent.mkdir(exist_ok=True)
    with running(runtime_dir, PLANT.format(state=state)):
        async with ExternalSystemManager.attach(runtime_dir, strict=True) as manager:
            await manager.send_data_to_system("plc", "one")
            run = [sys.executable, "-c", READER, str(runtime_dir)]
            reader = subprocess.Popen(run, cwd=ROOT, stdout=subprocess.PIPE, text=True)
            try:
                assert await asyncio.to_thread(reader.stdout.readline) == "one 0\n"
                async with manager.take("plc", timeout=0.2) as nothing:
                    assert nothing is None
            finally:
                reader.kill()
                reader.communicate()
            async with manager.take("plc", timeout=PATIENCE) as item:
                assert (item.data, item.taken) == ("one", 1)


@on_a_loop
async def test_what_came_is_there_after_everything_was_killed(runtime_dir, state):
    runtime_dir.parent.mkdir(exist_ok=True)
    with running(runtime_dir, PLANT.format(state=state)) as process:
        async with ExternalSystemManager.attach(runtime_dir, strict=True) as manager:
            await manager.send_data_to_system("plc", "one")
        await until_stored(state, ["one"])
        below = [each.pid for each in psutil.Process(process.pid).children(recursive=True)]
        for pid in (*below, process.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        process.wait()
        assert stored(state) == ["one"]
    with running(runtime_dir, PLANT.format(state=state)):
        async with (
            ExternalSystemManager.attach(runtime_dir, strict=True) as manager,
            manager.take("plc", timeout=PATIENCE) as item,
        ):
            assert item.data == "one"


@on_a_loop
async def test_a_killed_supervisor_costs_no_item(state):
    options = SupervisorOptions(state_dir=str(state))
    async with ExternalSystemManager(strict=True, options=options) as manager:
        manager.register_system(mock("plc", echo=True, options={"inbox": True}))
        await manager.send_many_to_system("plc", ["one", "two"])
        await until_stored(state, ["one", "two"])
        async with manager.take("plc", timeout=PATIENCE) as item:
            assert item.data == "one"
            status = await manager.status("plc")
            supervisor = psutil.Process(status.pid).parent()
            supervisor.kill()
            await asyncio.to_thread(supervisor.wait)
            async with asyncio.timeout(PATIENCE):
                while not manager.is_connected("plc"):
                    await asyncio.sleep(0.02)
        async with manager.take("plc", timeout=PATIENCE) as item:
            assert item.data == "two"
        await until_stored(state, [])


def test_a_host_without_asyncio_takes_as_well(state):
    options = SupervisorOptions(state_dir=str(state))
    with SynchronousManager(strict=True, options=options) as manager:
        manager.register_system(mock("plc", echo=True, options={"inbox": True}))
        manager.send_data_to_system("plc", "one")

        def fail():
            with manager.take("plc", timeout=PATIENCE) as item:
                assert item.data == "one"
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        with manager.take("plc", timeout=PATIENCE) as item:
            assert (item.data, item.taken) == ("one", 1)
        assert stored(state) == []


@on_a_loop
async def test_a_system_without_an_inbox_gives_nothing(state):
    options = SupervisorOptions(state_dir=str(state))
    async with ExternalSystemManager(options=options) as manager:
        manager.register_system(mock("plc"))
        async with manager.take("plc") as item:
            assert item is None
    async with ExternalSystemManager(strict=True, options=options) as manager:
        manager.register_system(mock("plc"))
        with pytest.raises(InvalidRequestError, match="set inbox to true"):
            async with manager.take("plc"):
                pass


@on_a_loop
async def test_an_inbox_without_a_state_directory_is_refused():
    async with ExternalSystemManager(strict=True) as manager:
        manager.register_system(mock("plc", options={"inbox": True}))
        with pytest.raises(InvalidSpecError, match="state_dir"):
            await manager.connect_system("plc")
