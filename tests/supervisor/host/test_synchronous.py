"""The manager for hosts without asyncio."""

from __future__ import annotations

import textwrap
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import pytest

from supervisor import NotConnectedError, SynchronousManager, UnavailableError
from supervisor.messages import EventKind
from tests.helpers.programs import run_program
from tests.helpers.support import PATIENCE, QUIET, mock

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.fixture
def manager(nothing_left: None) -> Iterator[SynchronousManager]:
    with SynchronousManager(strict=True, options=QUIET) as made:
        yield made


def test_every_method_does_what_the_managers_does(manager: SynchronousManager) -> None:
    assert manager.register_system(mock("a", echo=True, connect=False))
    assert manager.connect_system("a")
    assert manager.is_connected("a")
    assert manager.send_data_to_system("a", 1)
    assert manager.send_many_to_system("a", [2, 3]) == [True, True]
    assert manager.receive_data_from_system("a", timeout=5.0) == 1
    assert manager.receive_many_from_system("a", 2, timeout=5.0) == [2, 3]
    assert manager.call_command("a", "sent_count") == 3
    assert manager.check_health("a")
    assert manager.restart_system("a")
    status = manager.status("a")
    assert status is not None
    assert status.incarnation == 2
    assert [each.name for each in manager.status_all()] == ["a"]
    assert manager.connect_all()
    assert manager.disconnect_system("a")
    assert manager.disconnect_all()
    with pytest.raises(NotConnectedError):
        manager.send_data_to_system("a", 1)
    assert manager.unregister_system("a")


def test_many_threads_may_call_at_once(manager: SynchronousManager) -> None:
    manager.register_system(mock("a", echo=True))
    with ThreadPoolExecutor(10) as pool:
        sent = pool.map(lambda number: manager.send_data_to_system("a", number), range(100))
        assert all(sent)
    assert sorted(manager.receive_many_from_system("a", 100, 1.0)) == list(range(100))


def test_a_waiting_receive_blocks_only_its_own_thread(manager: SynchronousManager) -> None:
    manager.register_system(mock("a"))
    with ThreadPoolExecutor(1) as pool:
        receive = pool.submit(manager.receive_data_from_system, "a", 300.0)
        assert manager.send_data_to_system("a", 1)
        assert not receive.done()
        manager.call_command("a", "mock_incoming_data", "at last")
        assert receive.result(PATIENCE) == "at last"


def test_events_from_the_call_on_can_be_iterated_over(manager: SynchronousManager) -> None:
    events = manager.events()
    manager.register_system(mock("a"))
    manager.connect_all()
    kinds = []
    while not kinds or kinds[-1] is not EventKind.CONNECTED:
        kinds.append(next(events).kind)
    assert [kind.value for kind in kinds] == [
        *("registered", "starting", "started", "connecting", "connected")
    ]


def test_data_can_be_iterated_over(manager: SynchronousManager) -> None:
    manager.register_system(mock("a", echo=True))
    manager.send_many_to_system("a", ["one", "two"])
    data = manager.data_from("a")
    assert [next(data), next(data)] == [("a", "one"), ("a", "two")]


def test_after_close_calls_say_so_and_no_thread_is_left() -> None:
    manager = SynchronousManager(strict=True, options=QUIET)
    manager.register_system(mock("a"))
    manager.connect_all()
    manager.close()
    manager.close()
    with pytest.raises(UnavailableError, match="closed"):
        manager.send_data_to_system("a", 1)
    assert "extsys-manager" not in [thread.name for thread in threading.enumerate()]


def test_a_program_that_never_closes_ends_cleanly() -> None:
    program = """
        from supervisor import SynchronousManager, SystemSpec

        manager = SynchronousManager()
        manager.register_system(SystemSpec("a", "mock", {"echo": True}))
        print(manager.connect_all())
    """
    ended = run_program(["-c", textwrap.dedent(program)])
    assert (ended.code, ended.stdout, ended.stderr) == (0, "True\n", "")
    assert (ended.leftover_files, ended.leftover_processes) == ([], [])


def test_many_threads_may_close_it() -> None:
    for _ in range(50):
        manager = SynchronousManager(strict=True, options=QUIET)
        closed: SimpleQueue[bool] = SimpleQueue()

        def close(manager: SynchronousManager, closed: SimpleQueue[bool]) -> None:
            manager.close()
            closed.put(True)

        # Not joined at the end of the process: one that hangs shall fail the test, no more.
        for _ in range(4):
            threading.Thread(target=close, args=(manager, closed), daemon=True).start()
        assert [closed.get(timeout=PATIENCE) for _ in range(4)]


def test_a_close_ends_what_other_threads_wait_for() -> None:
    manager = SynchronousManager(options=QUIET)
    manager.register_system(mock("a", connect=True))
    manager.connect_all()
    events = manager.events()
    with ThreadPoolExecutor() as threads:
        receiving = threads.submit(manager.receive_data_from_system, "a", 60)
        gathering = threads.submit(lambda: list(events))
        manager.close()
        assert receiving.result(PATIENCE) is None
        gathering.result(PATIENCE)
