"""All sends of one system: alone, or together. Runs on the system actor's event loop."""

from __future__ import annotations

from collections.abc import Callable

from actors.interface import ExternalSystemInterface
from actors.messages import Request, SendData, SendMany
from actors.resilience.batch import Batch
from actors.system_actor.batching import Batcher
from actors.system_actor.calls import Turn
from actors.system_actor.guards import Guards, guarded
from actors.system_actor.lane import Job, Lane
from actors.system_actor.sending import OnError, send_many, send_one


class Sender:
    def __init__(
        self,
        system: ExternalSystemInterface,
        lane: Lane,
        on_error: OnError,
        guards: Guards | None,
        batch: Batch | None,
        turn_of: Callable[[Job], Turn],
    ) -> None:
        """
        Args:
            lane: that the sends are in.
            on_error: told of each expected error of the system's.
            guards: stand around the calls of the connector; None if nothing does.
            batch: of a class with a bulk operation: how many sends go out with one call;
                None if each goes by itself.
            turn_of: what the guards of a job's calls must know in order to wait.
        """
        self._system = system
        self._on_error = on_error
        self._guards = guards
        self._batch = batch
        self._turn_of = turn_of
        self._batcher = None if batch is None else Batcher(batch, lane)

    def hurry(self) -> None:
        """Have nothing wait for more to go with it."""
        if self._batcher is not None:
            self._batcher.hurry()

    def holds(self, request: Request) -> bool:
        """Whether it waits for more to go with it: nothing of it has gone out."""
        return self._batcher is not None and self._batcher.holds(request)

    async def carry_out(self, job: Job) -> None:
        """Send what a job is for, and answer it."""
        if self._batcher is not None:
            await self._batcher.gather(job, self._system.is_connected)
        match request := job.request:
            case SendData():
                reply = await guarded(
                    self._guards,
                    request,
                    lambda: send_one(self._system, request, self._on_error),
                    turn=self._turn_of(job),
                )
                job.origin.reply(reply)
            case SendMany():
                await send_many(
                    self._system,
                    job.origin,
                    request,
                    lambda: job.cut is not None,
                    self._on_error,
                    self._guards,
                    self._batch,
                    self._turn_of(job),
                )
