"""What is wrong with a registration is said at once, and a refused object is what it was."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest

from actors import Batch, Policy
from supervisor import (
    AlreadyStartedError,
    ExternalSystemManager,
    InvalidRequestError,
    SystemSpec,
)
from supervisor.specs.system_options import SystemOptions
from tests.helpers.support import QUIET, mock, with_manager
from tests.helpers.thermostat import Thermostat

pytestmark = pytest.mark.usefixtures("nothing_left")

SECRET = "hunter2"


def refused(spec: Any, **options: Any) -> str:
    manager = ExternalSystemManager(strict=True, options=QUIET)
    with pytest.raises(InvalidRequestError) as raised:
        manager.register_system(spec, **options)
    assert SECRET not in str(raised.value)
    assert not manager._dialog.names
    return str(raised.value)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (SystemSpec("a", "tpc"), 'kind "tpc" is unknown; did you mean "tcp"'),
        (SystemSpec("a", "tcp"), "connection_details.host"),
        (SystemSpec("a", "tcp", {"host": "h", "port": 1, "prot": SECRET}), "prot"),
        (SystemSpec("a", "no_such_module_anywhere:Class"), "there is no module"),
        (SystemSpec("a", "tests.helpers.thermostat:Thermometer"), "has no Thermometer"),
        (SystemSpec("a", "tests.helpers.support:QUIET"), "no class that inherits"),
    ],
    ids=lambda each: each.kind if isinstance(each, SystemSpec) else "",
)
def test_a_spec_of_an_unknown_kind_or_with_wrong_details_is_refused_at_once(
    spec: SystemSpec, why: str
) -> None:
    assert why in refused(spec)


def test_a_policy_that_the_class_cannot_follow_is_refused_at_once_or_by_its_process() -> None:
    policy = Policy(batch=Batch(linger=0.01))
    assert "MockExternalSystem has no send_many of its own" in refused(
        SystemSpec("a", "mock", policy=policy)
    )
    assert "Thermostat has no send_many of its own" in refused(Thermostat("t", 1.0), policy=policy)
    spec = SystemSpec("a", "tests.helpers.talking:Talking", policy=policy)

    async def work(manager: ExternalSystemManager) -> None:
        with pytest.raises(InvalidRequestError, match="Talking has no send_many of its own"):
            await manager.start_child(spec)

    with_manager(work)


def test_a_module_that_only_the_systems_process_is_to_run_is_not_run_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "devices_of_mine.py").write_text("raise RuntimeError")
    monkeypatch.syspath_prepend(tmp_path)
    manager = ExternalSystemManager(strict=True, options=QUIET)
    assert manager.register_system(SystemSpec("a", "devices_of_mine:Plc"))
    assert "devices_of_mine" not in sys.modules


def test_what_another_programs_supervisor_finds_is_not_looked_for_here(runtime_dir: Path) -> None:
    manager = ExternalSystemManager.attach(runtime_dir, strict=True)
    assert manager.register_system(SystemSpec("a", "no_such_module_anywhere:Class"))
    with pytest.raises(InvalidRequestError, match="unknown"):
        manager.register_system(SystemSpec("b", "tpc"))


def test_a_misspelt_option_is_an_error_at_once_and_for_a_type_checker() -> None:
    manager = ExternalSystemManager(strict=True, options=QUIET)
    thermostat = Thermostat("t", 1.0)
    with pytest.raises(InvalidRequestError, match='no option conect; did you mean "connect"'):
        manager.register_system(thermostat, conect=True)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        SystemSpec.of(thermostat, mailbox=5)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        SystemSpec("a", "mock", conect=True)  # type: ignore[call-arg]
    with pytest.raises(InvalidRequestError, match="mailbox_size"):
        manager.register_system(thermostat, mailbox_size="many")
    assert thermostat.system_name == "t"
    assert type(thermostat) is Thermostat
    assert manager.register_system(thermostat, connect=True, mailbox_size=5)


def test_options_are_not_passed_over_beside_a_spec() -> None:
    assert "options in itself: connect" in refused(mock("a"), connect=True)


def test_the_options_of_an_object_are_all_that_a_spec_has() -> None:
    fields = {each.name for each in attrs.fields(SystemSpec) if each.kw_only}
    assert fields - {"snapshot"} == SystemOptions.__annotations__.keys()


class Stateful(Thermostat):
    """It has state that a handle has not."""

    def __init__(self, name: str) -> None:
        super().__init__(name, 1.0)
        self.log = ["made"]


def test_an_object_refused_by_the_supervisor_is_what_it_was() -> None:
    async def work(manager: ExternalSystemManager) -> None:
        taken, free = Stateful("a"), Stateful("mine")
        manager._dialog.names.discard("a")  # as of a manager that has not heard of it
        assert manager.register_system(taken)
        assert manager.register_system(free)
        with pytest.raises(AlreadyStartedError):
            await manager.start()
        assert type(taken) is Stateful
        assert taken.log == ["made"]
        assert not taken.is_connected
        with pytest.raises(AttributeError, match="lives in its system actor"):
            _ = free.log
        taken.system_name = "another"
        assert manager.register_system(taken)
        assert await taken.connect()
        assert await manager.unregister_system("another")
        assert await manager.unregister_system("mine")

    with_manager(work, mock("a"))


def test_an_object_that_was_never_registered_for_want_of_a_runtime_is_what_it_was() -> None:
    async def main() -> None:
        manager = ExternalSystemManager(strict=True, options=QUIET)
        mine = Stateful("mine")
        manager.register_system(mine)
        await manager.close()
        assert mine.log == ["made"]

    asyncio.run(main())
