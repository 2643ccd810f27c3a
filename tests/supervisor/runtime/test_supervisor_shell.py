"""What the supervisor's actor does when the actor system fails it."""

from __future__ import annotations

from typing import Any

from actors.messages import Failure
from supervisor.messages import AllStatusGiven, GetAllStatus, RegisterSystem
from supervisor.messages.record import ConfigureSupervisor, Record
from supervisor.runtime.supervisor_actor import Supervisor
from supervisor.specs.options import SupervisorOptions
from tests.helpers.support import mock


class Failing(Supervisor):
    """On no actor system: it cannot fork, and remembers what it says."""

    def __init__(self) -> None:
        super().__init__()
        self._set_up = True
        self.said: list[Any] = []

    def createActor(self, *_: Any, **__: Any) -> Any:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    def send(self, _: Any, message: Any) -> None:
        self.said.append(message)

    def wakeupAfter(self, *_: Any, **__: Any) -> None:
        pass


def test_a_supervisor_that_cannot_begin_says_so() -> None:
    supervisor = Failing()
    nothing = Record()  # not even a root group
    supervisor.receiveMessage(ConfigureSupervisor(SupervisorOptions(), record=nothing), "guardian")
    [answer] = supervisor.said
    assert isinstance(answer, Failure)
    assert "cannot begin" in answer.text


def test_a_process_that_cannot_be_forked_is_an_answer() -> None:
    supervisor = Failing()
    supervisor.receiveMessage(RegisterSystem(mock("a")), "asker")
    [answer] = supervisor.said
    assert isinstance(answer, Failure)
    assert "Resource temporarily unavailable" in answer.text
    supervisor.receiveMessage(GetAllStatus(), "asker")
    assert isinstance(supervisor.said[-1], AllStatusGiven)
    assert supervisor.said[-1].systems == ()
