"""Where each system of a runtime is to be reached by clients, without its supervisor.

Each incarnation has a door and a tally, files that it makes itself. The supervisor chooses
where, reads the tallies, and removes both when an incarnation's end is dealt with. What a
killed supervisor left, the next one removes.
"""

from __future__ import annotations

import itertools
import logging
import os
from pathlib import Path

from actors import loggers
from actors.errors import describe
from actors.messages import DoorAddress, StartSystem
from actors.messages.output import OutputAddress
from actors.messages.tallied import NOTHING, Tallied
from actors.unix_base.kernel.private_directory import NotPrivateError, PrivateDirectory
from actors.wire.frames import frame_limit
from actors.wire.front_door import FrontDoor, WatchedDoor
from actors.wire.tally import read_tally, tally_path
from supervisor.core.actions import StartActor
from supervisor.runtime.belongings import DOORS, OUTPUT, clear_below
from supervisor.runtime.directory import doors_directory
from supervisor.runtime.farewells import farewell
from supervisor.runtime.levels import Levels
from supervisor.runtime.shortages import require_files


class DirectoryOfDoors:
    """In the directory of the supervisor's own socket."""

    def __init__(self, socket_path: str, *, has_scribe: bool = False) -> None:
        """
        Args:
            socket_path: the supervisor's own; no door's is longer.
            has_scribe: whether somebody reads what systems say.

        Raises:
            NotPrivateError: the directory cannot be made.
        """
        self._numbers = itertools.count(1)
        self._runtime = Path(socket_path).parent
        self._directory = doors_directory(self._runtime)
        self._levels = Levels(self._runtime)
        with self._open() as inner:
            clear_below(inner, DOORS)
        self._paths: dict[tuple[str, int], str] = {}
        self._pipes: dict[tuple[str, int], str] = {}
        self._has_scribe = has_scribe
        self._trouble: str | None = None
        """Why something cannot be made again, as was said last."""

    def _open(self) -> PrivateDirectory:
        # Whatever is missing, also of the runtime's own: its root may not have looked yet.
        with PrivateDirectory(str(self._runtime), make=True) as runtime:
            return PrivateDirectory(DOORS, make=True, inside=runtime)

    def look(self, own: FrontDoor) -> None:
        """Make again what was removed, which systems do with their files; to be called now and
        then.

        Args:
            own: the supervisor's door.
        """
        trouble = self._make_again()
        self._levels.look()
        try:
            own.look()
        except OSError as error:
            trouble = trouble or describe(error)
        if trouble is not None and trouble != self._trouble:
            _log().warning("no client can reach this supervisor anew: %s", trouble)
        self._trouble = trouble

    def _make_again(self) -> str | None:
        """Have the directory; what is in the way of that."""
        try:
            if not self._directory.is_dir():
                self._open().close()
        except (OSError, NotPrivateError) as error:
            return describe(error)
        return None

    def choose(self, name: str, incarnation: int) -> str:
        """The path of the door of an incarnation that is about to start. It is used once:
        whoever still knows the last one finds nobody there.

        Raises:
            ShortageError: there is no room for its files.
        """
        require_files(str(self._runtime))
        self._make_again()  # the incarnation will not wait for the next look
        path = str(self._directory / f"{os.getpid():x}-{next(self._numbers):x}")
        self._paths[name, incarnation] = path
        if self._has_scribe:
            try:
                os.mkfifo(path + OUTPUT, 0o600)
            except OSError as error:
                _log().warning("%s: what it says goes unheard: %s", name, describe(error))
            else:
                self._pipes[name, incarnation] = path + OUTPUT
        return path

    def start_message(self, action: StartActor) -> StartSystem:
        """What an incarnation that is about to start is told, and so where it is to be reached."""
        name, incarnation = action.name, action.incarnation
        door = DoorAddress(self.choose(name, incarnation), action.mailbox_size)
        pipe = self.output_of(name, incarnation)
        output = None if pipe is None else OutputAddress(pipe, action.log_level)
        level = self._levels.path_for(action.definition.policy.rate_limit, name)
        return action.message(door, output, level)

    def output_of(self, name: str, incarnation: int) -> str | None:
        return self._pipes.get((name, incarnation))

    def path_of(self, name: str, incarnation: int) -> str | None:
        return self._paths.get((name, incarnation))

    def tally_of(self, name: str, incarnation: int) -> Tallied:
        path = self._paths.get((name, incarnation))
        return NOTHING if path is None else read_tally(tally_path(path))

    def remove(self, name: str, incarnation: int) -> None:
        """This incarnation has ended."""
        path = self._paths.pop((name, incarnation), None)
        if path is not None:
            Path(path).unlink(missing_ok=True)
            Path(tally_path(path)).unlink(missing_ok=True)
        pipe = self._pipes.pop((name, incarnation), None)
        if pipe is not None:
            Path(pipe).unlink(missing_ok=True)

    def close(self) -> None:
        """Remove all."""
        for name, incarnation in list(self._paths):
            self.remove(name, incarnation)
        self._levels.close()
        try:
            self._directory.rmdir()
        except OSError:
            pass


def open_doors(
    socket_path: str, max_payload_bytes: int, has_scribe: bool
) -> tuple[WatchedDoor, DirectoryOfDoors]:
    """The supervisor's own door, and the place for those of its systems.

    Raises:
        OSError, NotPrivateError: they cannot be made.
    """
    doors = DirectoryOfDoors(socket_path, has_scribe=has_scribe)
    return WatchedDoor(socket_path, farewell, frame_limit(max_payload_bytes)), doors


def _log() -> logging.Logger:
    return logging.getLogger(loggers.SUPERVISOR)
