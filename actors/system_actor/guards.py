"""What stands around the calls of a connector, by the policy of its system.

Runs on the system actor's event loop. A system without a policy has no guards, and its calls are
made as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

from actors.messages import Failure, Request
from actors.resilience.policy import Policy
from actors.system_actor.calls import Call, Guard, T, Work, operation_of
from actors.system_actor.time_limit import TimeLimit


class Guards:
    """All of one system, the outermost first."""

    def __init__(self, guards: Sequence[Guard]) -> None:
        self._guards = tuple(guards)

    @classmethod
    def of(cls, policy: Policy) -> Guards | None:
        """Those that a policy asks for; None if it asks for none."""
        guards: list[Guard] = []
        if policy.timeouts is not None:
            guards.append(TimeLimit(policy.timeouts))
        return cls(guards) if guards else None

    async def run(self, call: Call, work: Work[T | Failure]) -> T | Failure:
        """The result of a call, or why it failed or was not made."""
        return await self._run(0, call, work)

    async def _run(self, depth: int, call: Call, work: Work[T | Failure]) -> T | Failure:
        if depth == len(self._guards):
            return await work()
        return await self._guards[depth].around(call, lambda: self._run(depth + 1, call, work))


async def guarded(
    guards: Guards | None, request: Request, work: Work[T | Failure], weight: int = 1
) -> T | Failure:
    """Make the call that a request is for, with what stands around it."""
    if guards is None:
        return await work()
    return await guards.run(Call(operation_of(request), request, weight), work)
