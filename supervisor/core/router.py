"""Requests on their way to systems and answers on their way back. Pure.

Every request accepted here is answered exactly once: by its system, by its deadline, by
its system's crash, or not at all when its asker takes it back or is gone.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

from actors.messages import (
    RECEIVING_KINDS,
    ConnectSystem,
    Deliver,
    DisconnectSystem,
    Failure,
    FailureCode,
    Outcome,
    Reply,
    Request,
    SystemConnected,
    SystemDisconnected,
    TakeBack,
    is_final,
    items_in,
)
from actors.messages.limits import Admitted, admit, weight_of
from actors.messages.results import Results
from actors.messages.tallied import received_items, taken_items
from supervisor.core.actions import Client, TellActor, TellClient
from supervisor.core.child import Child, why_down
from supervisor.core.context import Context
from supervisor.core.holding import hold_back, next_start, take_out, why_late, with_hint
from supervisor.core.pending import Gathering, Pending
from supervisor.messages import AllConnected, AllDisconnected, ConnectAll, SupervisorRequest
from supervisor.timing.patience import patience_of, timed_out


class Router:
    def __init__(self, context: Context) -> None:
        self._options = context.options
        self._timers = context.timers
        self._act = context.act
        self._guard = context.guard
        self._refs = itertools.count(1)
        self._children: dict[int, Child] = {}
        """The child of each open ref."""
        self._by_request: dict[tuple[Client, int], int] = {}
        """The ref of each open request whose asker waits."""
        self._gatherings: list[Gathering] = []
        """Those not answered yet."""
        self._ready: dict[str, Child] = {}
        """Children that something may be deliverable to."""
        self.connect_ran_out: Callable[[Child, Failure], None] = lambda child, failure: None
        """Told of a connect, anybody's, that is not answered in time."""

    # ---- in --------------------------------------------------------------------------

    def accept(
        self,
        child: Child,
        client: Client | None,
        request: Request,
        gathering: Gathering | None,
    ) -> None:
        """Put a request into a system's mailbox, or refuse it. Of a SendMany that fits only
        in part, the first items are taken and the rest is refused."""
        admitted = self._admit(child, request)
        if isinstance(admitted, Failure):
            self._answer_or_gather(client, gathering, admitted)
            return
        pending = self._pending(client, admitted, gathering)
        self._open(child, pending)
        if isinstance(request, DisconnectSystem):
            child.wanted, child.last_disconnect = False, pending.ref
        elif isinstance(request, ConnectSystem):
            child.wanted |= request.keep_trying
            child.startup_over |= request.keep_trying
        child.mailbox.append(pending)
        if client is not None and gathering is None:
            self._by_request[client, request.request_id] = pending.ref
        self._set_deadline(pending)

    def open_gathering(self, client: Client, request: SupervisorRequest, size: int) -> Gathering:
        """Begin to gather so many answers into one."""
        gathering = Gathering(client, request, size)
        self._gatherings.append(gathering)
        return gathering

    def connect_on_its_own(self, child: Child) -> None:
        """Connect a system that is up and meant to be connected, before all that waits."""
        if any(each.own for each in child.open.values()):
            return
        request = ConnectSystem(child.name)
        pending = self._pending(None, Admitted(request, weight_of(request), 0), None)
        pending.own = True
        self._open(child, pending)
        child.mailbox.appendleft(pending)
        self._set_deadline(pending)

    def ask_on_its_own(self, child: Child, request: Request, hear: Callable[[Reply], None]) -> None:
        """Ask a system for the supervisor itself; it takes no room in the mailbox from others.

        Args:
            hear: told of the answer, of each part of it.
        """
        pending = self._pending(None, Admitted(request, 0, 0), None)
        pending.hear = hear
        self._open(child, pending)
        child.mailbox.append(pending)
        self._set_deadline(pending)

    def cancel(self, client: Client, request_id: int) -> None:
        """The asker does not wait for this any more."""
        ref = self._by_request.get((client, request_id))
        if ref is not None:
            self._give_up(ref)
        for gathering in self._gatherings[:]:
            if gathering.client == client and gathering.request.request_id == request_id:
                self._gatherings.remove(gathering)
                for each in [
                    r for r, c in self._children.items() if c.open[r].gathering is gathering
                ]:
                    self._give_up(each)

    def forget_client(self, client: Client) -> None:
        """The asker is gone. What it asked to send still goes; nothing is received for it."""
        for (asker, _), ref in list(self._by_request.items()):
            if asker != client:
                continue
            pending = self._children[ref].open[ref]
            if isinstance(pending.request, RECEIVING_KINDS):
                self._give_up(ref)
            else:
                self._go_on_unasked(pending)
        for gathering in self._gatherings:
            if gathering.client == client:
                gathering.client = None

    # ---- out to the systems ---------------------------------------------------------------

    def touch(self, child: Child) -> None:
        """Something may be deliverable to this child."""
        self._ready[child.name] = child

    @property
    def ready(self) -> list[Child]:
        """Children that something has changed about since the last :meth:`deliver`."""
        return list(self._ready.values())

    def deliver(self) -> None:
        """Send off all that can be delivered now. Called once after a burst of input, so
        that requests which came together go together."""
        ready, self._ready = self._ready, {}
        for child in ready.values():
            self._guard(f"a delivery to {child.name}", self._deliver_to, child)

    def _deliver_to(self, child: Child) -> None:
        if child.returned and child.is_running:
            # All at once: each TakeBack goes before the one before it.
            self._tell(child, TakeBack(child.name, tuple(child.returned)))
        child.returned.clear()
        forget = child.deliveries.forgetting() if child.is_running else None
        if forget is not None:
            self._tell(child, forget)
        hold_back(child)
        while child.can_deliver:
            batch = child.deliveries.begin(child.mailbox)
            for pending in batch:
                pending.delivered = True
            requests = tuple([(each.ref, each.request) for each in batch])
            self._tell(child, Deliver(child.deliveries.number, requests))

    # ---- back from the systems --------------------------------------------------------------

    def settle(self, child: Child, ref: int, reply: Reply) -> Pending | None:
        """Pass on what a system answered. A part of an answer renews the request's time.

        Returns:
            the request, if this ended it.
        """
        child.sent += taken_items(reply)
        pending = child.open.get(ref)
        if pending is None:
            self.take_back(child, items_in(reply))
            return None
        ends = is_final(reply)
        if ends:
            self._close(child, pending)
        else:
            pending.deadline = self._timers.now + self._patience(pending.request)
        self._answer(child, pending, with_hint(child, reply, self._timers.now))
        return pending if ends else None

    def take_back(self, child: Child, items: tuple[object, ...]) -> None:
        """Have a system hand these items out again, before new ones."""
        if items and child.is_running:
            child.returned.extend(items)
            self.touch(child)

    def fail_open(self, child: Child, code: FailureCode, text: str) -> None:
        """Answer all that is open: what was delivered may have been done, the rest not."""
        for pending in list(child.open.values()):
            self._fail(child, pending, code, text)
        child.mailbox.clear()
        child.held.clear()

    def fail_delivered(self, child: Child, code: FailureCode, text: str) -> None:
        """The process is gone: answer what it had."""
        for pending in [each for each in child.open.values() if each.delivered]:
            self._fail(child, pending, code, text)

    def fail_queued_data(self, child: Child, code: FailureCode, text: str, after: float) -> None:
        """No process takes data for a while. Orders to connect or disconnect stay, and all if it
        is to wait.

        Args:
            after: seconds until there is one again.
        """
        if child.waits:
            return
        for pending in list(child.mailbox):
            if not isinstance(pending.request, ConnectSystem | DisconnectSystem):
                child.mailbox.remove(pending)
                self._fail(child, pending, code, text, after)

    # ---- details --------------------------------------------------------------------------

    def _admit(self, child: Child, request: Request) -> Admitted | Failure:
        control = isinstance(request, ConnectSystem | DisconnectSystem)
        if not child.node.is_coming and not child.is_running and not child.crashed:
            return request.failure(FailureCode.UNAVAILABLE, why_down(child.node))
        cause = None if control else child.node.held_up_by
        if cause is not None and not child.waits:
            after = next_start(cause, self._timers.now)
            text = f"restarting after a crash; try again in {after:.2g} s"
            if cause is not child.node:
                text = f"waiting for {cause.name}, which is {text}"
            return request.failure(FailureCode.UNAVAILABLE, text, retry_after=after)
        if control:  # a few, and what puts an overloaded system right
            return Admitted(request, weight_of(request), 0)
        waiting = child.weight + child.tallied.waiting
        size, limit, now = child.size, child.spec.mailbox_size, self._timers.now
        return admit(request, waiting, size, limit, line=lambda: child.line(now))

    def _set_deadline(self, pending: Pending) -> None:
        pending.deadline = self._timers.now + self._patience(pending.request)
        self._set_timer(pending)

    def _set_timer(self, pending: Pending) -> None:
        ref = pending.ref
        pending.timer = self._timers.at(pending.deadline, lambda: self._run_out(ref))

    def _patience(self, request: Request) -> float:
        return patience_of(request, self._options)

    def _pending(
        self, client: Client | None, admitted: Admitted, gathering: Gathering | None
    ) -> Pending:
        request, weight, size, refused = admitted
        results = Results.of(request, refused)
        now = self._timers.now
        return Pending(next(self._refs), client, request, weight, size, now, gathering, results)

    def _open(self, child: Child, pending: Pending) -> None:
        child.open[pending.ref] = pending
        child.weight += pending.weight
        child.size += pending.size
        self._children[pending.ref] = child
        self.touch(child)

    def _close(self, child: Child, pending: Pending) -> None:
        del child.open[pending.ref]
        del self._children[pending.ref]
        if pending.timer is not None:
            self._timers.cancel(pending.timer)
        child.weight -= pending.weight
        child.size -= pending.size
        self.touch(child)
        if pending.client is not None:
            key = pending.client, pending.request.request_id
            if self._by_request.get(key) == pending.ref:  # the asker may have used it again
                del self._by_request[key]

    def _withdraw(self, child: Child, pending: Pending) -> None:
        """Close it, and have the system not do it, if it still can."""
        self._close(child, pending)
        if not pending.delivered:
            take_out(child, pending)
        else:
            child.deliveries.forget(pending.ref)
            self.touch(child)

    def _run_out(self, ref: int) -> None:
        child = self._children.get(ref)
        if child is None:
            return
        pending = child.open[ref]
        if self._timers.now < pending.deadline:
            self._set_timer(pending)
            return
        self._withdraw(child, pending)
        late = "" if pending.delivered else why_late(child)
        failure = timed_out(pending.request, self._options, was_sent=pending.delivered, why=late)
        self._answer(child, pending, failure)
        if isinstance(pending.request, ConnectSystem):
            self.connect_ran_out(child, failure)

    def _give_up(self, ref: int) -> None:
        child = self._children[ref]
        pending = child.open[ref]
        if isinstance(pending.request, ConnectSystem) and pending.request.keep_trying:
            self._go_on_unasked(pending)  # it would be tried again at once
        else:
            self._withdraw(child, pending)

    def _go_on_unasked(self, pending: Pending) -> None:
        """It is done, though nobody waits for its answer any more."""
        if pending.client is not None:
            self._by_request.pop((pending.client, pending.request.request_id), None)
        pending.client = pending.gathering = None

    def _fail(
        self,
        child: Child,
        pending: Pending,
        code: FailureCode,
        text: str,
        after: float | None = None,
    ) -> None:
        self._close(child, pending)
        outcome = Outcome.UNKNOWN if pending.delivered else Outcome.NOT_SENT
        self._answer(child, pending, pending.request.failure(code, text, outcome, after))

    def _answer(self, child: Child, pending: Pending, reply: Reply) -> None:
        if pending.results is not None:
            answer = pending.results.pass_on(reply)
            if answer is None:
                return
            reply = answer
        if pending.hear is not None:
            pending.hear(reply)
            return
        if pending.gathering is not None:
            self._answer_or_gather(None, pending.gathering, reply)
            return
        if pending.client is None:
            self.take_back(child, items_in(reply))
            return
        child.received += received_items(reply, child.tapped)
        self._act(TellClient(pending.client, reply))

    def _answer_or_gather(
        self, client: Client | None, gathering: Gathering | None, reply: Reply
    ) -> None:
        if gathering is None:
            if client is not None:
                self._act(TellClient(client, reply))
            return
        assert reply.system_name is not None
        done = isinstance(reply, SystemConnected | SystemDisconnected)
        gathering.results[reply.system_name] = reply if isinstance(reply, Failure) else done
        gathering.missing -= 1
        if gathering.missing == 0:
            self.answer_gathering(gathering)

    def answer_gathering(self, gathering: Gathering) -> None:
        """Answer a request to all systems; all have answered."""
        self._gatherings.remove(gathering)
        if gathering.client is None:
            return
        answer = AllConnected if isinstance(gathering.request, ConnectAll) else AllDisconnected
        reply = answer(request_id=gathering.request.request_id, results=gathering.results)
        self._act(TellClient(gathering.client, reply))

    def _tell(self, child: Child, message: object) -> None:
        self._act(TellActor(child.name, child.incarnation, message))
