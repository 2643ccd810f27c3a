"""Orders that the supervisor carries out itself, step by step, while their askers wait. Pure.

An order that was begun is carried out to its end. Only its answer depends on whether its
asker still waits for it: time that runs out, a cancellation or a client that leaves ends
the wait and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from actors.messages import Failure, FailureCode, Outcome, Reply, Request
from supervisor.core.actions import Client
from supervisor.core.context import Context
from supervisor.messages import SupervisorRequest
from supervisor.timing.timers import Timer


@attrs.frozen(eq=False)
class Order:
    """One order, for as long as something is to be done about it."""

    client: Client
    request: Request | SupervisorRequest
    system_name: str | None


class Orders:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._awaited: dict[Order, Timer] = {}
        """Those not answered yet whose askers wait, with what ends the wait."""

    def open(
        self,
        client: Client,
        request: Request | SupervisorRequest,
        system_name: str | None,
        patience: float,
        turn: Callable[[], float] | None = None,
    ) -> Order:
        """Have an order answered in time.

        Args:
            patience: seconds to wait, if the request does not say.
            turn: gives the time from which ``patience`` counts, should it not yet have been the
                order's turn.
        """
        order = Order(client, request, system_name)
        seconds = patience if request.timeout is None else request.timeout
        text = f"not done within {seconds:g} s; it goes on"
        timers = self._context.timers

        def run_out() -> None:
            due = timers.now
            if turn is not None and request.timeout is None:
                due = turn() + seconds
            if due > timers.now:
                self._awaited[order] = timers.at(due, run_out)
            else:
                self.fail(order, FailureCode.TIMEOUT, text, Outcome.UNKNOWN)

        self._awaited[order] = timers.after(seconds, run_out)
        return order

    def answer(self, order: Order, reply: Reply) -> None:
        """Answer an order, if its asker still waits."""
        if order in self._awaited:
            self.drop(order)
            self._context.tell(order.client, reply)

    def fail(
        self, order: Order, code: FailureCode, text: str, outcome: Outcome = Outcome.NOT_SENT
    ) -> None:
        self.answer(order, Failure.to(order.request, order.system_name, code, text, outcome))

    def drop(self, order: Order) -> None:
        """Nobody waits for it any more, or it is answered elsewhere."""
        timer = self._awaited.pop(order, None)
        if timer is not None:
            self._context.timers.cancel(timer)

    def cancel(self, client: Client, request_id: int) -> None:
        """The asker does not wait for this any more."""
        for each in self._of(client):
            if each.request.request_id == request_id:
                self.drop(each)

    def forget_client(self, client: Client) -> None:
        """The asker is gone."""
        for each in self._of(client):
            self.drop(each)

    def _of(self, client: Client) -> list[Order]:
        return [each for each in self._awaited if each.client == client]
