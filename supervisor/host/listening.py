"""What the processes of systems say, in a host: in its ``logging``, and for who asks."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Protocol

from actors.messages import Reply, Request
from actors.messages.output import OutputLine
from supervisor.host.dialog import Dialog
from supervisor.host.following import subscribed
from supervisor.host.streams import LineStream
from supervisor.messages import GetLogs, LogsGiven, SupervisorRequest


class _Asks(Protocol):
    _dialog: Dialog

    async def _ask_for(
        self, request: Request | SupervisorRequest, wanted: type[Reply]
    ) -> Any:  # the reply, or None
        ...

    async def _is_ready(self) -> bool: ...


class Listens:
    """Mixed into :class:`~supervisor.ExternalSystemManager`."""

    async def logs(self: _Asks, name: str, count: int = 100) -> tuple[OutputLine, ...]:
        """The last that a system's process said: with ``logging``, with ``print``, or as C code
        and other programs do, to its standard output and error.

        Args:
            count: at most so many lines. A thousand are kept of each system, or 256 KiB, also of
                its incarnations before.
        """
        given = await self._ask_for(GetLogs(name, count), LogsGiven)
        return () if given is None else given.lines

    async def logs_from(
        self: _Asks, *names: str, last: int = 0
    ) -> AsyncGenerator[OutputLine, None]:
        """What the processes of these systems say from now on, or those of all.

        Args:
            last: begin with so many lines of each system that is named.

        Raises:
            FellBehindError: lines come faster than they are taken, for too long.
        """
        if not await self._is_ready():
            return
        async with subscribed(self._dialog, LineStream(names)) as stream:
            seen = 0
            for name in names if last else ():
                given = await self._ask_for(GetLogs(name, last), LogsGiven)
                for line in () if given is None else given.lines:
                    seen = max(seen, line.sequence)
                    yield line
            while (line_ := await stream.take()) is not None:
                if line_.sequence > seen:
                    yield line_
