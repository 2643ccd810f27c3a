"""Once a manager is over, however that came about, every call says so in the same way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from actors.messages import Outcome
from supervisor import (
    ExternalSystemError,
    ExternalSystemManager,
    GroupSpec,
    SynchronousManager,
    UnavailableError,
)
from tests.helpers.support import QUIET, mock

pytestmark = pytest.mark.usefixtures("nothing_left")

CALLS: dict[str, tuple[tuple[Any, ...], Any]] = {
    "start": ((), None),
    "unregister_system": (("a",), False),
    "connect_all": ((), False),
    "disconnect_all": ((), False),
    "connect_system": (("a",), False),
    "disconnect_system": (("a",), False),
    "send_data_to_system": (("a", 1), False),
    "send_many_to_system": (("a", [1, 2]), [False, False]),
    "receive_data_from_system": (("a",), None),
    "receive_many_from_system": (("a", 5), []),
    "call_command": (("a", "reset"), None),
    "check_health": (("a",), False),
    "restart_system": (("a",), False),
    "status": (("a",), None),
    "status_all": ((), ()),
    "start_child": ((mock("b"),), False),
    "terminate_child": (("a",), False),
    "restart_child": (("a",), False),
    "delete_child": (("a",), False),
    "which_children": ((), ()),
    "count_children": ((), None),
    "get_child_spec": (("a",), None),
    "change_specs": ((GroupSpec("g"),), False),
    "tree": ((), None),
    "stop_supervisor": ((), None),
}
"""What each call is given, and what it gives where a failure is no exception."""


async def closed(manager: ExternalSystemManager) -> str:
    await manager.start()
    await manager.close()
    return "the manager is closed"


async def never_started(manager: ExternalSystemManager) -> str:
    await manager.close()
    return "the manager is closed"


async def stopped(manager: ExternalSystemManager) -> str:
    await manager.stop_supervisor()
    return "the supervisor was stopped"


async def given_up(manager: ExternalSystemManager) -> str:
    await manager.start()
    manager._dialog.session._recovery.give_up("it is gone for good")
    return "it is gone for good"


ENDS = [closed, never_started, stopped, given_up]


@pytest.mark.parametrize("end", ENDS)
def test_every_call_is_unavailable_and_not_sent(
    end: Callable[[ExternalSystemManager], Coroutine[Any, Any, str]],
) -> None:
    async def main() -> None:
        manager = ExternalSystemManager(strict=True, options=QUIET)
        manager.register_system(mock("a"))
        why = await end(manager)
        for name, (arguments, _) in CALLS.items():
            with pytest.raises((UnavailableError, ExceptionGroup)) as raised:
                await getattr(manager, name)(*arguments)
            errors = getattr(raised.value, "exceptions", (raised.value,))
            for error in errors:
                assert isinstance(error, UnavailableError), name
                assert why in error.failure.text, name
                assert error.failure.outcome is Outcome.NOT_SENT, name
        with pytest.raises(UnavailableError, match=why):
            manager.register_system(mock("b"))
        with pytest.raises(UnavailableError, match=why):
            await anext(aiter(manager.data_from()))
        with pytest.raises(UnavailableError, match=why):
            await anext(manager.events(since=0))
        assert [event async for event in manager.events()] == []
        await manager.close()

    asyncio.run(main())


@pytest.mark.parametrize("end", ENDS)
def test_every_call_gives_its_value_and_a_warning(
    end: Callable[[ExternalSystemManager], Coroutine[Any, Any, str]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        manager = ExternalSystemManager(options=QUIET)
        manager.register_system(mock("a"))
        why = await end(manager)
        for name, (arguments, value) in CALLS.items():
            caplog.clear()
            assert await getattr(manager, name)(*arguments) == value, name
            [record] = caplog.records
            assert why in record.getMessage(), name
        assert not manager.register_system(mock("b"))
        assert [item async for item in manager.data_from()] == []
        assert [event async for event in manager.events(since=0)] == []
        assert [event async for event in manager.events()] == []
        async with manager:
            pass

    with caplog.at_level(logging.WARNING, "extsys.manager"):
        asyncio.run(main())


def test_it_is_the_same_for_a_host_without_asyncio() -> None:
    strict, lenient = (SynchronousManager(strict=s, options=QUIET) for s in (True, False))
    for manager in (strict, lenient):
        manager.register_system(mock("a"))
        manager.start()
        manager.close()
    for name, (arguments, value) in CALLS.items():
        with pytest.raises((ExternalSystemError, ExceptionGroup)):
            getattr(strict, name)(*arguments)
        assert getattr(lenient, name)(*arguments) == value, name
    assert list(lenient.events()) == list(lenient.events(since=0)) == []
    assert list(lenient.data_from()) == []
    with pytest.raises(UnavailableError):
        next(iter(strict.data_from()))
    with pytest.raises(UnavailableError):
        next(iter(strict.events(since=0)))


def test_calls_that_wait_for_the_start_when_it_is_closed_say_that_it_is_closed() -> None:
    async def main() -> None:
        manager = ExternalSystemManager(strict=True, options=QUIET)
        manager.register_system(mock("a"))
        calls = [
            asyncio.ensure_future(manager.connect_all()),
            asyncio.ensure_future(manager.send_data_to_system("a", 1)),
            asyncio.ensure_future(manager.start()),
        ]
        await asyncio.sleep(0)
        await manager.close()
        for each in calls:
            with pytest.raises(UnavailableError, match="the manager is closed"):
                await each

    asyncio.run(main())
