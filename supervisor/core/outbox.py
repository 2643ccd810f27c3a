"""What is sent durably: on the disk before it is accepted, and then delivered until it is. Pure.

It is accepted whether its system is there or not. It goes to its system by requests of the
supervisor's own, which the router answers as it answers all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from actors.delivery import Delivery as Mark
from actors.messages import (
    Failure,
    FailureCode,
    ManySent,
    Reason,
    Reply,
    Request,
    SendData,
    SendMany,
    is_final,
)
from actors.messages.limits import MAILBOX_BYTES, size_of
from supervisor.core.actions import Client
from supervisor.core.child import Child
from supervisor.core.context import Context
from supervisor.core.durable_orders import DurableOrder, DurableOrders
from supervisor.core.journaling import Journaling
from supervisor.core.router import Router
from supervisor.durable.delivery import Delivery
from supervisor.durable.entry import DeadLetter, Entry, StoredData
from supervisor.durable.steps import Attempt, Ended, Fetch, Note
from supervisor.messages import EventKind, LifecycleEvent
from supervisor.messages.journal import Accept, JournalOpened
from supervisor.specs.durable import DurablePolicy
from supervisor.specs.spec import ChildSpec, GroupSpec
from supervisor.timing.timers import Timer
from supervisor.tree.decisions import Happened

NO_STATE_DIR: Final = (
    "there is no directory to keep it in; name one: "
    'SupervisorOptions(state_dir="/var/lib/..."), or state_dir in [supervisor]'
)
_USUAL: Final = DurablePolicy()
"""Of a system whose spec says nothing, and whose sender asks for it."""


class Outbox:
    def __init__(self, context: Context, router: Router) -> None:
        self._context = context
        self._router = router
        self._journaling = Journaling(context)
        self._journaling.on_opened = self._opened
        self._journaling.on_failed = self._failed
        self._orders = DurableOrders(context)
        self._orders.withdraw = self._withdraw
        self._journal_id: str | None = None
        """None until a journal was opened."""
        self._next_id = 0
        self._held_back: list[DurableOrder] = []
        """What came before that."""
        self._deliveries: dict[str, Delivery] = {}
        """By system, also of systems that are not registered (any more)."""
        self._ended: dict[str, list[Ended]] = {}
        """What is noted next, by system."""
        self._timers: dict[str, Timer] = {}
        self._touched: dict[str, None] = {}
        self.on_opened: Callable[[JournalOpened], None] = lambda opened: None
        self.journal_said = self._journaling.said
        self.journal_exited = self._journaling.exited

    def begin(self, *, has_journal: bool) -> None:
        """Open the journal, if there is one, or will be.

        Args:
            has_journal: whether there is one from before.
        """
        self._touched.update(dict.fromkeys(self._context.children))
        if has_journal and self._context.options.state_dir is not None:
            self._journaling.need()

    @property
    def journaling(self) -> Journaling:
        return self._journaling

    @property
    def journal_id(self) -> str | None:
        """None until a journal was opened."""
        return self._journal_id

    @property
    def is_settled(self) -> bool:
        """Whether what became of all that was sent is on the disk, as far as that is possible."""
        return not self._touched and self._journaling.is_idle

    def waiting(self, name: str) -> int | None:
        """How many messages wait to be delivered to a system; None while that is not known."""
        if self._journal_id is None and self._journaling.is_needed:
            return None
        delivery = self._deliveries.get(name)
        return 0 if delivery is None else delivery.items

    # ---- in ---------------------------------------------------------------------------------

    def refusal_of(self, spec: ChildSpec) -> str | None:
        """Why a spec cannot be taken here; None if it can."""
        if self._context.options.state_dir is not None:
            return None
        systems = spec.systems if isinstance(spec, GroupSpec) else (spec,)
        durable = [each.name for each in systems if each.durable is not None]
        return f"{', '.join(durable)} is durable, but {NO_STATE_DIR}" if durable else None

    def takes(self, child: Child, request: Request) -> bool:
        """Whether a request is for the outbox."""
        if not isinstance(request, SendData | SendMany):
            return False
        if request.durable is None:
            return child.spec.durable is not None
        return request.durable

    def accept(self, child: Child, client: Client, request: SendData | SendMany) -> None:
        """Accept what is to be sent to a system, or refuse it. It is answered when it is on the
        disk, or when it is delivered, as it says."""
        refusal = self._refusal(child, request)
        if refusal is not None:
            self._context.tell(client, refusal)
            return
        order = self._orders.open(client, request)
        self._journaling.need()
        if self._journal_id is None:
            self._held_back.append(order)
        else:
            self._write(order)

    def cancel(self, client: Client, request_id: int) -> None:
        self._orders.cancel(client, request_id)

    def forget_client(self, client: Client) -> None:
        self._orders.forget_client(client)

    def _refusal(self, child: Child, request: SendData | SendMany) -> Failure | None:
        if self._context.options.state_dir is None:
            return request.failure(FailureCode.INVALID_REQUEST, f"not sent: {NO_STATE_DIR}")
        if self._journaling.why_not is not None:
            text = f"nothing can be sent durably: {self._journaling.why_not}"
            return request.failure(FailureCode.UNAVAILABLE, text)
        delivery = self._delivery_of(child.name)
        if delivery.is_full:
            policy = delivery.policy
            text = (
                f"its outbox is full: {delivery.items:,} messages of {delivery.size:,} bytes wait "
                f"(max_items {policy.max_items:,}, max_bytes {policy.max_bytes:,})"
            )
            return request.failure(FailureCode.OVERLOADED, text)
        held_back = sum(size_of(each.request) for each in self._held_back)
        if self._journaling.size + held_back + size_of(request) > MAILBOX_BYTES:
            text = "too much waits to be written to the journal; send less, or wait for answers"
            return request.failure(FailureCode.OVERLOADED, text)
        return None

    def _write(self, order: DurableOrder) -> None:
        request = order.request
        delivery = self._delivery_of(request.system_name)
        items = request.items if isinstance(request, SendMany) else (request.data,)
        now = self._context.wall_clock()
        entries = []
        for item in items:
            data = StoredData.of(item)
            entries.append(Entry(self._next_id, request.system_name, data, now))
            self._next_id += 1
        for entry in entries:
            delivery.expect(entry)

        def done(refusal: str | None) -> None:
            for entry in entries:
                (delivery.accepted if refusal is None else delivery.not_accepted)(entry)
            if refusal is None:
                assert self._journal_id is not None
                names = tuple([each.delivery_id(self._journal_id) for each in entries])
                self._orders.accepted(order, tuple([each.id for each in entries]), names)
                self.touch(request.system_name)
            else:
                self._orders.refuse(order, FailureCode.UNAVAILABLE, f"not accepted: {refusal}")

        order.asked = self._journaling.ask(tuple(map(Accept, entries)), done)

    def _withdraw(self, order: DurableOrder) -> bool:
        if order in self._held_back:
            self._held_back.remove(order)
            return True
        if order.asked is None or not self._journaling.withdraw(order.asked):
            return False
        delivery = self._delivery_of(order.request.system_name)
        for operation in order.asked.operations:
            assert isinstance(operation, Accept)
            delivery.not_accepted(operation.entry)
        return True

    # ---- what is done by hand ---------------------------------------------------------------

    def blocked(self) -> list[DeadLetter]:
        """The messages that all others of their systems wait for."""
        entries = [each.blocked for each in self._deliveries.values() if each.blocked is not None]
        return [DeadLetter(each, self._blocked_text(each), _last_failure(each)) for each in entries]

    def take_id(self) -> int:
        """For what is to be written; once a journal was opened."""
        self._next_id += 1
        return self._next_id - 1

    def changed_by_hand(self, name: str, items: int, size: int) -> None:
        """So much more of a system, or less, waits in the journal, and that is on the disk."""
        delivery = self._delivery_of(name)
        delivery.items += items
        delivery.size += size
        delivery.look_again()
        self.touch(name)

    # ---- what happens -----------------------------------------------------------------------

    def touch(self, name: str) -> None:
        """Something may be to be done for this system."""
        if name in self._deliveries:
            self._touched[name] = None

    def hear(self, event: LifecycleEvent) -> None:
        name = event.system_name
        match event.kind:
            case EventKind.REGISTERED | EventKind.CHANGED:
                self._touched[name] = None  # it is there only when all have heard of it
            case EventKind.UNREGISTERED if name in self._deliveries:
                self._orders.system_gone(name)
                self._deliveries[name].look_again()  # what is held of it is in the journal, too

    def _opened(self, opened: JournalOpened) -> None:
        if self._journal_id != opened.journal_id:  # the first, or somebody has taken it away
            self._journal_id, self._next_id = opened.journal_id, opened.next_id
            for depth in opened.depths:
                if depth.waiting:
                    self._add(depth.system_name, depth.waiting, depth.waiting_bytes)
        held_back, self._held_back = self._held_back, []
        for order in held_back:
            self._write(order)
        self.on_opened(opened)

    def _failed(self, why: str) -> None:
        held_back, self._held_back = self._held_back, []
        for order in held_back:
            text = f"nothing can be sent durably: {why}"
            self._orders.refuse(order, FailureCode.UNAVAILABLE, text)

    # ---- deliveries -------------------------------------------------------------------------

    def flush(self) -> None:
        """Have done what is to be done, for all systems that something changed about."""
        while self._touched:
            touched, self._touched = self._touched, {}
            for name in touched:
                self._context.guard(f"the outbox of {name}", self._go_on, name)
        self._journaling.flush()

    def _delivery_of(self, name: str) -> Delivery:
        return self._deliveries.get(name) or self._add(name, 0, 0)

    def _add(self, name: str, items: int, size: int) -> Delivery:
        ended = self._ended[name] = []
        delivery = self._deliveries[name] = Delivery(
            self._policy_of(name),
            self._context.random,
            self._context.wall_clock,
            ended.append,
            items,
            size,
        )
        self.touch(name)
        return delivery

    def _policy_of(self, name: str) -> DurablePolicy:
        child = self._context.children.get(name)
        return (child.spec.durable if child is not None else None) or _USUAL

    def _go_on(self, name: str) -> None:
        now = self._context.now
        child = self._context.children.get(name)
        if child is not None and child.spec.durable and self._context.options.state_dir is not None:
            self._journaling.need()  # open before it is needed
        delivery = self._deliveries.get(name)
        if delivery is None:
            return
        is_connected = child is not None and child.is_running and child.is_connected
        delivery.connection_changed(is_connected, now)
        delivery.is_registered = child is not None
        delivery.policy = self._policy_of(name)
        was_blocked = delivery.blocked
        while (step := delivery.next_step(now)) is not None:
            match step:
                case Fetch():
                    self._fetch(name, delivery, step)
                case Note():
                    self._note(name, delivery, step)
                case Attempt() if child is not None:
                    self._attempt(child, delivery, step)
        if delivery.blocked is not None and delivery.blocked is not was_blocked:
            self._tell(name, EventKind.OUTBOX_BLOCKED, self._blocked_text(delivery.blocked))
        self._set_timer(name, delivery)

    def _fetch(self, name: str, delivery: Delivery, fetch: Fetch) -> None:
        def loaded(entries: tuple[Entry, ...] | None) -> None:
            if entries is None:
                delivery.fetch_failed(self._context.now)
            else:
                delivery.loaded(entries)
            self.touch(name)

        self._journaling.load(name, fetch.after, fetch.limit, fetch.max_bytes, loaded)

    def _note(self, name: str, delivery: Delivery, note: Note) -> None:
        ended, self._ended[name][:] = list(self._ended[name]), []
        for each in ended:
            if each.why_not is not None:
                text = f"message {each.id} is a dead letter now: {each.why_not}"
                self._tell(name, EventKind.DEAD_LETTER, text)

        def done(_: str | None) -> None:
            for each in ended:
                self._orders.ended(each.id, each.why_not)
            delivery.noted()
            if note.begins:
                delivery.begun()
            self.touch(name)

        self._journaling.ask(note.operations, done, must=True)

    def _attempt(self, child: Child, delivery: Delivery, attempt: Attempt) -> None:
        assert self._journal_id is not None
        marks = []
        items = []
        for entry in attempt.entries:
            marks.append(
                Mark(entry.delivery_id(self._journal_id), entry.attempts, entry.accepted_at)
            )
            items.append(entry.data.wrapped())
        request = SendMany(
            child.name, tuple(items), stream=True, until_failure=True, deliveries=tuple(marks)
        )

        def hear(reply: Reply) -> None:
            now = self._context.now
            if isinstance(reply, ManySent):
                delivery.heard(reply.results, now, final=is_final(reply))
            elif isinstance(reply, Failure):
                delivery.failed(reply, now)
            self.touch(child.name)

        self._router.ask_on_its_own(child, request, hear)

    def _set_timer(self, name: str, delivery: Delivery) -> None:
        due = delivery.due
        timer = self._timers.pop(name, None)
        if timer is not None:
            self._context.timers.cancel(timer)
        if due is not None and due > self._context.now:
            self._timers[name] = self._context.timers.at(due, lambda: self.touch(name))

    def _tell(self, name: str, kind: EventKind, text: str) -> None:
        child = self._context.children.get(name)
        incarnation = 0 if child is None else child.incarnation
        self._context.publish(Happened(kind, name, incarnation, Reason(kind.value, text)))

    def _blocked_text(self, entry: Entry) -> str:
        last = f": {entry.history[-1].why}" if entry.history else ""
        return (
            f"message {entry.id} failed in {entry.attempts} attempts{last}; all "
            "behind it wait until it is retried or discarded"
        )


def _last_failure(entry: Entry) -> float:
    return entry.history[-1].at if entry.history else entry.accepted_at
