"""The asyncio manager, on real runtimes."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest

from actors import MockExternalSystem, command
from actors.messages import Outcome
from supervisor import (
    ExternalSystemManager,
    InvalidRequestError,
    SystemSpec,
)
from supervisor.messages import EventKind, SystemState
from tests.helpers.shared import with_shared_manager
from tests.helpers.support import (
    mock,
    status_of,
    until,
)

pytestmark = pytest.mark.usefixtures("shared_runtime")
BOTH_WAYS = pytest.mark.usefixtures("way")


@BOTH_WAYS
def test_a_system_is_connected_sent_to_received_from_and_disconnected() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        assert await manager.connect_all()
        assert manager.is_connected("a")
        assert await manager.send_data_to_system("a", {"speed": 3})
        assert await manager.receive_data_from_system("a") == {"speed": 3}
        assert await manager.receive_data_from_system("a") is None
        assert await manager.disconnect_all()
        assert not manager.is_connected("a")

    with_shared_manager(work, mock("a", echo=True, connect=False))


def test_connecting_and_disconnecting_work_for_one_system_alone() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        assert await manager.connect_system("a")
        assert (manager.is_connected("a"), manager.is_connected("b")) == (True, False)
        assert await manager.disconnect_system("a")
        assert (await status_of(manager, "a")).state is SystemState.DISCONNECTED

    with_shared_manager(work, mock("a", connect=False), mock("b", connect=False))


def test_connect_all_of_no_system_is_done_at_once() -> None:
    async def work(manager: ExternalSystemManager) -> bool:
        return await manager.connect_all() and await manager.disconnect_all()

    assert with_shared_manager(work)


@BOTH_WAYS
def test_sends_of_one_task_keep_their_order() -> None:
    async def work(manager: ExternalSystemManager) -> list[Any]:
        for number in range(5):
            await manager.send_data_to_system("a", number)
        assert all(await manager.send_many_to_system("a", range(5, 200)))
        return await manager.receive_many_from_system("a", 200, 1.0)

    assert with_shared_manager(work, mock("a", echo=True)) == list(range(200))


@BOTH_WAYS
def test_sends_of_a_thousand_tasks_all_arrive_once() -> None:
    async def work(manager: ExternalSystemManager) -> list[Any]:
        sends = (manager.send_data_to_system("a", number) for number in range(1000))
        assert all(await asyncio.gather(*sends))
        return await manager.receive_many_from_system("a", 1000, 1.0)

    assert sorted(with_shared_manager(work, mock("a", echo=True))) == list(range(1000))


@BOTH_WAYS
def test_a_command_asked_after_a_send_does_not_overtake_it() -> None:
    async def work(manager: ExternalSystemManager) -> Any:
        send = asyncio.ensure_future(manager.send_data_to_system("a", "first"))
        await asyncio.sleep(0)
        items = await manager.call_command("a", "sent_items")
        await send
        return items

    assert with_shared_manager(work, mock("a")) == ["first"]


@BOTH_WAYS
def test_a_slow_system_does_not_hold_up_another() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        await manager.call_command("slow", "inject_fault", "send", "delay", seconds=300.0)
        slow = asyncio.ensure_future(manager.send_data_to_system("slow", 1))
        for number in range(20):
            assert await manager.send_data_to_system("fast", number)
        assert not slow.done()
        slow.cancel()

    with_shared_manager(work, mock("slow", options={"shutdown": 0.2}), mock("fast"))


@BOTH_WAYS
def test_a_waiting_receive_holds_up_neither_sends_nor_status_nor_a_disconnect() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        receive = asyncio.ensure_future(manager.receive_data_from_system("a", timeout=300.0))
        assert await manager.send_data_to_system("a", 1)
        assert (await status_of(manager, "a")).waiting == 1
        assert await manager.check_health("a")
        assert await manager.disconnect_system("a")
        with pytest.raises(Exception, match="disconnected while waiting"):
            await receive

    with_shared_manager(work, mock("a"))


@BOTH_WAYS
def test_a_cancelled_receive_takes_nothing() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        receive = asyncio.ensure_future(manager.receive_data_from_system("a", timeout=300.0))

        async def waits() -> bool:
            return (await status_of(manager, "a")).waiting == 1

        await until(waits)
        receive.cancel()
        await manager.call_command("a", "mock_incoming_data", "precious")
        assert await manager.receive_data_from_system("a", timeout=5.0) == "precious"

    with_shared_manager(work, mock("a"))


@BOTH_WAYS
def test_no_item_is_lost_however_receives_are_cancelled() -> None:
    async def work(manager: ExternalSystemManager) -> list[Any]:
        items: list[Any] = []

        async def receive() -> None:
            item = await manager.receive_data_from_system("a", timeout=0.0)
            if item is not None:
                items.append(item)

        for number in range(60):
            await manager.send_data_to_system("a", number)
            task = asyncio.ensure_future(receive())
            for _ in range(number % 6):
                await asyncio.sleep(0.0005)
            task.cancel()
            await asyncio.wait({task})
        while len(items) < 60:
            item = await manager.receive_data_from_system("a", timeout=5.0)
            assert item is not None, f"lost {set(range(60)) - set(items)}"
            items.append(item)
        return items

    assert sorted(with_shared_manager(work, mock("a", echo=True))) == list(range(60))


@BOTH_WAYS
def test_an_unknown_system_gives_false_or_none_and_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work(manager: ExternalSystemManager) -> None:
        assert await manager.send_data_to_system("plc-2", 1) is False
        assert await manager.receive_data_from_system("plc-2") is None
        assert await manager.receive_many_from_system("plc-2", 5) == []
        assert await manager.connect_system("plc-2") is False
        assert await manager.status("plc-2") is None
        assert await manager.call_command("plc-2", "reset") is None

    with caplog.at_level(logging.WARNING, "extsys"):
        with_shared_manager(work, mock("plc-1"), strict=False)
    assert caplog.messages.count("plc-2: no such system; did you mean 'plc-1'?") == 6


# ---- events and data -------------------------------------------------------------------------


def test_lifecycle_events_come_in_order_without_a_gap() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        events = manager.events()
        first = asyncio.ensure_future(anext(events))
        manager.register_system(mock("b"))
        await manager.connect_system("b")
        await manager.disconnect_system("b")
        await manager.unregister_system("b")
        seen = [await first]
        while seen[-1].kind is not EventKind.UNREGISTERED:
            seen.append(await anext(events))
        assert [event.kind.value for event in seen if event.system_name == "b"] == [
            *("registered", "starting", "started", "connecting", "connected", "disconnected"),
            *("stopping", "stopped", "unregistered"),
        ]
        numbers = [event.sequence for event in seen]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))

    with_shared_manager(work, mock("a", connect=False))


@BOTH_WAYS
def test_subscribers_get_all_data_and_a_waiting_receive_gets_it_too() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        data = manager.data_from("a")
        first = asyncio.ensure_future(anext(data))
        receive = asyncio.ensure_future(manager.receive_data_from_system("a", timeout=300.0))
        await manager.send_many_to_system("a", ["one", "two"])
        assert await first == ("a", "one")
        assert await anext(data) == ("a", "two")
        assert await receive in ("one", "two")
        await data.aclose()  # type: ignore[attr-defined]
        await manager.send_data_to_system("a", "three")
        assert await manager.receive_data_from_system("a", timeout=5.0) == "three"

    with_shared_manager(work, mock("a", echo=True), mock("b", echo=True))


class Unreadable:
    """Pickles, and never unpickles."""

    def __reduce__(self) -> tuple[Any, ...]:
        return int, ("no number",)


@BOTH_WAYS
def test_an_answer_that_cannot_be_read_here_is_no_invitation_to_ask_again() -> None:
    class Maker(MockExternalSystem):
        @command
        async def make(self) -> Any:
            return Unreadable()

    async def host(manager: ExternalSystemManager) -> None:
        manager.register_system(Maker("a", {}))
        with pytest.raises(InvalidRequestError, match="cannot be read") as caught:
            await manager.call_command("a", "make")
        assert caught.value.failure.outcome is Outcome.UNKNOWN

    with_shared_manager(host, strict=True)


def test_a_spec_is_registered_as_well_as_an_object() -> None:
    async def work(manager: ExternalSystemManager) -> Any:
        return [status.kind for status in await manager.status_all()]

    spec = SystemSpec("t", "tests.helpers.thermostat:NamedThermostat", {"target": 5})
    assert with_shared_manager(work, spec, mock("m")) == [spec.kind, "mock"]


@BOTH_WAYS
def test_a_request_that_cannot_be_pickled_fails_alone() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        bad = SystemSpec("bad", "mock", {"lock": threading.Lock()})
        manager.register_system(bad)
        manager.register_system(mock("good", echo=True))
        with pytest.raises(InvalidRequestError, match="RegisterSystem cannot be sent"):
            await manager.start()
        assert await manager.send_data_to_system("good", "hello")
        wrong, right = await asyncio.gather(
            manager.receive_data_from_system("good", timeout=threading.Lock()),
            manager.receive_data_from_system("good"),
            return_exceptions=True,
        )
        assert isinstance(wrong, InvalidRequestError)
        assert right == "hello"
        assert manager.register_system(mock("bad"))  # the name is free

    with_shared_manager(work)


@BOTH_WAYS
def test_an_order_to_all_does_not_overtake_what_was_sent_before() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        send = asyncio.ensure_future(manager.send_data_to_system("a", "last words"))
        await asyncio.sleep(0)
        assert await manager.disconnect_all()
        assert await send

    with_shared_manager(work, mock("a"))


def test_a_closed_manager_refuses_one_item_and_many_alike(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        manager = ExternalSystemManager()
        await manager.close()
        assert not await manager.send_data_to_system("a", 1)
        assert await manager.send_many_to_system("a", [1, 2]) == [False, False]

    asyncio.run(main())
    assert all("the manager is closed" in record.message for record in caplog.records)
    assert len(caplog.records) == 2
