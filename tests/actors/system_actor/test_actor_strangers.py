"""Who is not its supervisor orders nothing of a system actor, and crashes nothing."""

from __future__ import annotations

from typing import Any, cast

import pytest

from actors.messages import (
    Deliver,
    Failure,
    Forget,
    Heartbeat,
    StartSystem,
    StopSystem,
    SystemDefinition,
    TakeBack,
    TapData,
)
from actors.system_actor.actor import SystemActor


class Alone(SystemActor):
    """On no actor system, started by "supervisor"; it notes what it says, and what goes to its
    event loop."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[Any, Any]] = []
        self.passed_on: list[Any] = []
        self._start = StartSystem(SystemDefinition("plc", "mock"), 1)
        self._supervisor = "supervisor"
        self._side = cast(Any, self)
        self._loop = cast(Any, self)

    def send(self, address: Any, message: Any) -> None:
        self.said.append((address, message))

    def call(self, _: Any, message: Any) -> None:
        self.passed_on.append(message)

    def take(self, message: Any) -> None: ...

    def answer(self, message: Any) -> None: ...

    def sign_of_life(self, *_: Any) -> str:
        return "alive"


ORDERS = [
    Deliver(1, ()),
    Deliver(1, cast(Any, 5)),
    Forget(cast(Any, None)),
    TakeBack("plc", ()),
    TapData(True),
    StopSystem(1.0),
    Heartbeat(1),
]


@pytest.mark.parametrize("message", ORDERS, ids=lambda each: type(each).__name__)
def test_a_stranger_is_refused_and_the_supervisor_is_heard(message: Any) -> None:
    actor = Alone()
    actor.receiveMessage(message, "stranger")
    [(who, failure)] = actor.said
    assert who == "stranger"
    assert isinstance(failure, Failure)
    assert "from its supervisor alone" in failure.text
    assert actor.passed_on == []
    actor.receiveMessage(message, "supervisor")
    assert actor.passed_on == [message]


def test_what_nobody_understands_is_answered_to_anybody() -> None:
    actor = Alone()
    for who in ("stranger", "supervisor"):
        actor.receiveMessage(object(), who)
    assert [to for to, _ in actor.said] == ["stranger", "supervisor"]
    assert all(isinstance(message, Failure) for _, message in actor.said)
