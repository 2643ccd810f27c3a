"""Random histories of a supervisor, against what a naive bystander expects of it.

The harness checks on its way: one process for each name, incarnations that count up by
one, a bounded window, words only to living actors, and no second reply.
"""

from typing import Any

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.messages import (
    CallCommand,
    CheckHealth,
    CommandCalled,
    ConnectSystem,
    DataReceived,
    DataSent,
    DisconnectSystem,
    Failure,
    HealthChecked,
    ManyReceived,
    ManySent,
    NothingReceived,
    QueryAnswered,
    QueryData,
    Reason,
    ReceiveData,
    ReceiveMany,
    Reply,
    SendData,
    SendMany,
    SystemConnected,
    SystemDisconnected,
    TakeBack,
)
from actors.messages.limits import weight_of
from actors.resilience.policy import Policy
from supervisor.core.actions import TellClient
from supervisor.messages import (
    CancelRequest,
    ConnectAll,
    DesiredState,
    DisconnectAll,
    GetAllStatus,
    GetStatus,
    RegisterSystem,
    RestartSystem,
    StopSupervisor,
    Subscribe,
    UnregisterSystem,
    Unsubscribe,
)
from supervisor.specs.policies import Startup
from tests.helpers.harness import FakeActor, Harness, spec
from tests.helpers.looking import long, quick

NAMES = ("one", "two")
MAILBOX = 12
name = st.sampled_from(NAMES)
client = st.sampled_from(("ann", "bob"))
pick = st.integers(0, 1000)
timeout = st.sampled_from((None, None, 0.5, 3))
ROUTED = (
    ConnectSystem
    | DisconnectSystem
    | SendData
    | SendMany
    | QueryData
    | ReceiveData
    | ReceiveMany
    | CallCommand
    | CheckHealth
)
ANSWERS = {
    ConnectSystem: SystemConnected,
    DisconnectSystem: SystemDisconnected,
    SendData: DataSent,
}


@attrs.define(eq=False)
class Asked:
    """What the bystander saw of one request."""

    client: str
    request: Any
    replies: list[Reply] = attrs.field(factory=list)
    let_go: bool = False
    """Cancelled, or its client has left."""
    banned: bool = False
    """It must not be delivered any more."""
    taken: int = 1
    """How much of a mailbox it takes at least; of a SendMany only the items that fit."""

    @property
    def final(self) -> Reply | None:
        last = self.replies[-1] if self.replies else None
        return None if isinstance(last, ManySent) and not last.final else last


def answer_to(question: QueryData) -> str:
    return f"answer to {question.request_id}"


