"""What the guardian's actor sees to by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from actors.wire.front_door import Arrived, WatchedDoor
from supervisor.messages.record import ConfigureSupervisor, KeepRecord
from supervisor.runtime.guardian import Guardian, _Ward
from supervisor.runtime.guarding import Guarding
from supervisor.specs.options import SupervisorOptions


class Still(Guardian):
    """On no actor system."""

    def wakeupAfter(self, *_: Any, **__: Any) -> None:
        pass

    def send(self, *_: Any) -> None:
        pass


class Alive:
    """A process that goes on."""

    def is_alive(self) -> bool:
        return True


def keepers(door: WatchedDoor) -> list[Any]:
    """Who asked for the record by now."""
    return [
        said.client
        for _ in range(3)
        for said in door.serve()
        if isinstance(said, Arrived) and isinstance(said.message, KeepRecord)
    ]


def test_a_guardian_that_was_hung_up_on_asks_for_the_record_anew(tmp_path: Path) -> None:
    path = str(tmp_path / "door")
    door = WatchedDoor(path)
    guardian = Still()
    guardian._guarding = Guarding(ConfigureSupervisor(SupervisorOptions(), path))
    guardian._ward = ward = _Ward(1, None, Alive(), None)
    try:
        guardian._have_it_tell(ward)
        [first] = keepers(door)
        door._hang_up(door._connections[first])
        guardian._look()
        guardian._look()
        assert len(keepers(door)) == 1
    finally:
        if ward.line is not None:
            ward.line.close()
        door.close()
