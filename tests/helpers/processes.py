"""The processes of a running runtime, by their part in it."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Final

import psutil

from supervisor import ExternalSystemManager
from tests.helpers.support import PATIENCE, until

PARTS: Final = (
    *("system", "nursery", "supervisor", "guardian", "logger", "admin", "root", "reaper"),
)


def parts_of(
    whose: ExternalSystemManager | psutil.Process, system: int | None = None
) -> dict[str, psutil.Process]:
    """Of a manager's own runtime, or of one whose reaper is given.

    Args:
        system: the process id of a system actor that is to be in it too.
    """
    if isinstance(whose, ExternalSystemManager):
        assert whose._dialog.session._recovery.runtime is not None
        whose = psutil.Process(whose._dialog.session._recovery.runtime._process.pid)
    # What a killed admin leaves behind becomes the root's for a moment.
    [root] = [each for each in whose.children() if _has_grandchildren(each)]
    [admin] = [each for each in root.children() if _has_grandchildren(each)]
    guardian = next(each for each in admin.children() if each.children())
    logger = next(each for each in admin.children() if not each.children())
    [supervisor] = [each for each in guardian.children() if runs(each.pid)]
    parts = {
        "reaper": whose,
        "root": root,
        "scribe": next(each for each in root.children() if each.pid != admin.pid),
        "admin": admin,
        "logger": logger,
        "guardian": guardian,
        "supervisor": supervisor,
    }
    nursery = nursery_of(supervisor)
    if nursery is not None:
        parts["nursery"] = nursery
    if system is not None:
        parts["system"] = psutil.Process(system)
    return parts


def nursery_of(supervisor: psutil.Process) -> psutil.Process | None:
    """Of a supervisor's children all are actors but the nursery and, forked later, its spare."""
    others = [each for each in supervisor.children() if not _is_actor(each)]
    return min(others, key=lambda each: each.pid, default=None)


def actors_of(supervisor: psutil.Process) -> list[psutil.Process]:
    """The processes of its systems."""
    return [each for each in supervisor.children() if runs(each.pid) and _is_actor(each)]


def _is_actor(process: psutil.Process) -> bool:
    """An actor has a handler for SIGTERM from its beginning."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return False
    [caught] = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")]
    return bool(int(caught, 16) >> signal.SIGTERM - 1 & 1)


def kill_part(whose: ExternalSystemManager | psutil.Process, part: str) -> None:
    """Kill a part of a runtime, and wait until its supervisor has gone with it: a runtime
    dies in steps, and a supervisor may answer once more before its turn."""
    parts = parts_of(whose)
    parts[part].kill()
    try:
        parts["supervisor"].wait(PATIENCE)
    except psutil.NoSuchProcess:
        pass


async def until_gone(pid: int) -> None:
    """Wait, with a cap, until a process has died: a signal takes it a moment under load."""

    async def gone() -> bool:
        return not runs(pid)

    await until(gone)


def _has_grandchildren(process: psutil.Process) -> bool:
    try:
        return any(child.children() for child in process.children() if runs(child.pid))
    except psutil.NoSuchProcess:
        return False


def runs(pid: int) -> bool:
    """Whether a process is more than a zombie, which an orphan may become."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
