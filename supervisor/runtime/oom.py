"""Whether the kernel kills processes for want of memory.

It says so in a count only: of the processes of a cgroup, or of the whole machine. Which
process was meant is a guess, from a SIGKILL that comes with a higher count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

WATCH_EVERY: Final = 5.0
"""Seconds between two looks by :meth:`OomCounter.watch`."""
RECENT: Final = 5.0
"""Seconds for which a kill that was counted may explain an exit."""
_CGROUPS: Final = PurePosixPath("/sys/fs/cgroup")


class OomCounter:
    """Counts the kernel's kills among the processes that share this one's memory limit.

    The kernel counts a kill before it sends the signal: whoever saw the exit finds it counted.
    """

    def __init__(self, read: Callable[[str], str] | None = None) -> None:
        """
        Args:
            read: gives the text of a file, by its path, or raises OSError.
        """
        self._read = read or _read
        self._source: str | None = None
        self._count = 0
        self._unclaimed = 0
        self._counted_at = 0.0
        self._watch_at = 0.0
        self.kills_since_last_look()

    def kills_since_last_look(self) -> int | None:
        """None if that cannot be told: no count can be read, or another one than before."""
        before, self._source = self._source, None
        count_before = self._count
        for path in self._sources():
            count = self._count_in(path)
            if count is not None:
                self._source, self._count = path, count
                break
        if self._source is None or self._source != before:
            return None
        return max(0, self._count - count_before)

    def watch(self, now: float) -> None:
        """Call this from time to time: a kill that was counted long before an exit has
        nothing to do with it. Reads a file every few seconds at most."""
        if now >= self._watch_at:
            self._look(now)

    def claim(self, now: float) -> bool | None:
        """Whether an exit by a SIGKILL of unknown sender was probably the kernel's.

        Each kill counted explains one exit. None: cannot be told.
        """
        known = self._look(now)
        if self._unclaimed:
            self._unclaimed -= 1
            return True
        return False if known else None

    def _look(self, now: float) -> bool:
        self._watch_at = now + WATCH_EVERY
        if now - self._counted_at > RECENT:
            self._unclaimed = 0
        kills = self.kills_since_last_look()
        if kills:
            self._unclaimed += kills
            self._counted_at = now
        return kills is not None

    def _sources(self) -> Iterator[str]:
        """The files that may have the count, the best first."""
        groups = self._groups()
        if (path := groups.get("")) is not None:  # version 2
            yield from _upwards(_CGROUPS, path, "memory.events")
        if (path := groups.get("memory")) is not None:  # version 1
            yield from _upwards(_CGROUPS / "memory", path, "memory.oom_control")
        yield "/proc/vmstat"

    def _groups(self) -> dict[str, str]:
        """This process's cgroups, by controller; of version 2 it is the empty string."""
        try:
            lines = self._read("/proc/self/cgroup").splitlines()
        except OSError:
            return {}
        found = {}
        for line in lines:  # such as 0::/user.slice, or 4:memory:/docker/0123
            _, controllers, path = [*line.split(":", 2), "", ""][:3]
            for controller in controllers.split(","):
                found[controller] = path
        return found

    def _count_in(self, path: str) -> int | None:
        try:
            text = self._read(path)
        except OSError:
            return None
        for line in text.splitlines():
            key, _, value = line.partition(" ")
            if key == "oom_kill" and value.isdecimal():
                return int(value)
        return None


def _upwards(root: PurePosixPath, group: str, file: str) -> Iterator[str]:
    """The file of a cgroup and of those above it: inside a container the path that the
    kernel tells may be one of the host, which is not there."""
    inner = PurePosixPath(group.lstrip("/"))
    yield str(root / inner / file)
    for above in inner.parents:
        yield str(root / above / file)


def _read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8", errors="replace")
