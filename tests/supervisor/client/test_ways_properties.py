"""Random histories of the two ways to a system, against a naive world at their other ends.

The world has pipes: what goes through the supervisor and what goes straight arrive when
chance wants it, in order each for itself. A bystander notes what the system begins.
"""

from collections import deque
from typing import Any

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from actors.messages import (
    Answered,
    CallCommand,
    CommandCalled,
    ConnectSystem,
    DataReceived,
    DataSent,
    Deliver,
    Failure,
    FailureCode,
    Fence,
    FencePassed,
    Forget,
    ManySent,
    NothingReceived,
    Outcome,
    QueryAnswered,
    QueryData,
    ReceiveData,
    Reply,
    SendData,
    SendMany,
    SystemConnected,
    TakeBack,
)
from actors.messages.limits import WINDOW
from supervisor.client.asked import Place
from supervisor.client.way_actions import GiveBack, Route, Tell, Unroute
from supervisor.client.ways import Ways
from supervisor.messages import SystemResolved
from tests.helpers.looking import long, quick

MAILBOX = 12


@attrs.define(eq=False)
class Asked:
    """What the bystander knows of one request."""

    place: int
    """Which one it was that was asked: 0, 1, 2..."""
    request: Any
    replies: list[Reply] = attrs.field(factory=list)
    cancelled: bool = False
    taken_out: bool = False
    """Whether it had not gone anywhere when it was cancelled."""
    began: int = 0
    """How often the system began it."""

    @property
    def finals(self):
        return [each for each in self.replies if not isinstance(each, ManySent) or each.final]


@attrs.define(eq=False)
class Incarnation:
    number: int
    straight: deque = attrs.field(factory=deque)
    """What is on its way to it on the link."""
    routed: deque = attrs.field(factory=deque)
    """The same of what the supervisor delivered."""
    said: deque = attrs.field(factory=deque)
    """On its way back on the link."""
    taken: int = 1
    news: bool = False
    replies: list = attrs.field(factory=list)
    refused: list = attrs.field(factory=list)
    busy: list = attrs.field(factory=list)
    """``(request, whether it came straight)``, begun and not answered."""
    stopping: bool = False
    hung_up: bool = False
    """Whether the manager has noticed its end."""


def answer_to(question: QueryData) -> str:
    return f"answer to {question.request_id}"


