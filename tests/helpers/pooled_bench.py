"""A system with several connections that does what a test says, and all that was said of it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from actors.messages import ConnectSystem, SystemConnected
from actors.messages.supervision import MAX_PAYLOAD_BYTES
from actors.resilience.policy import NO_POLICY, Policy
from actors.resilience.pool_policy import PoolPolicy
from actors.system_actor.engine import Engine
from actors.system_actor.guards import Guards
from actors.system_actor.pooled import PooledEngine
from tests.helpers.bench import Bench, Puppet


class PooledBench(Bench):
    """Its systems are made when they are needed; ``systems`` has them in that order."""

    engine: PooledEngine

    def __init__(
        self,
        make: Callable[[], Any] = lambda: Puppet(connected=False),
        size: int = 3,
        of_each: Policy = NO_POLICY,
        **policy: Any,
    ) -> None:
        self.systems: list[Any] = []
        self._make = make
        self._policy = PoolPolicy(size=size, **policy)
        super().__init__(self._another(), of_each)

    def _another(self) -> Any:
        system = self._make()
        self.systems.append(system)
        return system

    def _make_engine(self, guards: Guards | None, policy: Policy) -> PooledEngine:
        return PooledEngine(
            self.system,
            self._another,
            self._policy,
            self.to_supervisor,
            self._crash,
            lambda system, news, crash, together: Engine(
                system, news, crash, guards=guards, together=together, policy=policy
            ),
            MAX_PAYLOAD_BYTES,
            Random(1),
        )

    @property
    def state(self) -> tuple[int, int, int, int]:
        """How many are open, idle, borrowed, and how many requests wait."""
        has = self.engine.pool_state
        return has.open, has.idle, has.borrowed, has.waiting

    async def connect(self) -> None:
        assert isinstance(await self.ask(ConnectSystem("plc")), SystemConnected)
