"""Who waits for what was sent durably: to be accepted, or to be delivered. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from actors.messages import (
    DataAccepted,
    DataSent,
    Failure,
    FailureCode,
    ManySent,
    Outcome,
    Reply,
    SendData,
    SendMany,
)
from supervisor.core.actions import Client
from supervisor.core.context import Context
from supervisor.durable.journal import Asked
from supervisor.timing.patience import patience_of
from supervisor.timing.timers import Timer

_GOES_ON: Final = "it is accepted, and goes on being delivered"


@attrs.define(eq=False)
class DurableOrder:
    """One request to send durably, until it is answered."""

    client: Client | None
    """None when nobody waits for the answer any more."""
    request: SendData | SendMany
    timer: Timer | None = None
    asked: Asked | None = None
    """What is to be written for it; None before that."""
    ids: tuple[int, ...] | None = None
    """Of its entries; None until it is accepted."""
    results: dict[int, bool | Failure] = attrs.field(factory=dict)
    """Of those that wait no more, if it waits for them."""


class DurableOrders:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._open: dict[tuple[Client, int], DurableOrder] = {}
        self._by_entry: dict[int, DurableOrder] = {}
        """Those that wait for a delivery."""
        self.withdraw: Callable[[DurableOrder], bool] = lambda order: False
        """Has one not written; whether that is possible still."""

    def open(self, client: Client, request: SendData | SendMany) -> DurableOrder:
        """Have it answered in time."""
        order = DurableOrder(client, request)
        self._open[client, request.request_id] = order
        seconds = patience_of(request, self._context.options)
        order.timer = self._context.timers.after(seconds, lambda: self._run_out(order, seconds))
        return order

    def refuse(
        self,
        order: DurableOrder,
        code: FailureCode,
        text: str,
        outcome: Outcome = Outcome.NOT_SENT,
    ) -> None:
        """Nothing of it is, or will be, accepted."""
        self._answer(order, order.request.failure(code, text, outcome))

    def accepted(self, order: DurableOrder, ids: tuple[int, ...], names: tuple[str, ...]) -> None:
        """All of it is on the disk.

        Args:
            names: the idempotency ids.
        """
        order.ids = ids
        if order.client is None:
            return
        if order.request.wait:
            self._by_entry.update(dict.fromkeys(ids, order))
            self._look(order)
            return
        request = order.request
        accepted = DataAccepted(
            request_id=request.request_id, system_name=request.system_name, ids=names
        )
        self._answer(order, accepted)

    def ended(self, entry_id: int, why_not: str | None) -> None:
        """An entry waits no more, and that is on the disk.

        Args:
            why_not: it was not delivered; None if it was.
        """
        order = self._by_entry.pop(entry_id, None)
        if order is None:
            return
        order.results[entry_id] = why_not is None or order.request.failure(
            FailureCode.DEAD_LETTER, f"not delivered: {why_not}", Outcome.UNKNOWN
        )
        self._look(order)

    def system_gone(self, name: str) -> None:
        """Nothing of it is delivered for now; what was accepted is kept."""
        for order in list(self._open.values()):
            if order.request.system_name == name and order.ids is not None:
                text = "the system was unregistered; what was accepted for it is kept"
                self.refuse(order, FailureCode.UNAVAILABLE, text, Outcome.UNKNOWN)

    def cancel(self, client: Client, request_id: int) -> None:
        """The asker does not wait for this any more. What was not written never is."""
        order = self._open.get((client, request_id))
        if order is not None:
            self.withdraw(order)
            self._close(order)

    def forget_client(self, client: Client) -> None:
        """The asker is gone. What it asked to send is still accepted."""
        for order in [each for each in self._open.values() if each.client == client]:
            self._close(order)

    # ---- details ----------------------------------------------------------------------------

    def _look(self, order: DurableOrder) -> None:
        assert order.ids is not None
        if len(order.results) < len(order.ids):
            return
        request = order.request
        results = tuple([order.results[each] for each in order.ids])
        if isinstance(request, SendMany):
            reply: Reply = ManySent(
                request_id=request.request_id, system_name=request.system_name, results=results
            )
        elif isinstance(results[0], Failure):
            reply = results[0]
        else:
            reply = DataSent(request_id=request.request_id, system_name=request.system_name)
        self._answer(order, reply)

    def _run_out(self, order: DurableOrder, seconds: float) -> None:
        if order.ids is not None:
            text, outcome = f"not delivered within {seconds:g} s; {_GOES_ON}", Outcome.UNKNOWN
        elif order.asked is None or self.withdraw(order):
            text = f"the journal could not be written within {seconds:g} s"
            outcome = Outcome.NOT_SENT
        else:
            text = f"the journal did not answer within {seconds:g} s; it may be accepted"
            outcome = Outcome.UNKNOWN
        self.refuse(order, FailureCode.TIMEOUT, text, outcome)

    def _answer(self, order: DurableOrder, reply: Reply) -> None:
        client = order.client
        self._close(order)
        if client is not None:
            self._context.tell(client, reply)

    def _close(self, order: DurableOrder) -> None:
        if order.client is not None:
            key = order.client, order.request.request_id
            if self._open.get(key) is order:  # the asker may have used it again
                del self._open[key]
        if order.timer is not None:
            self._context.timers.cancel(order.timer)
        for each in order.ids or ():
            self._by_entry.pop(each, None)
        order.client = None
