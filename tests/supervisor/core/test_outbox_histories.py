"""Random histories of an outbox: the system, the supervisor and the journal are killed at any
step, the disk is full now and then, and messages fail. Against a naive receiver with a ledger."""

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from actors.messages import (
    ConnectSystem,
    DataAccepted,
    Failure,
    FailureCode,
    ManySent,
    Outcome,
    Reason,
    SendMany,
    SystemConnected,
)
from supervisor.specs.durable import DurablePolicy
from tests.helpers.journals import DurablePlant
from tests.helpers.looking import long, quick

WINDOW = 3
POLICY = DurablePolicy(window=WINDOW, max_attempts=4, max_crashes=2, backoff_max=2.0)
NO_RESTART_LIMIT = {"max_restarts": 1000, "period": 1e6}


class Receiver:
    """What one incarnation of a system does with what it is asked to send."""

    def __init__(self, actor):
        self.actor = actor
        self.next = 0
        """Of the requests that it was given."""
        self.job = None
        self.results = []
        """Of the job, not told yet."""
        self.done = 0
        """Of the items of the job."""

    def look(self):
        """Begin the next job, if there is none."""
        while self.job is None and self.next < len(self.actor.requests):
            request = self.actor.requests[self.next]
            self.next += 1
            if isinstance(request, SendMany):
                self.job, self.done, self.results = request, 0, []
            else:
                assert isinstance(request, ConnectSystem)
                self.actor.answer(request, SystemConnected)

    def tell(self):
        """Report what there is; it is the end if all is done."""
        assert self.job is not None
        final = self.done == len(self.job.items)
        job, results = self.job, tuple(self.results)
        self.results = []
        if final:
            self.job = None
        reply = ManySent(request_id=job.request_id, system_name="plc", results=results, final=final)
        self.actor.report((self.actor.ref_of(job), reply))