class TwoWays(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.flushes = True
        self.ways = Ways("plc")
        self.asked: dict[int, Asked] = {}
        self.lives = 1
        self.alive: Incarnation | None = Incarnation(1)
        self.linked: Incarnation | None = None
        self.dead: list[Incarnation] = []
        """Those whose end the manager has not been told of."""
        self.to_supervisor: deque = deque()
        self.mailbox: deque = deque()
        self.open_routed: dict[int, Any] = {}
        """What the supervisor has delivered and has no answer to."""
        self.unseen: set[int] = set()
        self.last_begun = -1
        self.items = 0
        self.given: list[object] = []
        self.returned: list[object] = []

    # ---- the manager ----------------------------------------------------------------------

    def ask(self, request, size=None):
        asked = Asked(len(self.asked), request)
        self.asked[request.request_id] = asked
        self.ways.ask(request, asked.replies.append, self.now, size)
        if self.flushes:
            self.flush()

    @rule(flushes=st.booleans())
    def change_manners(self, flushes):
        self.flushes = flushes

    @rule(timeout=st.sampled_from((None, None, 1.0)), size=st.sampled_from((None, 1)))
    def send(self, timeout, size=None):
        self.ask(SendData("plc", b"x", timeout=timeout), size)

    @rule(count=st.integers(1, 5), stream=st.booleans())
    def send_many(self, count, stream):
        self.ask(SendMany("plc", (b"x",) * count, stream=stream))

    @rule(timeout=st.sampled_from((None, None, 1.0)))
    def query(self, timeout):
        self.ask(QueryData("plc", "?", timeout=timeout))

    @rule(wait=st.sampled_from((None, 5.0)))
    def receive(self, wait):
        self.ask(ReceiveData("plc", wait))

    @rule()
    def call(self):
        self.ask(CallCommand("plc", "reset"))

    @rule()
    def connect(self):
        self.ask(ConnectSystem("plc"))

    @precondition(lambda self: self.alive and self.linked is None and not self.alive.stopping)
    @rule(steps=st.integers(5, 30))
    def go_straight(self, steps):
        """Open a link and let the world go on for a while, as it mostly does."""
        self.open_link()
        self.call()
        self.calm(steps)

    @rule(steps=st.integers(1, 15), straight_first=st.booleans())
    def calm(self, steps, straight_first=True):
        for _ in range(steps):
            if not self.step(straight_first):
                return

    @property
    def all_is_taken(self):
        """Also of what nobody waits for any more, which may be on its way all the same."""
        comes = [] if self.alive is None else self.alive.straight
        return self.ways.all_is_taken and not any(isinstance(each, Deliver) for each in comes)

    @precondition(lambda self: self.all_is_taken)
    @rule()
    def connect_all(self):
        """An order that goes through the supervisor unseen; here it concerns one system."""
        asked = Asked(len(self.asked), ConnectSystem("plc"))
        self.asked[asked.request.request_id] = asked
        self.unseen.add(asked.request.request_id)
        self.ways.asked_unseen()
        self.to_supervisor.append(asked.request)

    @precondition(lambda self: self.linked)
    @rule(sends=st.integers(1, 3), more=st.booleans())
    def send_and_connect(self, sends, more):
        """A burst in which the ways change, and change again."""
        for _ in range(sends):
            self.send(None)
        self.connect()
        if more:
            self.send(None)

    @rule(pick=st.integers(0, 1000))
    def cancel(self, pick):
        open_ = [
            each
            for request_id, each in self.asked.items()
            if not each.finals and not each.cancelled and request_id not in self.unseen
        ]
        if open_:
            chosen = open_[pick % len(open_)]
            request_id = chosen.request.request_id
            chosen.taken_out = self.ways._asked[request_id].place is Place.QUEUE
            assert self.ways.cancel(request_id)
            chosen.cancelled = True

    @rule(pick=st.integers(0, 1000))
    def cancel_too_late(self, pick):
        closed = [key for key, each in self.asked.items() if each.finals or each.cancelled]
        if closed:
            assert not self.ways.cancel(closed[pick % len(closed)])

    @rule()
    def flush(self):
        for action in self.ways.flush(self.now):
            match action:
                case Tell(message):
                    assert self.linked is not None, "said something where nobody is"
                    if not self.linked.hung_up and self.linked is self.alive:
                        self.linked.straight.append(message)
                    else:
                        self.lose_what_was_given_back([message])
                case Route(request):
                    self.to_supervisor.append(request)
                case Unroute(request_id):
                    self.to_supervisor.append(request_id)
                case GiveBack(message):
                    self.returned += message.items

    @rule(seconds=st.sampled_from((0.1, 1.0, 40.0)))
    def time_passes(self, seconds):
        self.now += seconds
        self.ways.tick(self.now)

    # ---- the link -----------------------------------------------------------------------

    @precondition(lambda self: self.alive and self.linked is None and not self.alive.stopping)
    @rule(waits=st.booleans(), is_connected=st.booleans())
    def open_link(self, waits=False, is_connected=True):
        self.linked = self.alive
        found = SystemResolved(
            request_id=0,
            system_name="plc",
            incarnation=self.alive.number,
            door="",
            mailbox_size=MAILBOX,
            max_payload_bytes=1000,
            request_timeout=30.0,
            connect_timeout=60.0,
            waits_when_down=waits,
            is_connected=is_connected,
        )
        self.ways.found(found, self.ways.connection_news, self.now)
        self.ways.opened(found, 1)

    @rule(is_up=st.booleans())
    def the_connection_changes(self, is_up):
        """What the supervisor knows of it: what is to wait goes there while it is down."""
        self.ways.connection(is_up)
        before = len(self.linked.straight) if self.linked else 0
        self.flush()
        if self.linked and self.ways._is_to_wait:
            sent = list(self.linked.straight)[before:]
            assert not any(isinstance(each, Deliver) for each in sent), "it was to wait"

    @precondition(lambda self: self.linked and self.linked.said)
    @rule()
    def hear(self):
        self.ways.heard(self.linked.said.popleft(), self.now)

    # ---- the supervisor -------------------------------------------------------------------

    @precondition(lambda self: self.to_supervisor)
    @rule()
    def supervisor_reads(self):
        message = self.to_supervisor.popleft()
        if isinstance(message, int):
            self.mailbox = deque(each for each in self.mailbox if each.request_id != message)
            self.open_routed.pop(message, None)
        else:
            self.mailbox.append(message)

    @precondition(lambda self: self.mailbox and self.alive and not self.alive.stopping)
    @rule()
    def supervisor_delivers(self):
        request = self.mailbox.popleft()
        self.open_routed[request.request_id] = request
        self.alive.routed.append(request)

    @precondition(lambda self: any(isinstance(each, Fence) for each in self.mailbox))
    @rule()
    def a_fence_runs_out_of_time(self):
        fence = next(each for each in self.mailbox if isinstance(each, Fence))
        self.mailbox.remove(fence)
        self.ways.routed_reply(
            fence.request_id, fence.failure(FailureCode.TIMEOUT, "late"), self.now
        )

    # ---- the system -----------------------------------------------------------------------

    @precondition(lambda self: self.alive and self.alive.straight)
    @rule()
    def take_what_came_straight(self):
        system = self.alive
        message = system.straight.popleft()
        match message:
            case Deliver():
                for request_id, request in message.requests:
                    if system.stopping:
                        system.refused.append(request_id)
                    else:
                        self.begin(request, straight=True)
                assert message.number == system.taken + 1
                system.taken = message.number
            case Forget():
                self.forget(message.refs)
            case TakeBack():
                self.returned += message.items
        system.news = True

    @precondition(lambda self: self.alive and self.alive.routed)
    @rule()
    def take_what_was_routed(self):
        request = self.alive.routed.popleft()
        if isinstance(request, Fence):
            self.route_back(request, FencePassed(request_id=request.request_id))
        else:
            self.begin(request, straight=False)

    def begin(self, request, straight):
        asked = self.asked[request.request_id]
        asked.began += 1
        assert asked.began == 1, "begun twice"
        assert asked.place > self.last_begun, "begun before what was asked first"
        self.last_begun = asked.place
        assert not asked.taken_out, "begun, though nobody waited for it before it went"
        assert not any(
            isinstance(each, Failure) and each.outcome is Outcome.NOT_SENT for each in asked.finals
        ), "begun, though it was said not to be sent"
        self.alive.busy.append((request, straight))

    def forget(self, refs):
        self.alive.busy = [
            (request, straight)
            for request, straight in self.alive.busy
            if not (straight and request.request_id in refs)
        ]

    @precondition(lambda self: self.alive and self.alive.busy)
    @rule(pick=st.integers(0, 1000), part=st.booleans())
    def answer(self, pick, part):
        busy = self.alive.busy
        request, straight = busy[pick % len(busy)]
        reply = self.reply_to(request)
        if part and isinstance(request, SendMany) and len(request.items) > 1:
            parts = [attrs.evolve(reply, results=reply.results[:1], final=False)]
            parts.append(attrs.evolve(reply, results=reply.results[1:]))
        else:
            parts = [reply]
        busy.remove((request, straight))
        for each in parts:
            if straight:
                self.alive.replies.append((request.request_id, each))
                self.alive.news = True
            else:
                self.route_back(request, each)

    def reply_to(self, request):
        known = {"request_id": request.request_id, "system_name": "plc"}
        match request:
            case SendData():
                return DataSent(**known)
            case SendMany():
                return ManySent(**known, results=(True,) * len(request.items))
            case ReceiveData():
                self.items += 1
                if self.items % 3 == 0:
                    return NothingReceived(**known)
                self.given.append(self.items)
                return DataReceived(**known, data=self.items)
            case QueryData():
                return QueryAnswered(**known, data=answer_to(request))
            case CallCommand():
                return CommandCalled(**known, result=None)
        return SystemConnected(**known)

    def route_back(self, request, reply):
        if isinstance(reply, ManySent) and not reply.final:
            if request.request_id not in self.open_routed:
                return
        elif self.open_routed.pop(request.request_id, None) is None:
            if isinstance(reply, DataReceived):  # the connection gives it back itself
                self.returned.append(reply.data)
            return
        if request.request_id in self.unseen:
            self.asked[request.request_id].replies.append(reply)
        else:
            self.ways.routed_reply(request.request_id, reply, self.now)

    @precondition(lambda self: self.alive and self.alive.news)
    @rule()
    def say(self):
        system = self.alive
        replies, system.replies = tuple(system.replies), []
        refused, system.refused = tuple(system.refused), []
        system.said.append(Answered("plc", system.number, system.taken, replies, refused))
        system.news = False

    # ---- ends -----------------------------------------------------------------------------

    @precondition(lambda self: self.alive and not self.alive.stopping)
    @rule()
    def begin_to_stop(self):
        self.alive.stopping = True

    @precondition(lambda self: self.alive and self.alive.stopping)
    @rule()
    def tell_that_it_stops(self):
        self.ways.closing(self.alive.number)

    @precondition(lambda self: self.alive)
    @rule()
    def die(self):
        system, self.alive = self.alive, None
        self.given = [each for each in self.given if not self.is_lost(each, system)]
        self.lose_what_was_given_back(system.straight)
        system.straight.clear()
        system.routed.clear()
        self.dead.append(system)
        for request in list(self.open_routed.values()):
            failure = request.failure(FailureCode.SYSTEM_CRASHED, "crashed", Outcome.UNKNOWN)
            self.route_back(request, failure)

    def is_lost(self, item, system):
        """Whether it was never said, as its process died first."""
        return any(getattr(reply, "data", None) == item for _, reply in system.replies)

    def lose_what_was_given_back(self, messages):
        """To a process that died before it took it: it is lost with what else it had."""
        for message in messages:
            if isinstance(message, TakeBack):
                self.given = [each for each in self.given if each not in message.items]

    @precondition(lambda self: self.linked is not None and self.linked in self.dead)
    @rule()
    def the_link_ends(self):
        system = self.linked
        for said in system.said:
            self.ways.heard(said, self.now)
        system.said.clear()
        system.hung_up = True
        self.linked = None
        self.ways.lost()

    @precondition(lambda self: any(each is not self.linked for each in self.dead))
    @rule()
    def the_reason_comes(self):
        system = next(each for each in self.dead if each is not self.linked)
        self.dead.remove(system)
        self.ways.ended(system.number, FailureCode.SYSTEM_CRASHED, "crashed")

    @precondition(lambda self: self.alive is None)
    @rule()
    def start(self):
        self.lives += 1
        self.alive = Incarnation(self.lives)

    # ---- what always holds ------------------------------------------------------------------

    @invariant()
    def at_most_one_answer(self):
        for asked in self.asked.values():
            assert len(asked.finals) <= 1
            assert not (asked.cancelled and asked.finals)

    @invariant()
    def an_answer_belongs_to_its_question(self):
        for asked in self.asked.values():
            for reply in asked.finals:
                if isinstance(asked.request, QueryData) and not isinstance(reply, Failure):
                    assert reply.data == answer_to(asked.request)

    @invariant()
    def a_bounded_number_of_deliveries_is_not_taken(self):
        for system in (self.alive, self.linked):
            if system is not None:
                waiting = [each for each in system.straight if isinstance(each, Deliver)]
                assert len(waiting) <= WINDOW

    def teardown(self):
        """All is well from now on: everything is answered, and no item is lost."""
        for _ in range(10_000):
            if not self.step():
                break
            if not self.to_supervisor and not self.mailbox:
                self.now += 0.01  # a fence may be tried again
                self.ways.tick(self.now)
        unanswered = [a.request for a in self.asked.values() if not a.finals and not a.cancelled]
        assert unanswered == []
        assert self.ways.is_idle
        assert self.ways.untaken == 0
        for asked in self.asked.values():
            self.check_results(asked)
        replies = [reply for asked in self.asked.values() for reply in asked.replies]
        had = [reply.data for reply in replies if isinstance(reply, DataReceived)]
        assert sorted(had + self.returned) == self.given

    def check_results(self, asked):
        """Each item of a SendMany has one result, unless all the rest has one failure."""
        if isinstance(asked.request, SendMany) and asked.finals:
            parts = [each for each in asked.replies if isinstance(each, ManySent)]
            count = sum(len(each.results) for each in parts)
            whole = len(asked.request.items)
            assert count <= whole
            assert asked.request.stream or len(asked.replies) == 1
            assert count == whole or isinstance(asked.finals[0], Failure)

    def step(self, straight_first=True):
        """Do something that is owed; False when nothing is."""
        before = len(self.to_supervisor)
        self.flush()
        if len(self.to_supervisor) != before:
            return True
        straight = (
            (self.may_hear, self.hear),
            (self.may_say, self.say),
            (self.may_take, self.take_what_came_straight),
        )
        routed = (
            (self.may_take_routed, self.take_what_was_routed),
            (self.may_deliver, self.supervisor_delivers),
            (lambda: self.to_supervisor, self.supervisor_reads),
        )
        ends = (
            (lambda: self.linked is not None and self.linked in self.dead, self.the_link_ends),
            (lambda: self.dead, self.the_reason_comes),
            (lambda: self.alive is None, self.start),
        )
        ways = straight + routed if straight_first else routed + straight
        last = (
            (lambda: self.alive and self.alive.busy, lambda: self.answer(0, True)),
            (lambda: self.alive and self.alive.stopping, self.die),
        )
        for is_owed, do in (*ends, *ways, *last):
            if is_owed():
                do()
                return True
        return False

    def may_hear(self):
        return self.linked is not None and self.linked.said

    def may_say(self):
        return self.alive and self.alive.news

    def may_take(self):
        return self.alive and self.alive.straight

    def may_take_routed(self):
        return self.alive and self.alive.routed

    def may_deliver(self):
        return self.mailbox and self.alive and not self.alive.stopping


TestTwoWays = pytest.mark.timeout(600)(TwoWays.TestCase)
TestTwoWays.settings = quick(120, 50)


@pytest.mark.long
@pytest.mark.timeout(1800)
class TestTwoWaysForLong(TwoWays.TestCase):  # type: ignore[misc, valid-type]
    settings = long(80)