class Supervision(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.plant = Harness(request_timeout=10, connect_timeout=20)
        self.asked: dict[int, Asked] = {}
        self.clients = {"ann": "ann-0", "bob": "bob-0"}
        self.gone: set[str] = set()
        self.read = 0
        self.items = 0
        self.stopped = False
        self.deliveries_read: dict[FakeActor, int] = {}
        self.delivered: dict[int, FakeActor] = {}
        """By request id: to whom."""
        self.last_sent: dict[tuple[str, str], int] = {}
        """By client and system: the id of the last send delivered."""
        self.answered: dict[FakeActor, set[int]] = {}

    @initialize(connect=st.booleans(), max_restarts=st.integers(0, 3), waits=st.booleans())
    def begin_with_a_system(self, connect, max_restarts, waits):
        self.register("ann", "one", connect, max_restarts, None, waits)
        self.plant.actor("one").start()

    # ---- what clients do ----------------------------------------------------------------

    def ask(self, who, request, burst=False):
        who = self.clients[who]
        if not burst:
            self.hear_what_is_decided()
        weighs = isinstance(request, ROUTED) and not isinstance(
            request, ConnectSystem | DisconnectSystem
        )
        weight = self.open_weight(request) if weighs else 0
        self.asked[request.request_id] = Asked(who, request)
        (self.plant.post if burst else self.plant.tell)(request, who)
        self.observe()
        needs = 1 if isinstance(request, SendMany) else weight_of(request)
        if not burst and weighs and weight + needs > MAILBOX:
            assert isinstance(self.asked[request.request_id].final, Failure), "unbounded"

    def open_weight(self, request):
        return sum(
            asked.taken
            for asked in self.asked.values()
            if isinstance(asked.request, ROUTED)
            and asked.request.system_name == request.system_name
            and not asked.final
            and not asked.let_go
        )

    @rule(
        who=client,
        name=name,
        connect=st.booleans(),
        max_restarts=st.integers(0, 3),
        timeout=timeout,
        waits=st.booleans(),
        startup=st.sampled_from(Startup),
    )
    def register(self, who, name, connect, max_restarts, timeout, waits, startup=Startup.RETRY):
        options = {"connect": connect, "max_restarts": max_restarts, "mailbox_size": MAILBOX}
        options["policy"] = Policy(when_down="wait" if waits else None)
        if connect:
            options["startup"] = startup
        request = RegisterSystem(spec(name, shutdown=2, **options), timeout=timeout)
        self.ask(who, request)

    @rule(who=client, name=name, timeout=timeout, burst=st.booleans())
    def send(self, who, name, timeout, burst):
        self.ask(who, SendData(name, b"x", timeout=timeout), burst)

    @rule(who=client, name=name, count=st.integers(0, 5), stream=st.booleans(), burst=st.booleans())
    def send_many(self, who, name, count, stream, burst):
        self.ask(who, SendMany(name, (b"x",) * count, stream=stream), burst)

    @rule(who=client, name=name, timeout=timeout, burst=st.booleans())
    def query(self, who, name, timeout, burst):
        self.ask(who, QueryData(name, "?", timeout=timeout), burst)

    @rule(who=client, name=name, timeout=timeout, many=st.booleans(), burst=st.booleans())
    def receive(self, who, name, timeout, many, burst):
        if many:
            self.ask(who, ReceiveMany(name, 3, timeout=timeout), burst)
        else:
            self.ask(who, ReceiveData(name, 1, timeout=timeout), burst)

    @rule(
        who=client,
        name=name,
        kind=st.sampled_from(
            (
                ConnectSystem,
                DisconnectSystem,
                CheckHealth,
                UnregisterSystem,
                RestartSystem,
                RestartSystem,
                GetStatus,
            )
        ),
        timeout=timeout,
    )
    def order(self, who, name, kind, timeout):
        self.ask(who, kind(name, timeout=timeout))

    @rule(who=client, name=name)
    def call(self, who, name):
        self.ask(who, CallCommand(name, "calibrate"))

    @rule(
        who=client,
        kind=st.sampled_from((ConnectAll, DisconnectAll, GetAllStatus, Subscribe, Unsubscribe)),
        timeout=timeout,
    )
    def order_to_all(self, who, kind, timeout):
        if kind is Subscribe:
            self.ask(who, Subscribe(data_from=None))
        else:
            self.ask(who, kind(timeout=timeout))

    def hear_what_is_decided(self):
        """A reply that is on its way cannot be stopped any more."""
        if any(isinstance(action, TellClient) for action in self.plant.core._context._actions):
            self.plant.carry_out()
        self.observe()

    @rule(who=client, pick=pick)
    def cancel(self, who, pick):
        self.hear_what_is_decided()
        mine = [each for each in self.asked.values() if each.client == self.clients[who]]
        if not mine:
            return
        asked = mine[-1 - pick % min(len(mine), 8)]
        asked.let_go = True
        goes_on = isinstance(asked.request, ConnectSystem)
        asked.banned = asked.request.request_id not in self.delivered and not goes_on
        self.plant.tell(CancelRequest((asked.request.request_id,)), asked.client)

    @rule(who=client, chance=st.integers(0, 3))
    def leave(self, who, chance):
        if chance:
            return
        self.hear_what_is_decided()
        gone = self.clients[who]
        self.clients[who] = f"{who}-{len(self.gone) + 1}"
        self.gone.add(gone)
        for asked in self.asked.values():
            if asked.client == gone:
                asked.let_go = True
                if isinstance(asked.request, ReceiveData | ReceiveMany):
                    asked.banned = asked.request.request_id not in self.delivered
        self.plant.leave(gone)

    @precondition(lambda self: not self.stopped)
    @rule(who=client, chance=st.integers(0, 7))
    def stop(self, who, chance):
        if chance == 0:
            self.stopped = True
            self.ask(who, StopSupervisor())

    # ---- what system actors do ----------------------------------------------------------

    def living(self):
        return [actor for actor in self.plant.actors if not actor.forgotten]

    def any_actor(self, pick):
        living = self.living()
        return living[pick % len(living)]

    @precondition(lambda self: self.living())
    @rule(pick=pick, well=st.sampled_from((True, True, True, True, False)))
    def start(self, pick, well):
        actor = self.any_actor(pick)
        if not actor.killed:
            actor.start() if well else actor.fail_start()

    def waiting_at(self, actor):
        """What an actor has not answered."""
        done = self.answered.setdefault(actor, set())
        return [request for request in actor.requests if request.request_id not in done]

    @precondition(lambda self: self.living())
    @rule(pick=pick, other=pick, well=st.booleans(), fatal=st.booleans())
    def answer(self, pick, other, well, fatal):
        actor = self.any_actor(pick)
        waiting = self.waiting_at(actor)
        if waiting:
            self.answer_one(actor, waiting[other % len(waiting)], well, fatal)

    def answer_one(self, actor, request, well=True, fatal=False):
        self.answered.setdefault(actor, set()).add(request.request_id)
        if not well:
            code = "failed" if fatal else "connector_error"
            actor.answer(request, request.failure(code, "refused"))
            return
        match request:
            case ConnectSystem():
                actor.answer(request, SystemConnected)
            case DisconnectSystem():
                actor.answer(request, SystemDisconnected)
            case SendData():
                actor.answer(request, DataSent)
            case SendMany():
                done = getattr(actor, "parts", {}).get(request.request_id, 0)
                results = (True,) * (len(request.items) - done)
                actor.answer(request, ManySent, results=results)
            case QueryData():
                told = len(actor.told)
                actor.answer(request, QueryAnswered, data=answer_to(request))
                assert not any(isinstance(each, TakeBack) for each in actor.told[told:])
            case ReceiveData() | ReceiveMany():
                self.bring_data(actor, request)
            case CallCommand():
                actor.answer(request, CommandCalled, result=None)
            case CheckHealth():
                actor.answer(request, HealthChecked, healthy=True)

    def bring_data(self, actor, request):
        """Its items reach the asker, or the actor again, or go down with their process."""
        self.items += 1
        item = f"item {self.items}"
        asked = self.asked[request.request_id]
        waited = not asked.let_go and not asked.final
        read, told = len(self.plant.told), len(actor.told)
        if isinstance(request, ReceiveMany):
            actor.answer(request, ManyReceived, items=(item,))
        else:
            actor.answer(request, DataReceived, data=item)
        given = [m for _, m in self.plant.told[read:] if isinstance(m, DataReceived | ManyReceived)]
        back = [m for m in actor.told[told:] if isinstance(m, TakeBack)]
        if waited:
            assert len(given) == 1
            assert not back
        else:
            assert not given
            assert actor.killed or actor.stopping or back == [TakeBack(actor.name, (item,))]

    @precondition(lambda self: self.living())
    @rule(pick=pick, other=pick)
    def answer_in_part(self, pick, other):
        actor = self.any_actor(pick)
        many = [each for each in self.waiting_at(actor) if isinstance(each, SendMany)]
        if not many:
            return
        request = many[other % len(many)]
        parts = actor.__dict__.setdefault("parts", {})
        done = parts.get(request.request_id, 0)
        if done < len(request.items):
            parts[request.request_id] = done + 1
            actor.answer(request, ManySent, results=(True,), final=False)

    @precondition(lambda self: self.living())
    @rule(pick=pick)
    def receive_nothing(self, pick):
        actor = self.any_actor(pick)
        for request in self.waiting_at(actor):
            if isinstance(request, ReceiveData):
                self.answered[actor].add(request.request_id)
                actor.answer(request, NothingReceived)

    @precondition(lambda self: self.living())
    @rule(pick=pick, tapped=st.booleans())
    def take(self, pick, tapped):
        self.any_actor(pick).report(tapped=(b"tapped",) if tapped else ())

    @precondition(lambda self: self.living())
    @rule(pick=pick, well=st.lists(st.booleans(), max_size=3), is_connected=st.booleans())
    def report(self, pick, well, is_connected):
        """Answers and the state of the connection as they come: a peer may close it at once,
        and a connector may do with it what it likes."""
        actor = self.any_actor(pick)
        replies = []
        for request, is_done in zip(self.waiting_at(actor), well, strict=False):
            if not isinstance(request, ConnectSystem | DisconnectSystem | SendData):
                break
            self.answered[actor].add(request.request_id)
            kind = ANSWERS[type(request)]
            names = {"request_id": request.request_id, "system_name": request.system_name}
            failure = request.failure("connector_error", "refused")
            replies.append((actor.ref_of(request), kind(**names) if is_done else failure))
        actor.is_connected = is_connected
        actor.report(*replies)

    @precondition(lambda self: self.living())
    @rule(pick=pick)
    def lose_for_good(self, pick):
        actor = self.any_actor(pick)
        if actor.is_connected:
            actor.lose(Reason("AuthenticationRefusedError", "revoked", is_fatal=True))

    @precondition(lambda self: self.living())
    @rule(pick=pick)
    def crash(self, pick):
        actor = self.any_actor(pick)
        if not actor.killed:
            actor.crash()

    @precondition(lambda self: self.living())
    @rule(pick=pick, twice=st.booleans())
    def exit(self, pick, twice):
        actor = self.any_actor(pick)
        actor.exit()
        if twice and actor is not self.plant.actor(actor.name):
            actor.exit()

    @precondition(lambda self: self.living())
    @rule(pick=pick)
    def stop_in_order(self, pick):
        actor = self.any_actor(pick)
        if actor.stopping:
            actor.stop()

    @rule(pick=pick)
    def say_what_is_stale(self, pick):
        stale = [
            actor
            for actor in self.plant.actors
            if actor.incarnation != self.plant.actor(actor.name).incarnation
        ]
        if not stale:
            return
        self.plant.carry_out()
        self.observe()
        actor = stale[pick % len(stale)]
        before = len(self.plant.told), len(self.plant.actors), len(self.plant.logs)
        words = len(self.plant.actor(actor.name).told)
        actor.start()
        actor.report(*((actor.ref_of(each), DataSent(request_id=1)) for each in actor.requests))
        actor.stop()
        actor.crash()
        actor.exit()
        assert before == (len(self.plant.told), len(self.plant.actors), len(self.plant.logs))
        assert words == len(self.plant.actor(actor.name).told)

    @rule(seconds=st.sampled_from((0.01, 0.1, 1, 3, 12, 25)))
    def let_time_pass(self, seconds):
        self.plant.carry_out()
        self.plant.advance(seconds)
        due = self.plant.core.next_due()
        assert due is None or due > self.plant.now

    # ---- what the bystander expects -----------------------------------------------------

    @invariant()
    def observe(self):
        for actor in self.plant.actors:
            read = self.deliveries_read.get(actor, 0)
            for delivery in actor.deliveries[read:]:
                for _, request in delivery.requests:
                    self.see_delivery(actor, request)
            self.deliveries_read[actor] = len(actor.deliveries)
        for who, message in self.plant.told[self.read :]:
            assert who not in self.gone, f"{message} to {who}, who has left"
            if isinstance(message, Reply):
                self.see_reply(self.asked[message.request_id], who, message)
        self.read = len(self.plant.told)
        for actor in self.plant.actors:
            for request in actor.requests if actor.forgotten else ():
                asked = self.asked.get(request.request_id)
                assert asked is None or asked.final or asked.let_go, f"{request} went down unsaid"

    def see_delivery(self, actor, request):
        assert request.request_id not in self.delivered, f"{request} was delivered twice"
        self.delivered[request.request_id] = actor
        asked = self.asked.get(request.request_id)
        if asked is None:  # a connect of the supervisor's own, or a part of an order to all
            assert isinstance(request, ConnectSystem | DisconnectSystem)
            return
        if isinstance(request, SendMany):
            asked.taken = weight_of(request)
            assert request.items == asked.request.items[: len(request.items)]
        else:
            assert request is asked.request
        assert request.system_name == actor.name
        assert not asked.banned
        assert not asked.final
        if isinstance(request, SendData | SendMany | QueryData):
            key = asked.client, actor.name
            assert self.last_sent.get(key, 0) < request.request_id, "out of order"
            self.last_sent[key] = request.request_id

    def see_reply(self, asked, who, reply):
        assert who == asked.client
        assert not asked.let_go, f"{reply}, which nobody waits for"
        assert asked.final is None
        asked.replies.append(reply)
        if isinstance(reply, QueryAnswered):
            assert reply.data == answer_to(asked.request), "another question's answer"
        if isinstance(asked.request, ROUTED):
            assert reply.system_name == asked.request.system_name
            delivered = asked.request.request_id in self.delivered
            failures = [reply] if isinstance(reply, Failure) else []
            if isinstance(reply, ManySent):
                failures = [each for each in reply.results if isinstance(each, Failure)]
            child = self.plant.core._context.children.get(reply.system_name)
            for each in failures:
                refused = "restarting after a crash" in each.text
                assert not (refused and child is not None and child.waits), "it was to wait"
                if each.code == "overloaded":
                    assert each.outcome == "not_sent"
                elif each.code not in ("connector_error", "failed"):
                    assert each.outcome == ("unknown" if delivered else "not_sent")
            assert failures or delivered
        if isinstance(asked.request, SendMany) and asked.final and not isinstance(reply, Failure):
            results = sum(len(part.results) for part in asked.replies)
            assert results == len(asked.request.items)

    def teardown(self):
        self.plant.carry_out()
        self.observe()
        for _ in range(20):
            for actor in self.living():
                if actor.killed or actor.stopping:
                    actor.exit()
                    continue
                actor.start()
                for request in self.waiting_at(actor):
                    self.answer_one(actor, request)
            self.plant.advance(1)
            self.observe()
        self.plant.advance(100)
        self.observe()
        for asked in self.asked.values():
            assert asked.final or asked.let_go or isinstance(asked.request, StopSupervisor), asked
        self.assert_all_are_as_they_are_meant_to_be()
        self.ask("ann", StopSupervisor())
        for actor in self.living():
            actor.exit()
        self.observe()
        assert self.plant.finished == 1
        assert all(asked.final or asked.let_go for asked in self.asked.values())
        assert not any(c.has_process for c in self.plant.core._context.children.values())
        self.plant.assert_nothing_open()

    def assert_all_are_as_they_are_meant_to_be(self):
        for actor in self.living():
            for request in self.waiting_at(actor):
                self.answer_one(actor, request)
        for child in self.plant.core._context.children.values():
            if child.is_running and child.desired is DesiredState.CONNECTED:
                assert child.is_connected or child.failed, child


TestSupervision = Supervision.TestCase
TestSupervision.settings = quick(100, 50)


@pytest.mark.long
@pytest.mark.timeout(1800)
class TestSupervisionForLong(Supervision.TestCase):  # type: ignore[misc, valid-type]
    settings = long(80)
