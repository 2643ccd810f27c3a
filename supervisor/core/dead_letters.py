"""What is asked about dead letters: one order after the other, each as a whole. Pure."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence

import attrs

from actors.messages import FailureCode, Reply, invalid_request
from supervisor.core.actions import Client
from supervisor.core.context import Context
from supervisor.core.orders import Order, Orders
from supervisor.core.outbox import NO_STATE_DIR, Outbox
from supervisor.durable.entry import DeadLetter
from supervisor.messages.dead_letters import (
    DeadLetterRequest,
    DeadLettersDone,
    DeadLettersGiven,
    DiscardDeadLetters,
    ImportDeadLetters,
    ListDeadLetters,
    RetryDeadLetters,
)
from supervisor.messages.journal import (
    Answer,
    DeadLettersFound,
    DeadLettersLoaded,
    Discard,
    FindDeadLetters,
    LoadDeadLetters,
    LoadFailed,
    Operation,
    Revive,
    TakeIn,
)

Found = tuple[int, str, int]
"""Of a dead letter its id, its system, and the bytes of its data."""


class DeadLetters:
    def __init__(self, context: Context, orders: Orders, outbox: Outbox) -> None:
        self._context = context
        self._orders = orders
        self._outbox = outbox
        self._journaling = outbox.journaling
        self._queue: deque[tuple[Order, DeadLetterRequest]] = deque()
        self._is_busy = False
        """Whether one is under way: what it has found is still so when it is written."""

    def obey(self, client: Client, request: DeadLetterRequest) -> None:
        """Answer a question, or carry out an order."""
        refusal = self._refusal(request)
        if refusal is not None:
            self._context.tell(client, refusal)
            return
        patience = self._context.options.request_timeout
        self._queue.append((self._orders.open(client, request, None, patience), request))
        self._next()

    def _refusal(self, request: DeadLetterRequest) -> Reply | None:
        if self._context.options.state_dir is None:
            return request.failure(FailureCode.INVALID_REQUEST, f"no dead letters: {NO_STATE_DIR}")
        if self._journaling.why_not is not None:
            return request.failure(FailureCode.UNAVAILABLE, self._journaling.why_not)
        return None

    def _next(self) -> None:
        while self._queue and not self._is_busy:
            self._is_busy = True
            order, request = self._queue.popleft()
            self._begin(order, request)

    def _done(self) -> None:
        self._is_busy = False
        self._next()

    def _begin(self, order: Order, request: DeadLetterRequest) -> None:
        if isinstance(request, ImportDeadLetters):
            self._journaling.need()
        elif not self._journaling.has_begun:  # there is no journal, so none of these
            self._answer_empty(order, request)
            return
        match request:
            case ListDeadLetters():
                question = LoadDeadLetters(0, request.system_name, request.ids, request.after)
                self._journaling.read(question, lambda said: self._list(order, request, said))
            case RetryDeadLetters() | DiscardDeadLetters():
                find = FindDeadLetters(0, request.system_name, request.ids)
                self._journaling.read(find, lambda said: self._change(order, request, said))
            case ImportDeadLetters():
                # By then it is open, and tells which ids are free.
                find = FindDeadLetters(0, None, ())
                self._journaling.read(find, lambda _: self._take_in(order, request))
            case _:
                text = f"a supervisor does not understand {type(request).__name__}"
                self._orders.answer(order, invalid_request(request, text))
                self._done()

    def _answer_empty(self, order: Order, request: DeadLetterRequest) -> None:
        if isinstance(request, ListDeadLetters):
            self._orders.answer(order, self._given(request, (), False))
        elif isinstance(request, RetryDeadLetters | DiscardDeadLetters):
            self._answer_done(order, request, request.ids or (), [])
        self._done()

    # ---- to look at -------------------------------------------------------------------------

    def _list(self, order: Order, request: ListDeadLetters, said: Answer) -> None:
        if isinstance(said, DeadLettersLoaded):
            blocked = []
            if not said.more:
                # They wait in their outbox, and are no dead letters in the journal.
                blocked = [
                    each
                    for each in self._outbox.blocked()
                    if request.system_name in (None, each.entry.system_name)
                    and (request.ids is None or each.entry.id in request.ids)
                    and each.entry.id > request.after
                ]
            letters = sorted((*said.letters, *blocked), key=lambda each: each.entry.id)
            self._orders.answer(order, self._given(request, tuple(letters), said.more))
        else:
            self._failed(order, said)
        self._done()

    def _given(
        self, request: ListDeadLetters, letters: tuple[DeadLetter, ...], more: bool
    ) -> DeadLettersGiven:
        return DeadLettersGiven(
            request_id=request.request_id,
            system_name=request.system_name,
            journal_id=self._outbox.journal_id or "",
            letters=letters,
            more=more,
        )

    # ---- to change --------------------------------------------------------------------------

    def _change(
        self, order: Order, request: RetryDeadLetters | DiscardDeadLetters, said: Answer
    ) -> None:
        if not isinstance(said, DeadLettersFound):
            self._failed(order, said)
            self._done()
            return
        dead = [each for each in said.found if request.system_name in (None, each[1])]
        blocked = [
            (each.entry.id, each.entry.system_name, each.entry.data.size)
            for each in self._outbox.blocked()
            if request.system_name in (None, each.entry.system_name)
            and (request.ids is None or each.entry.id in request.ids)
        ]
        ids = tuple(each[0] for each in (*dead, *blocked))
        missing = [each for each in request.ids or () if each not in set(ids)]
        if missing or not ids:
            self._answer_done(order, request, missing, [])
            self._done()
            return

        def done(refusal: str | None) -> None:
            if refusal is None:
                if isinstance(request, RetryDeadLetters):
                    self._tell(dead, +1)
                    self._tell(blocked, 0)
                else:
                    self._tell(blocked, -1)
                self._answer_done(order, request, (), ids)
            else:
                self._orders.fail(order, FailureCode.UNAVAILABLE, f"nothing was done: {refusal}")
            self._done()

        operation = Revive(ids) if isinstance(request, RetryDeadLetters) else Discard(ids)
        self._write((operation,), done)

    def _answer_done(
        self,
        order: Order,
        request: DeadLetterRequest,
        missing: Sequence[int],
        ids: Sequence[int],
    ) -> None:
        if missing:
            text = f"there is no dead letter {missing[0]}; nothing was done"
            self._orders.fail(order, FailureCode.NOT_FOUND, text)
        else:
            done = DeadLettersDone(request_id=request.request_id, ids=tuple(ids))
            self._orders.answer(order, done)

    def _tell(self, found: Sequence[Found], factor: int) -> None:
        """Have the outboxes know that there is so much more, or less, in the journal."""
        counts: Counter[str] = Counter(name for _, name, _ in found)
        for name, count in counts.items():
            size = sum(each[2] for each in found if each[1] == name)
            self._outbox.changed_by_hand(name, factor * count, factor * size)

    # ---- to take in -------------------------------------------------------------------------

    def _take_in(self, order: Order, request: ImportDeadLetters) -> None:
        letters = [
            attrs.evolve(letter, entry=attrs.evolve(letter.entry, id=self._outbox.take_id()))
            for letter in request.letters
        ]
        ids = tuple(letter.entry.id for letter in letters)

        def find(said: Answer) -> None:
            if isinstance(said, DeadLettersFound):
                self._answer_done(order, request, (), [each[0] for each in said.found])
            else:
                self._failed(order, said)
            self._done()

        def done(refusal: str | None) -> None:
            if refusal is None:
                self._journaling.read(FindDeadLetters(0, None, ids), find)
            else:
                self._orders.fail(order, FailureCode.UNAVAILABLE, f"not taken in: {refusal}")
                self._done()

        self._write(tuple(map(TakeIn, letters)), done)

    def _write(self, operations: tuple[Operation, ...], done: Callable[[str | None], None]) -> None:
        self._journaling.ask(operations, done)
        self._journaling.flush()

    def _failed(self, order: Order, said: Answer) -> None:
        text = said.text if isinstance(said, LoadFailed) else "the journal cannot be read"
        self._orders.fail(order, FailureCode.UNAVAILABLE, text)