class Outboxes(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.plant = DurablePlant()
        self.plant.register(connect=True, durable=POLICY, **NO_RESTART_LIMIT)
        self.receivers = {}
        self.asked = {}
        self.items = 0
        self.ledger = []
        """All that was ever taken by the system."""
        self.accepted = set()
        self.told = set()
        """What the system has said to this supervisor that it took."""
        self.go_on()  # else most histories would be over before it is connected

    # ---- who sends ----------------------------------------------------------------------

    @rule(count=st.integers(1, 4), wait=st.booleans(), burst=st.booleans())
    def send(self, count, wait, burst):
        items = tuple(range(self.items, self.items + count))
        self.items += count
        request = SendMany("plc", items, wait=wait)
        self.asked[request.request_id] = request
        (self.plant.post if burst else self.plant.tell)(request)

    # ---- the system ---------------------------------------------------------------------

    @property
    def receiver(self):
        actor = self.plant.actor()
        receiver = self.receivers.get(actor)
        if receiver is None:
            receiver = self.receivers[actor] = Receiver(actor)
        return receiver

    @property
    def is_up(self):
        actor = self.plant.actor()
        child = self.plant.core._context.children["plc"]
        return child.is_running and not actor.killed and not actor.forgotten

    @rule()
    def go_on(self):
        actor = self.plant.actor()
        if not self.is_up:
            if not (actor.killed or actor.forgotten):
                actor.start()
            return
        self.receiver.look()

    @rule(count=st.integers(1, WINDOW), tell=st.booleans())
    def take(self, count, tell):
        if not self.is_up:
            return
        receiver = self.receiver
        receiver.look()
        if receiver.job is None:
            return
        for _ in range(count):
            if receiver.done < len(receiver.job.items):
                self.note(receiver)
                receiver.results.append(True)
                receiver.done += 1
        if tell or receiver.done == len(receiver.job.items):
            self.tell()

    def tell(self):
        receiver = self.receiver
        first = receiver.done - len(receiver.results)
        for item, result in zip(receiver.job.items[first:], receiver.results, strict=False):
            if result is True:
                self.told.add(item)
        receiver.tell()

    def note(self, receiver):
        """The next item arrives."""
        item = receiver.job.items[receiver.done]
        [entry] = [e for e in self.plant.disk.waiting.values() if e.data.wrapped() == item]
        assert entry.attempts, "it is sent before its attempt is on the disk"
        assert entry.attempts == receiver.job.deliveries[receiver.done].attempt
        assert entry.delivery_id("j") == receiver.job.deliveries[receiver.done].id
        assert item not in self.told, "it is sent again, and nobody doubted that it arrived"
        self.ledger.append(item)

    @rule(arrives=st.booleans(), known=st.booleans())
    def fail(self, arrives, known):
        if not self.is_up:
            return
        receiver = self.receiver
        receiver.look()
        if receiver.job is None:
            return
        if arrives and not known:
            self.note(receiver)
        outcome = Outcome.NOT_SENT if known else Outcome.UNKNOWN
        job = receiver.job
        failure = job.failure(FailureCode.CONNECTOR_ERROR, "no", outcome)
        rest = len(job.items) - receiver.done - 1
        receiver.results += [failure, *([job.failure(FailureCode.NOT_TRIED, "no")] * rest)]
        receiver.done = len(job.items)
        self.tell()

    @rule()
    def lose_the_connection(self):
        if not self.is_up:
            return
        receiver = self.receiver
        receiver.look()
        job = receiver.job
        if job is not None:
            rest = len(job.items) - receiver.done
            receiver.results += [job.failure(FailureCode.NOT_CONNECTED, "not connected")] * rest
            receiver.done = len(job.items)
            receiver.actor.is_connected = False
            self.tell()
        receiver.actor.lose(Reason("lost", "it hung up"))

    @rule()
    def crash(self):
        actor = self.plant.actor()
        if self.is_up:
            actor.crash_and_exit()

    # ---- the journal --------------------------------------------------------------------

    @rule(held=st.booleans())
    def hold_the_journal(self, held):
        self.plant.holds_journal = held
        self.plant.carry_out()

    @rule()
    def step_the_journal(self):
        self.plant.step_journal()

    @rule()
    def kill_the_journal(self):
        if self.plant.journal is not None:
            self.plant.kill_journal()

    @rule(is_full=st.booleans())
    def fill_the_disk(self, is_full):
        self.plant.disk.is_full = is_full

    # ---- the supervisor -----------------------------------------------------------------

    @rule()
    def kill_the_supervisor(self):
        self.look()
        before = self.plant
        self.asked.clear()
        self.told.clear()
        self.plant = DurablePlant(before.disk, record=before.core._keepers.record())
        self.plant.now = before.now

    @rule(seconds=st.sampled_from((0.1, 1.0, 5.0)))
    def wait(self, seconds):
        self.plant.advance(seconds)

    # ---- what always holds --------------------------------------------------------------

    @invariant()
    def look(self):
        for request in list(self.asked.values()):
            for reply in self.plant.replies(request):
                del self.asked[request.request_id]
                if isinstance(reply, DataAccepted):
                    self.accepted.update(request.items)
                elif isinstance(reply, ManySent):
                    self.accepted.update(request.items)
                    for item, result in zip(request.items, reply.results, strict=True):
                        assert item not in self.waiting
                        assert isinstance(result, Failure) or item in self.ledger
                else:
                    assert isinstance(reply, Failure)
                    assert reply.outcome is Outcome.UNKNOWN or not self.waiting & set(
                        request.items
                    ), "refused, and on the disk"

    @property
    def waiting(self):
        return {each.data.wrapped() for each in self.plant.disk.waiting.values()}

    @invariant()
    def nothing_accepted_is_lost(self):
        known = self.waiting | set(self.ledger) | self.dead
        assert self.accepted <= known

    @property
    def dead(self):
        return {self.plant.disk.items[each] for each in self.plant.disk.dead}

    @invariant()
    def order_holds(self):
        first = list(dict.fromkeys(self.ledger))
        assert first == sorted(first)

    @invariant()
    def only_a_window_is_in_the_supervisor(self):
        for delivery in self.plant.core._outbox._deliveries.values():
            assert len(delivery._held) <= 2 * WINDOW

    def teardown(self):
        self.fill_the_disk(False)
        self.hold_the_journal(False)
        for _ in range(300):
            if not self.plant.disk.waiting and not self.asked:
                break
            self.plant.advance(3)
            self.go_on()
            self.take(WINDOW, tell=True)
            self.look()
        assert not self.plant.disk.waiting
        assert not self.asked
        self.nothing_accepted_is_lost()
        self.order_holds()


TestOutboxes = Outboxes.TestCase
TestOutboxes.settings = quick(200, steps=50)


@pytest.mark.long
class TestOutboxesForLong(Outboxes.TestCase):  # type: ignore[misc, valid-type]
    settings = long(steps=80)
