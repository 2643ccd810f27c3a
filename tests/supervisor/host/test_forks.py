"""A fork of a host has copies of its managers, which are not its to use."""

from __future__ import annotations

import textwrap
import threading

import pytest

from supervisor import SynchronousManager, SystemSpec
from tests.helpers.programs import Finished, run_program
from tests.helpers.support import QUIET

pytestmark = pytest.mark.process

BEGINNING = """
import asyncio, os, sys, traceback
from supervisor import ExternalSystemManager, SynchronousManager, SystemSpec

SPEC = SystemSpec("a", "mock", {"echo": True}, connect=True)

def in_fork(life):
    "Run something in a fork; its exit code is 0 if that comes back."
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            life()
            code = 0
        except SystemExit as error:
            code = error.code
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

def refused(call):
    try:
        call()
    except RuntimeError as error:
        assert "cannot be used in a fork of its process" in str(error), error
        assert "make one in each process" in str(error)
    else:
        raise AssertionError("it was not refused")
"""


def run(text: str) -> Finished:
    done = run_program(["-c", BEGINNING + textwrap.dedent(text)])
    assert (done.code, done.stderr) == (0, ""), done.stderr
    assert (done.leftover_files, done.leftover_processes) == ([], [])
    return done


def test_every_call_of_a_synchronous_manager_is_refused_at_once() -> None:
    run("""
        manager = SynchronousManager()
        manager.register_system(SPEC)
        assert manager.connect_all()
        held = manager.data_from("a")

        def life():
            calls = {
                "register_system": (SPEC,), "send_data_to_system": ("a", 1), "start": (),
                "receive_data_from_system": ("a",), "is_connected": ("a",), "events": (),
                "status": ("a",), "connect_all": (), "close": (), "stop_supervisor": (),
            }
            for name, args in calls.items():
                refused(lambda: getattr(manager, name)(*args))
            refused(lambda: next(held))
        in_fork(life)
        assert manager.send_data_to_system("a", 1)
        manager.close()
    """)


def test_one_that_was_never_used_is_refused_as_well() -> None:
    run("""
        manager = SynchronousManager()
        in_fork(lambda: refused(manager.connect_all))
        manager.close()
    """)


def test_a_fork_in_a_with_block_ends_no_runtime() -> None:
    run("""
        with SynchronousManager() as manager:
            manager.register_system(SPEC)
            assert manager.connect_all()
            pid = os.fork()
            if pid == 0:
                sys.exit(7)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
            assert manager.send_data_to_system("a", 1)
    """)


def test_a_fork_makes_a_manager_of_its_own() -> None:
    run("""
        manager = SynchronousManager()
        manager.register_system(SPEC)
        assert manager.connect_all()

        def life():
            with SynchronousManager() as own:
                own.register_system(SPEC)
                assert own.connect_all()
                assert own.send_data_to_system("a", 2)
        in_fork(life)
        assert manager.receive_data_from_system("a", 0.0) is None
        manager.close()
    """)


def test_a_manager_that_is_in_use_is_refused_in_a_fork() -> None:
    run("""
        async def main(manager):
            manager.register_system(SPEC)
            assert await manager.connect_all()

            def life():
                refused(lambda: manager.register_system(SPEC))
                refused(lambda: manager.is_connected("a"))
                for make in (
                    lambda: manager.send_data_to_system("a", 1),
                    lambda: manager.close(),
                    lambda: manager.stop_supervisor(),
                    lambda: manager.connect_all(),
                ):
                    call = make()
                    refused(lambda: call.send(None))
            in_fork(life)
            assert await manager.send_data_to_system("a", 1)

        async def whole():
            async with ExternalSystemManager() as manager:
                await main(manager)
        asyncio.run(whole())
    """)


def test_a_fork_that_leaves_by_all_blocks_ends_no_runtime() -> None:
    run("""
        async def main():
            async with ExternalSystemManager() as manager:
                manager.register_system(SPEC)
                assert await manager.connect_all()
                pid = os.fork()
                if pid == 0:
                    try:
                        await manager.__aexit__(None, None, None)
                    finally:
                        os._exit(7)
                assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
                assert await manager.send_data_to_system("a", 1)
        asyncio.run(main())
    """)


def test_a_manager_made_before_the_fork_and_first_used_in_it_works() -> None:
    run("""
        manager = ExternalSystemManager()
        manager.register_system(SPEC)

        async def main():
            async with manager:
                assert await manager.connect_all()
        in_fork(lambda: asyncio.run(main()))
    """)


def test_no_registration_of_many_threads_is_lost() -> None:
    """Whatever the loop is doing at that moment with those before."""
    count = 60

    def register(numbers: range) -> None:
        for number in numbers:
            assert manager.register_system(SystemSpec(f"s{number}", "mock"))
            if number % 7 == 0:
                manager.start()

    with SynchronousManager(strict=True, options=QUIET) as manager:
        parts = [range(first, count, 3) for first in range(3)]
        threads = [threading.Thread(target=register, args=(part,)) for part in parts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {each.name for each in manager.status_all()} == {f"s{n}" for n in range(count)}
