"""What comes from systems with an inbox: on the disk before anybody is given it, and until a
reader says that it is done with. Pure.

Such a system is received from all the time, unless its inbox is full. Of what is in the journal
the oldest are here, those that readers have and some to follow.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import attrs

from actors.messages import FailureCode
from supervisor.core.actions import Client
from supervisor.core.child import Child
from supervisor.core.context import Context
from supervisor.core.events import Events
from supervisor.core.outbox import NO_STATE_DIR, Outbox
from supervisor.durable.entry import ReceivedItem, StoredData
from supervisor.messages import EventKind, LifecycleEvent
from supervisor.messages.inbox import DataSettled, DataTaken, NothingTaken, SettleData, TakeData
from supervisor.messages.journal import (
    Acknowledged,
    Answer,
    JournalOpened,
    KeepReceived,
    LoadReceived,
    ReceivedLoaded,
    Taken,
)
from supervisor.specs.spec import ChildSpec, GroupSpec
from supervisor.timing.timers import Timer

MOST_ITEMS: Final = 100_000
"""Of one system, on the disk; when there are more, it is not received from."""
MOST_BYTES: Final = 256 << 20
WINDOW: Final = 256
"""Items that are here."""
WINDOW_BYTES: Final = 4 << 20


@attrs.define(eq=False)
class _Waiter:
    client: Client
    request: TakeData
    timer: Timer | None = None


@attrs.define(eq=False)
class _Shelf:
    """Of one system."""

    stored: int = 0
    """Items in the journal, or on their way there,"""
    size: int = 0
    """and their bytes."""
    free: dict[int, ReceivedItem] = attrs.field(factory=dict)
    """Those here that nobody has, by id."""
    out: dict[int, tuple[Client, ReceivedItem]] = attrs.field(factory=dict)
    """Those that readers have."""
    gone: set[int] = attrs.field(factory=set)
    """Ids of what readers are done with that was taken from the supervisor before this one, until
    that is on the disk: it may be loaded still."""
    coming: int = 0
    """Being written."""
    end: int = 0
    """The id of the last that was here."""
    is_fetching: bool = False
    waiters: deque[_Waiter] = attrs.field(factory=deque)

    @property
    def here(self) -> int:
        return len(self.free) + len(self.out)

    @property
    def is_full(self) -> bool:
        return self.stored >= MOST_ITEMS or self.size >= MOST_BYTES

    @property
    def has_room(self) -> bool:
        size = sum(each.data.size for each in self.free.values())
        return len(self.free) < WINDOW and size < WINDOW_BYTES


class Inbox:
    def __init__(self, context: Context, outbox: Outbox, events: Events) -> None:
        self._context = context
        self._events = events
        self._outbox = outbox
        self._journaling = outbox.journaling
        outbox.on_opened = self._opened
        events.also_wanted = self.wants
        self._journal_id: str | None = None
        self._next_id = 0
        self._shelves: dict[str, _Shelf] = {}
        self._early: list[tuple[Child, tuple[object, ...]]] = []
        """What came before the journal was open."""

    def refusal_of(self, spec: ChildSpec) -> str | None:
        """Why a spec cannot be taken here; None if it can."""
        if self._context.options.state_dir is not None:
            return None
        systems = spec.systems if isinstance(spec, GroupSpec) else (spec,)
        with_inbox = [each.name for each in systems if each.inbox]
        return f"{', '.join(with_inbox)} has an inbox, but {NO_STATE_DIR}" if with_inbox else None

    def wants(self, child: Child) -> bool:
        """Whether the system is to be received from on its inbox's account."""
        if not child.spec.inbox or self._context.options.state_dir is None:
            return False
        self._journaling.need()
        return self._journal_id is not None and not self._shelf(child.name).is_full

    # ---- what comes -------------------------------------------------------------------------

    def data_arrived(self, child: Child, items: tuple[object, ...]) -> None:
        """Items that a system has received, as :func:`actors.payload.wrap` gives them."""
        if not child.spec.inbox:
            return
        if self._journal_id is None:
            self._early.append((child, items))
            return
        shelf = self._shelf(child.name)
        now = self._context.wall_clock()
        kept = []
        for item in items:
            kept.append(ReceivedItem(self._next_id, child.name, StoredData.of(item), now))
            self._next_id += 1
        shelf.coming += len(kept)
        shelf.stored += len(kept)
        shelf.size += sum(each.data.size for each in kept)

        def done(_: str | None) -> None:
            # Only the last ones can be here, too: what is between is in the journal alone.
            for each in kept:
                if shelf.here == shelf.stored - shelf.coming and shelf.has_room:
                    self._put(shelf, each)
                shelf.coming -= 1
            self._serve(child.name, shelf)

        # It is nowhere else any more: it is asked again for as long as it takes.
        self._journaling.ask(tuple(map(KeepReceived, kept)), done, must=True)
        if shelf.is_full:
            self._events.adjust_tap(child)

    def _opened(self, opened: JournalOpened) -> None:
        if self._journal_id == opened.journal_id:
            return
        self._journal_id, self._next_id = opened.journal_id, opened.next_received_id
        for depth in opened.depths:
            shelf = self._shelf(depth.system_name)
            shelf.stored, shelf.size = depth.received, depth.received_bytes
            self._serve(depth.system_name, shelf)
        early, self._early = self._early, []
        for child, items in early:
            self.data_arrived(child, items)
        for child in self._context.children.values():
            self._events.adjust_tap(child)

    # ---- readers ----------------------------------------------------------------------------

    def take(self, child: Child, client: Client, request: TakeData) -> None:
        """Give a reader an item, now or when there is one."""
        if not child.spec.inbox:
            text = "it has no inbox; set inbox to true in its spec, or receive from it"
            self._context.tell(client, request.failure(FailureCode.INVALID_REQUEST, text))
            return
        shelf = self._shelf(child.name)
        waiter = _Waiter(client, request)
        wait = self._context.options.request_timeout if request.wait is None else request.wait

        def run_out() -> None:
            shelf.waiters.remove(waiter)
            nothing = NothingTaken(request_id=request.request_id, system_name=child.name)
            self._context.tell(client, nothing)

        waiter.timer = self._context.timers.after(wait, run_out)
        shelf.waiters.append(waiter)
        self._serve(child.name, shelf)

    def settle(self, child: Child, client: Client, request: SettleData) -> None:
        """A reader is done with an item, or gives it back."""
        shelf = self._shelf(child.name)
        settled = DataSettled(request_id=request.request_id, system_name=child.name)
        if not request.done:
            holder, _ = shelf.out.get(request.item_id, (None, None))
            if holder == client:
                shelf.free[request.item_id] = shelf.out.pop(request.item_id)[1]
                self._serve(child.name, shelf)
            self._context.tell(client, settled)
            return

        def done(_: str | None) -> None:
            shelf.gone.discard(request.item_id)
            self._context.tell(client, settled)

        self._let_go(child, shelf, request.item_id)
        self._journaling.ask((Acknowledged((request.item_id,)),), done, must=True)

    def _let_go(self, child: Child, shelf: _Shelf, item_id: int) -> None:
        was_full = shelf.is_full
        _, item = shelf.out.pop(item_id, (None, None))
        item = item or shelf.free.pop(item_id, None)
        if item is None:
            shelf.gone.add(item_id)
            return
        shelf.stored -= 1
        shelf.size -= item.data.size
        if was_full and not shelf.is_full:
            self._events.adjust_tap(child)

    def cancel(self, client: Client, request_id: int) -> None:
        """The asker does not wait for this any more."""
        self._drop(client, request_id)

    def forget_client(self, client: Client) -> None:
        """A reader is gone: what it had comes again."""
        self._drop(client, None)
        for name, shelf in self._shelves.items():
            back = [item for holder, item in shelf.out.values() if holder == client]
            for item in back:
                del shelf.out[item.id]
                shelf.free[item.id] = item
            if back:
                self._serve(name, shelf)

    def hear(self, event: LifecycleEvent) -> None:
        """Take note of what happens to systems."""
        if event.kind is EventKind.UNREGISTERED and event.system_name in self._shelves:
            shelf = self._shelves[event.system_name]
            while shelf.waiters:
                waiter = shelf.waiters.popleft()
                self._end_wait(waiter)
                text = "the system was unregistered; what came from it is kept"
                failure = waiter.request.failure(FailureCode.UNAVAILABLE, text)
                self._context.tell(waiter.client, failure)

    # ---- details ----------------------------------------------------------------------------

    def _shelf(self, name: str) -> _Shelf:
        return self._shelves.setdefault(name, _Shelf())

    def _put(self, shelf: _Shelf, item: ReceivedItem) -> None:
        shelf.free[item.id] = item
        shelf.end = item.id

    def _serve(self, name: str, shelf: _Shelf) -> None:
        while shelf.waiters and shelf.free:
            waiter = shelf.waiters.popleft()
            self._end_wait(waiter)
            item = shelf.free.pop(min(shelf.free))
            taken = attrs.evolve(item, taken=item.taken + 1)
            shelf.out[item.id] = waiter.client, taken
            self._journaling.ask((Taken((item.id,)),), lambda _: None, must=True)
            reply = DataTaken(
                request_id=waiter.request.request_id,
                system_name=name,
                item_id=item.id,
                data=item.data.wrapped(),
                taken=item.taken,
                received_at=item.received_at,
            )
            self._context.tell(waiter.client, reply)
        lacks = not shelf.free and shelf.stored - shelf.coming > shelf.here
        if lacks and not shelf.is_fetching:
            self._fetch(name, shelf)

    def _fetch(self, name: str, shelf: _Shelf) -> None:
        shelf.is_fetching = True

        def loaded(answer: Answer) -> None:
            shelf.is_fetching = False
            if not isinstance(answer, ReceivedLoaded):
                self._context.timers.after(1.0, lambda: self._serve(name, shelf))
                return
            for item in answer.items:
                if item.id > shelf.end:
                    self._put(shelf, item)
                if item.id in shelf.gone:
                    del shelf.free[item.id]
                    shelf.stored -= 1
                    shelf.size -= item.data.size
            if not answer.items:
                shelf.stored = shelf.here + shelf.coming  # whatever was counted
            self._serve(name, shelf)

        question = LoadReceived(0, name, shelf.end, WINDOW, WINDOW_BYTES)
        self._journaling.read(question, loaded)

    def _drop(self, client: Client, request_id: int | None) -> None:
        for shelf in self._shelves.values():
            for waiter in list(shelf.waiters):
                if waiter.client == client and request_id in (None, waiter.request.request_id):
                    shelf.waiters.remove(waiter)
                    self._end_wait(waiter)

    def _end_wait(self, waiter: _Waiter) -> None:
        if waiter.timer is not None:
            self._context.timers.cancel(waiter.timer)
