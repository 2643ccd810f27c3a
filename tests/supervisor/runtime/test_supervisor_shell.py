"""What the supervisor's actor does when the actor system fails it."""

from __future__ import annotations

from typing import Any

import pytest
from thespian.actors import ChildActorExited, WakeupMessage

from actors.messages import Failure, SystemStarted
from supervisor.messages import (
    AllStatusGiven,
    EventKind,
    GetAllStatus,
    LifecycleEvent,
    RegisterSystem,
    Subscribe,
)
from supervisor.messages.record import ConfigureSupervisor, Record
from supervisor.runtime import supervisor_actor
from supervisor.runtime.supervisor_actor import Supervisor
from supervisor.specs.options import SupervisorOptions
from tests.helpers.support import mock


class Failing(Supervisor):
    """On no actor system: it cannot fork, and remembers what it says."""

    def __init__(self) -> None:
        super().__init__()
        self._set_up = True
        self.said: list[Any] = []
        self.wakeups = 0

    def createActor(self, *_: Any, **__: Any) -> Any:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    def send(self, _: Any, message: Any) -> None:
        self.said.append(message)

    def wakeupAfter(self, *_: Any, **__: Any) -> None:
        self.wakeups += 1


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


class Ended:
    """A process that exited with code 0."""

    pid = 4242
    exitcode = 0

    def is_alive(self) -> bool:
        return False

    def kill(self) -> None:
        pass


class Forking(Failing):
    """It can fork, and what it forks has ended already."""

    def createActor(self, *_: Any, **__: Any) -> Any:
        return "actor"


@pytest.mark.parametrize(
    ("sender", "why"),
    [("actor", "told to exit from outside, as by a SIGTERM"), ("supervisor", "exit code 0")],
)
def test_an_actor_that_says_itself_that_it_exits_was_told_to_however_late_it_is_heard(
    sender: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_actor, "newest_process", lambda _: Ended())
    supervisor = Forking()
    supervisor.receiveMessage(RegisterSystem(mock("a")), "asker")
    supervisor.receiveMessage(SystemStarted("a", 1, Ended.pid, ()), "actor")
    supervisor.receiveMessage(Subscribe(), "asker")
    supervisor.receiveMessage(ChildActorExited("actor"), sender)
    [ended] = [
        each
        for each in supervisor.said
        if isinstance(each, LifecycleEvent) and each.kind in (EventKind.CRASHED, EventKind.STOPPED)
    ]
    assert ended.kind is (EventKind.CRASHED if sender == "actor" else EventKind.STOPPED)
    assert ended.reason is not None
    assert why in ended.reason.text


def _fail(*_: Any) -> Any:
    raise ZeroDivisionError


@pytest.mark.parametrize("step", ["tick", "take_actions", "request", "client_gone"])
def test_a_bug_in_one_step_keeps_no_timer_from_being_waited_for(
    step: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = Failing()
    calls: list[str] = []
    supervisor._core._context.timers.after(0.0, _fail)
    supervisor._core._context.timers.after(0.0, lambda: calls.append("other"))
    supervisor._core._context.timers.after(60.0, lambda: None)
    monkeypatch.setattr(supervisor._core, step, _fail)
    supervisor.receiveMessage(GetAllStatus(), "asker")
    assert supervisor.wakeups == 1
    monkeypatch.undo()
    supervisor.receiveMessage(WakeupMessage(None), "itself")
    assert calls == ["other"]
    assert supervisor.wakeups == 2
    assert any("could not be dealt with" in each.message for each in caplog.records)
