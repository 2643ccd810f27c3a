"""What is wrong with a connector's class is told before, or as, it is built."""

from __future__ import annotations

import functools
from typing import Any

import attrs
import pytest

from actors import ExternalSystemInterface, MockExternalSystem
from actors.connectors.classes import mistakes_in_class
from actors.connectors.kinds import build_system
from actors.connectors.tcp.system import TcpSystem
from actors.errors import ActorSetupError
from actors.messages import SystemDefinition

CALL = "super().__init__(system_name, connection_details)"


class Plain(ExternalSystemInterface):
    async def connect(self) -> bool:
        self.is_connected = True
        return True

    async def disconnect(self) -> bool:
        return True

    async def send_data(self, data: Any) -> bool:
        return True

    async def receive_data(self) -> Any:
        return None


class SendsInNoCoroutine(Plain):
    def send_data(self, data: Any) -> bool:  # type: ignore[override]
        return True


class TwoMistakes(SendsInNoCoroutine):
    def __init__(self, name: str) -> None:
        super().__init__(name, {})

    def check_health(self) -> bool:  # type: ignore[override]
        return True


class Forgetful(Plain):
    def __init__(self, system_name: str, connection_details: dict[str, Any]) -> None:
        self.socket = None


class ForgetfulHeir(Forgetful):
    def __init__(self, *args: Any) -> None:
        self.port = 5025


class HalfForgetful(Plain):
    """It says the words, in a branch that is not taken."""

    def __init__(self, system_name: str, connection_details: dict[str, Any]) -> None:
        if system_name == "somebody else":
            super().__init__(system_name, connection_details)


# ---- what is no mistake --------------------------------------------------------------------


class Usual(Plain):
    def __init__(self, system_name: str, connection_details: dict[str, Any]) -> None:
        super().__init__(system_name, connection_details)
        self.socket = None


class Heir(Usual):
    pass


class ByName(Plain):
    def __init__(self, system_name: str, connection_details: dict[str, Any]) -> None:
        ExternalSystemInterface.__init__(self, system_name, connection_details)


class InAHelper(Plain):
    def __init__(self, system_name: str, connection_details: dict[str, Any]) -> None:
        self._begin(system_name, connection_details)

    def _begin(self, *args: Any) -> None:
        super().__init__(*args)


class SetsAllItself(Plain):
    def __init__(self, system_name: str, connection_details: dict[str, Any]) -> None:
        self.system_name, self.connection_details = system_name, connection_details
        self.is_connected = False


@attrs.define(eq=False, slots=False)
class MadeByAttrs(Plain):
    system_name: str
    connection_details: dict[str, Any]
    is_connected: bool = False


def noisy(method: Any) -> Any:
    @functools.wraps(method)
    def call(*args: Any) -> Any:
        return method(*args)

    return call


class Decorated(Plain):
    @noisy
    async def send_data(self, data: Any) -> bool:
        return True


@pytest.mark.parametrize(
    "system_class",
    [
        *(Plain, Usual, Heir, ByName, InAHelper, SetsAllItself, MadeByAttrs, Decorated),
        *(MockExternalSystem, TcpSystem),
    ],
)
def test_a_class_that_works_has_no_mistakes(system_class: type[ExternalSystemInterface]) -> None:
    assert mistakes_in_class(system_class) == ()


NO_SEND = "SendsInNoCoroutine.send_data is no coroutine; make it 'async def send_data(...)'"


@pytest.mark.parametrize(
    ("system_class", "texts"),
    [
        (SendsInNoCoroutine, [NO_SEND]),
        (
            TwoMistakes,
            [
                NO_SEND.replace("SendsInNo", "TwoMistakes").replace("Coroutine.", "."),
                "TwoMistakes.check_health is no coroutine; make it 'async def check_health(...)'",
                "TwoMistakes cannot be built with (system_name, connection_details): too many "
                "positional arguments",
            ],
        ),
        (Forgetful, [f"Forgetful.__init__ does not call {CALL}"]),
        (ForgetfulHeir, [f"ForgetfulHeir.__init__ does not call {CALL}"]),
        (HalfForgetful, []),
    ],
)
def test_the_mistakes_of_a_class_are_told_all_at_once(
    system_class: type[ExternalSystemInterface], texts: list[str]
) -> None:
    assert list(mistakes_in_class(system_class)) == texts


@pytest.mark.parametrize(
    ("system_class", "text"),
    [
        (SendsInNoCoroutine, NO_SEND),
        (Forgetful, f"Forgetful has no system_name: its __init__ must call {CALL}"),
        (HalfForgetful, f"HalfForgetful has no system_name: its __init__ must call {CALL}"),
    ],
)
def test_such_a_class_is_not_built(system_class: type[ExternalSystemInterface], text: str) -> None:
    definition = SystemDefinition("plc", f"{__name__}:{system_class.__name__}")
    with pytest.raises(ActorSetupError) as caught:
        build_system(definition)
    assert str(caught.value) == f"system 'plc': {text}"
