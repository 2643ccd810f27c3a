"""Objects that are registered, and what they are from then on."""

from __future__ import annotations

import asyncio
import pickle
import threading
from typing import Any

import pytest

from actors import MockExternalSystem, command
from supervisor import DuplicateSystemError, ExternalSystemManager, InvalidRequestError
from supervisor.messages import SystemState
from tests.helpers.shared import with_shared_manager
from tests.helpers.support import mock, until_state
from tests.helpers.thermostat import Thermostat

pytestmark = pytest.mark.usefixtures("shared_runtime")


def test_a_registered_object_acts_on_its_actor() -> None:
    thermostat = Thermostat("t", 20.0)

    async def work(manager: ExternalSystemManager) -> None:
        assert not thermostat.is_connected
        assert await thermostat.connect()
        assert thermostat.is_connected
        assert await thermostat.raise_target(by=2.5) == 22.5
        assert await thermostat.send_data(30.0)
        assert await manager.receive_data_from_system("t") == 30.0
        assert await thermostat.receive_data() == 30.0
        assert await thermostat.check_health()
        assert await thermostat.send_many([1.0, 2.0]) == [True, True]
        assert await thermostat.disconnect()

    with_shared_manager(work, thermostat)


def test_a_registered_object_has_no_second_copy_of_the_state() -> None:
    thermostat = Thermostat("t", 20.0)

    async def work(manager: ExternalSystemManager) -> None:
        assert isinstance(thermostat, Thermostat)
        assert thermostat.connection_details == {"token": "secret"}
        with pytest.raises(AttributeError, match="lives in its system actor"):
            _ = thermostat.target
        with pytest.raises(AttributeError, match="no attribute 'targte'"):
            _ = thermostat.targte  # type: ignore[attr-defined]
        with pytest.raises(TypeError, match="handle"):
            pickle.dumps(thermostat)

    with_shared_manager(work, thermostat)


def test_each_incarnation_starts_as_the_object_was_when_registered() -> None:
    thermostat = Thermostat("t", 20.0)

    async def work(manager: ExternalSystemManager) -> None:
        await thermostat.connect()
        await thermostat.raise_target()
        await manager.restart_system("t")
        await until_state(manager, "t", SystemState.CONNECTED, incarnation=2)
        assert await thermostat.raise_target() == 21.0

    with_shared_manager(work, thermostat)


def test_a_class_defined_inside_a_function_works() -> None:
    class Local(Thermostat):
        @command
        async def whoami(self) -> str:
            return type(self).__qualname__

    async def work(manager: ExternalSystemManager) -> Any:
        return await manager.call_command("t", "whoami")

    assert "Local" in with_shared_manager(work, Local("t", 1.0))


def test_data_queued_before_registering_is_received_after_it() -> None:
    system = MockExternalSystem("m", {})

    async def work(manager: ExternalSystemManager) -> Any:
        await system.connect()
        return await system.receive_data()

    asyncio.run(system.mock_incoming_data("early"))
    assert with_shared_manager(work, system) == "early"


def test_the_same_name_is_registered_once() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        with pytest.raises(DuplicateSystemError, match="a: cannot register"):
            manager.register_system(mock("a"))

    with_shared_manager(work, mock("a"))


def test_an_unregistered_name_is_free_again() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        for _ in range(2):
            assert await manager.unregister_system("a")
            assert manager.register_system(mock("a"))
            assert await manager.send_data_to_system("a", 1)

    with_shared_manager(work, mock("a"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("", "must not be empty"),
        (7, "is a string, not int"),
        ("x" * 10_000, "at most 200 characters"),
        (" a", "surrounding spaces"),
        ("a\n", "surrounding spaces"),
    ],
)
def test_an_odd_name_cannot_be_registered(name: Any, text: str) -> None:
    manager = ExternalSystemManager(strict=True)
    with pytest.raises(InvalidRequestError, match=text):
        manager.register_system(MockExternalSystem(name, {}))


def test_something_else_than_a_system_cannot_be_registered() -> None:
    manager = ExternalSystemManager(strict=True)
    with pytest.raises(InvalidRequestError, match="str is no ExternalSystemInterface"):
        manager.register_system("plc-1")


def test_an_object_that_cannot_be_pickled_stays_as_it_was() -> None:
    system = MockExternalSystem("m", {})
    system.lock = threading.Lock()  # type: ignore[attr-defined]
    manager = ExternalSystemManager(strict=True)
    with pytest.raises(InvalidRequestError, match="cannot be sent to another process"):
        manager.register_system(system)
    assert asyncio.run(system.connect())
