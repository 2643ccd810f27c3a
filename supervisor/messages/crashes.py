"""What is known of a crash."""

from __future__ import annotations

import attrs

from actors.messages import Reason


@attrs.frozen(kw_only=True)
class CrashReport:
    """One crash of one system, as far as could be told."""

    reason: Reason
    incarnation: int
    time: float
    """Seconds since the epoch."""
    uptime: float
    """Seconds that the incarnation was up; 0 if it never was."""
    exit_code: int | None = None
    """Of its process, if it exited by itself."""
    signal: str | None = None
    """Such as ``SIGSEGV``, if a signal ended its process that the supervisor did not send."""
    out_of_memory: bool | None = None
    """Whether the kernel probably killed it for want of memory; None where that cannot be
    told."""
    in_progress: str | None = None
    """The type of the oldest request it was busy with, such as ``SendData``."""

    last_lines: tuple[str, ...] = attrs.field(default=(), repr=False)
    """The last that its process said, oldest first."""

    @property
    def one_line(self) -> str:
        """The cause: the first line of what the reason says."""
        return next(iter(self.reason.text.splitlines()), self.reason.kind)


def with_newest(
    crashes: tuple[CrashReport, ...], report: CrashReport, limit: int
) -> tuple[CrashReport, ...]:
    """The last ``limit`` reports, oldest first."""
    crashes = (*crashes, report)
    return crashes[max(0, len(crashes) - limit) :]
