"""Whatever a client says that makes no sense, the supervisor goes on, and others with it."""

from __future__ import annotations

from typing import Any

import attrs
from hypothesis import example, given

from actors.messages import DataSent, Failure, SendData
from supervisor.messages import (
    ChangeSpecs,
    ChildStarted,
    RegisterSystem,
    StartChild,
    StopSupervisor,
    TerminateChild,
)
from supervisor.specs.spec import ROOT, GroupSpec, SystemSpec
from tests.helpers import junk
from tests.helpers.harness import Harness, sent, spec


class Quiet(Harness):
    """For clients who may use a number twice, and whom nothing is owed."""

    def _check_once(self, client: Any, reply: Any) -> None:
        if client != "stranger":
            super()._check_once(client, reply)


def changed(of: Any, /, **fields: Any) -> Any:
    """A copy with fields that it could not have been made with."""
    kind = type(of)
    return junk.make(kind, {name: getattr(of, name) for name in attrs.fields_dict(kind)} | fields)


GROUP = GroupSpec("g", (spec("x"),))


def registration(**fields: Any) -> Any:
    return changed(RegisterSystem(spec("other")), spec=changed(spec("other"), **fields))


@given(junk.messages())
@example(registration(restart=5))
@example(registration(start_timeout="soon"))
@example(registration(mailbox_size=None))
@example(changed(StartChild(GROUP), spec=changed(GROUP, children=(spec("x"), 5))))
@example(changed(ChangeSpecs(GroupSpec(ROOT)), spec=changed(GroupSpec(ROOT), max_restarts="many")))
def test_a_strangers_junk_touches_nobody_else(message: Any) -> None:
    plant = Quiet(request_timeout=30)
    plant.register("good")
    plant.register("plc")
    waiting = SendData("good", b"before")
    plant.tell(waiting)
    plant.tell(message, "stranger")
    plant.leave("stranger")
    plant.advance(1)
    actor = plant.actor("good")
    actor.answer(waiting, DataSent)
    assert plant.reply(waiting) == sent(waiting)
    if not isinstance(message, StopSupervisor):
        after = SendData("good", b"after", timeout=5)
        plant.tell(after)
        plant.advance(6)
        assert isinstance(plant.reply(after), Failure)
        assert plant.actor("good") is actor
        added = StartChild(SystemSpec("new", "mock"))
        plant.tell(added)
        plant.actor("new").start()
        assert isinstance(plant.reply(added), ChildStarted)
        plant.tell(TerminateChild("new"))
