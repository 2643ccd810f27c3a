"""Connecting and disconnecting: asked for, to all at once, and on the supervisor's account."""

import pytest

from actors.messages import (
    ConnectSystem,
    DataSent,
    DisconnectSystem,
    FailureCode,
    Report,
    SendData,
    SystemConnected,
    SystemDisconnected,
    SystemStarted,
)
from actors.resilience.backoff import BackoffPolicy
from supervisor.messages import (
    AllConnected,
    AllDisconnected,
    CancelRequest,
    ConnectAll,
    DesiredState,
    DisconnectAll,
    EventKind,
    GetStatus,
    RestartSystem,
    Subscribe,
    SystemState,
    UnregisterSystem,
)
from supervisor.messages.record import KeepRecord
from tests.helpers.harness import Harness, failed, kept

RECONNECT = BackoffPolicy(backoff_min=1, backoff_max=4)


@pytest.fixture
def plant():
    return Harness()


def refuse(actor):
    """Answer the connect that was delivered last with a failure."""
    request = actor.requests[-1]
    actor.answer(request, request.failure(FailureCode.CONNECTOR_ERROR, "no route to host"))


def connects(actor):
    return [each for each in actor.requests if isinstance(each, ConnectSystem)]


def state(plant, name="plc"):
    return plant.ask(GetStatus(name), "stat").status.state


def connected(plant, name="plc", **options):
    actor = plant.register(name, connect=True, **options)
    actor.connect()
    return actor


# ---- one system ------------------------------------------------------------------------


def test_a_system_is_connected_and_disconnected_as_asked(plant):
    actor = plant.register()
    connect, disconnect = ConnectSystem("plc"), DisconnectSystem("plc")
    plant.tell(connect)
    assert state(plant) is SystemState.CONNECTING
    actor.answer(connect, SystemConnected)
    assert isinstance(plant.reply(connect), SystemConnected)
    assert state(plant) is SystemState.CONNECTED
    plant.tell(disconnect)
    actor.answer(disconnect, SystemDisconnected)
    assert isinstance(plant.reply(disconnect), SystemDisconnected)
    assert state(plant) is SystemState.DISCONNECTED


def test_a_connected_system_is_connected_again_after_a_crash(plant):
    actor = plant.register()
    plant.tell(ConnectSystem("plc"))
    actor.connect()
    actor.crash_and_exit()
    plant.actor().start()
    assert [type(each) for each in plant.actor().requests] == [ConnectSystem]


def test_a_system_that_cannot_be_reached_now_is_meant_to_be_connected_all_the_same(plant):
    actor = plant.register(reconnect=RECONNECT)
    connect = ConnectSystem("plc")
    plant.tell(connect)
    refuse(actor)
    assert failed(plant.reply(connect)) == ("connector_error", "not_sent")
    status = plant.ask(GetStatus("plc"), "stat").status
    assert (status.state, status.desired) == (SystemState.DISCONNECTED, DesiredState.CONNECTED)
    assert (status.last_error, status.next_attempt) == ("plc: no route to host", 1)
    plant.advance(1)
    actor.connect()
    assert state(plant) is SystemState.CONNECTED


def test_a_disconnect_and_a_connect_of_what_is_down_leave_it_meant_to_be_connected(plant):
    actor = connected(plant, reconnect=RECONNECT)
    disconnect = DisconnectSystem("plc")
    plant.tell(disconnect)
    actor.answer(disconnect, SystemDisconnected)
    plant.tell(ConnectSystem("plc"))
    refuse(actor)
    plant.advance(1)
    assert len(connects(actor)) == 3


def test_a_connect_that_runs_out_of_time_is_tried_again(plant):
    actor = plant.register(reconnect=RECONNECT)
    plant.tell(ConnectSystem("plc", timeout=5))
    plant.advance(5)
    assert plant.ask(GetStatus("plc"), "stat").status.last_error == "plc: no answer within 5 s"
    plant.advance(1)
    assert len(connects(actor)) == 2


def test_who_does_not_wait_for_a_connect_any_more_has_asked_for_it_all_the_same(plant):
    actor = plant.register()
    connect = ConnectSystem("plc")
    plant.tell(connect)
    plant.tell(CancelRequest((connect.request_id,)))
    actor.connect()
    assert state(plant) is SystemState.CONNECTED
    assert plant.replies(connect) == []
    assert plant.ask(GetStatus("plc"), "stat").status.desired is DesiredState.CONNECTED


def test_systems_that_cannot_be_connected_together_are_tried_again(plant):
    actor = plant.register()
    plant.tell(ConnectAll())
    refuse(actor)
    plant.advance(1)
    assert len(connects(actor)) == 2


def test_an_order_not_to_keep_trying_connects_once(plant):
    one, two = plant.register("one"), plant.register("two")
    plant.tell(ConnectSystem("one", keep_trying=False))
    refuse(one)
    plant.tell(ConnectAll(keep_trying=False))
    refuse(one)
    two.connect()
    plant.advance(60)
    assert (len(connects(one)), len(connects(two))) == (2, 1)
    assert plant.ask(GetStatus("one"), "stat").status.desired is DesiredState.DISCONNECTED
    assert plant.ask(GetStatus("two"), "stat").status.desired is DesiredState.CONNECTED


@pytest.mark.parametrize(
    "request_", [ConnectSystem("plc", keep_trying=1), ConnectAll(keep_trying=1)]
)
def test_keep_trying_is_true_or_false(plant, request_):
    assert "keep_trying is True or False: 1" in plant.ask(request_).text


def test_a_system_that_never_connected_stays_disconnected_after_a_crash(plant):
    actor = plant.register()
    plant.tell(ConnectSystem("plc", keep_trying=False))
    refuse(actor)
    actor.crash_and_exit()
    plant.actor().start()
    plant.advance(60)
    assert plant.actor().requests == []


def test_a_disconnected_system_stays_disconnected_after_a_crash(plant):
    actor = connected(plant)
    plant.tell(DisconnectSystem("plc"))
    actor.answer(actor.requests[-1], SystemDisconnected)
    actor.crash_and_exit()
    plant.actor().start()
    plant.advance(60)
    assert plant.actor().requests == []


def test_a_disconnect_asked_for_during_a_connect_has_the_last_word(plant):
    actor = plant.register(connect=True)
    disconnect = DisconnectSystem("plc")
    plant.tell(disconnect)
    actor.answer(actor.requests[0], SystemConnected)
    actor.answer(disconnect, SystemDisconnected)
    actor.crash_and_exit()
    plant.actor().start()
    assert plant.actor().requests == []


def test_a_connect_asked_for_during_a_disconnect_has_the_last_word(plant):
    actor = connected(plant)
    disconnect, connect = DisconnectSystem("plc"), ConnectSystem("plc")
    plant.tell(disconnect)
    plant.tell(connect)
    actor.answer(disconnect, SystemDisconnected)
    actor.answer(connect, SystemConnected)
    actor.crash_and_exit()
    plant.actor().start()
    assert connects(plant.actor())


def test_a_disconnect_that_is_refused_changes_nothing(plant):
    actor = connected(plant, max_restarts=0)
    actor.crash_and_exit()
    assert failed(plant.ask(DisconnectSystem("plc"))) == ("unavailable", "not_sent")
    plant.tell(RestartSystem("plc"))
    plant.actor().start()
    assert connects(plant.actor())


def test_a_full_mailbox_still_takes_an_order_to_disconnect(plant):
    actor = connected(plant, mailbox_size=1)
    plant.tell(SendData("plc", b""))
    request = DisconnectSystem("plc")
    plant.tell(request)
    assert request in actor.requests


def test_a_restart_by_hand_connects_again(plant):
    actor = connected(plant)
    plant.tell(RestartSystem("plc"))
    actor.exit()
    plant.actor().start()
    assert connects(plant.actor())


def test_a_crash_during_a_connect_is_an_answer_and_an_undelivered_connect_waits(plant):
    actor = plant.register()
    plant.tell(SendData("plc", b""))
    delivered = ConnectSystem("plc")
    plant.tell(delivered)
    waiting = ConnectSystem("plc")
    plant.tell(waiting)
    actor.crash_and_exit()
    assert failed(plant.reply(delivered)) == ("system_crashed", "unknown")
    assert plant.replies(waiting) == []
    plant.actor().start()
    plant.actor().answer(waiting, SystemConnected)
    assert isinstance(plant.reply(waiting), SystemConnected)


def test_orders_to_connect_outlast_the_wait_for_a_restart_and_data_does_not(plant):
    plant.register(backoff_min=2, backoff_max=2).crash_and_exit()
    plant.actor().start()
    plant.actor().crash()
    data, connect = SendData("plc", b""), ConnectSystem("plc")
    plant.tell(data)
    plant.tell(connect)
    plant.actor().exit()
    assert failed(plant.reply(data)) == ("system_crashed", "not_sent")
    second = DisconnectSystem("plc")
    plant.tell(second)
    plant.advance(2)
    plant.actor().start()
    assert plant.actor().requests == [connect, second]


# ---- on its own account ----------------------------------------------------------------


def test_a_connect_of_its_own_that_fails_is_tried_again_with_backoff(plant):
    actor = plant.register(connect=True, reconnect=RECONNECT)
    refuse(actor)
    for delay in (1, 2, 4, 4, 4):
        before = len(connects(actor))
        plant.advance(delay - 0.01)
        assert len(connects(actor)) == before
        plant.advance(0.02)
        assert len(connects(actor)) == before + 1
        refuse(actor)
    plant.advance(5)
    actor.connect()
    plant.advance(60)
    assert state(plant) is SystemState.CONNECTED
    assert len(connects(actor)) == 7


def test_only_the_first_failure_in_a_row_is_a_warning(plant):
    actor = plant.register(connect=True, reconnect=RECONNECT)
    for _ in range(3):
        refuse(actor)
        plant.advance(5)
    assert [log.level for log in plant.logs] == [30, 10, 10]
    assert "no route to host" in plant.logs[0].text


def test_a_connect_of_its_own_that_gets_no_answer_is_tried_again(plant):
    actor = plant.register(connect=True, reconnect=RECONNECT)
    plant.advance(60 + 1.01)
    assert len(connects(actor)) == 2
    assert "no answer within 60 s; connecting again" in plant.logs[0].text


def test_a_disconnect_ends_the_attempts_to_connect(plant):
    actor = plant.register(connect=True, reconnect=RECONNECT)
    refuse(actor)
    disconnect = DisconnectSystem("plc")
    plant.tell(disconnect)
    actor.answer(disconnect, SystemDisconnected)
    plant.advance(60)
    assert len(connects(actor)) == 1


def test_a_connect_by_hand_ends_the_attempts_to_connect(plant):
    actor = plant.register(connect=True, reconnect=RECONNECT)
    refuse(actor)
    plant.tell(ConnectSystem("plc"))
    actor.connect()
    plant.advance(60)
    assert len(connects(actor)) == 2


def test_there_is_one_attempt_to_connect_at_a_time(plant):
    plant.register(connect=True)
    plant.actor().crash_and_exit()
    plant.core.child_said("plc", 2, SystemStarted("plc", 2, 1, ()), plant.now)
    plant.core.child_exited("plc", 2, None, plant.now)  # before anything could be delivered
    plant.carry_out()
    plant.advance(1)
    plant.actor().start()
    assert len(connects(plant.actor())) == 1


def test_an_attempt_that_was_planned_is_made_by_the_next_incarnation(plant):
    actor = plant.register(connect=True, reconnect=RECONNECT)
    refuse(actor)
    actor.crash_and_exit()
    plant.actor().start()
    assert connects(plant.actor()) == []
    assert 0 < plant.ask(GetStatus("plc"), "stat").status.next_attempt <= 1
    plant.advance(1)
    assert len(connects(plant.actor())) == 1


def test_an_attempt_that_was_due_while_there_was_no_process_is_made_at_once(plant):
    actor = plant.register(connect=True, reconnect=RECONNECT)
    refuse(actor)
    actor.crash_and_exit()
    plant.advance(1)
    plant.actor().start()
    assert len(connects(plant.actor())) == 1


def test_the_time_between_attempts_grows_on_after_a_crash(plant):
    actor = plant.register(connect=True, reconnect=RECONNECT)
    refuse(actor)
    plant.advance(1)
    refuse(actor)
    plant.advance(2)
    actor.crash_and_exit()
    plant.actor().start()
    refuse(plant.actor())
    assert plant.ask(GetStatus("plc"), "stat").status.next_attempt > 2


def test_who_restarts_a_system_has_it_connect_at_once(plant):
    actor = plant.register(connect=True, reconnect=RECONNECT)
    refuse(actor)
    plant.tell(RestartSystem("plc"))
    actor.stop()
    actor.exit()
    plant.actor().start()
    assert len(connects(plant.actor())) == 1
    refuse(plant.actor())
    assert plant.ask(GetStatus("plc"), "stat").status.next_attempt <= 1


# ---- all at once -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "answer"), [(ConnectAll, AllConnected), (DisconnectAll, AllDisconnected)]
)
def test_an_order_to_all_of_no_systems_is_answered_at_once(plant, order, answer):
    reply = plant.ask(order())
    assert isinstance(reply, answer)
    assert reply.results == {}


def test_an_order_to_all_is_answered_when_all_have_answered(plant):
    one, two = plant.register("one"), plant.register("two")
    request = ConnectAll()
    plant.tell(request)
    one.connect()
    assert plant.replies(request) == []
    refuse(two)
    results = plant.reply(request).results
    assert results["one"] is True
    assert failed(results["two"]) == ("connector_error", "not_sent")


def test_an_order_to_all_names_those_that_could_not_take_it(plant):
    plant.quarantine("quarantined")
    slow = plant.register("slow")
    crashing = plant.register("crashing")
    full = plant.register("full", mailbox_size=1)
    plant.tell(SendData("full", b""))
    ending = plant.register("ending")
    plant.tell(UnregisterSystem("ending"))
    request = DisconnectAll(timeout=5)
    plant.tell(request)
    crashing.crash_and_exit()
    plant.advance(6)
    assert full.requests
    assert slow.requests
    assert {name: failed(each) for name, each in plant.reply(request).results.items()} == {
        "quarantined": ("unavailable", "not_sent"),
        "slow": ("timeout", "unknown"),
        "crashing": ("system_crashed", "unknown"),
        "full": ("timeout", "unknown"),
        "ending": ("unavailable", "not_sent"),
    }
    ending.exit()
    plant.actor("crashing").start()
    full.answer(full.requests[0], DataSent)
    plant.assert_nothing_open()


def test_systems_disconnected_together_stay_so(plant):
    actor = connected(plant)
    request = DisconnectAll()
    plant.tell(request)
    actor.answer(actor.requests[-1], SystemDisconnected)
    assert plant.reply(request).results == {"plc": True}
    actor.crash_and_exit()
    plant.actor().start()
    assert plant.actor().requests == []


def test_systems_connected_together_stay_so(plant):
    actor = plant.register()
    plant.tell(ConnectAll())
    actor.connect()
    actor.crash_and_exit()
    plant.actor().start()
    assert connects(plant.actor())


def test_connecting_and_losing_the_connection_is_announced(plant):
    plant.tell(Subscribe(), "sue")
    actor = connected(plant)
    actor.is_connected = False
    actor.report()
    kinds = [event.kind for event in plant.events("sue")]
    assert kinds[3:] == [EventKind.CONNECTING, EventKind.CONNECTED, EventKind.DISCONNECTED]


# ---- where it is connected to ----------------------------------------------------------


def connect_to(actor, where):
    """Answer the connect that was delivered last."""
    request = actor.requests[-1]
    names = {"request_id": request.request_id, "system_name": request.system_name}
    actor.is_connected = True
    reply = (actor.ref_of(request), SystemConnected(**names))
    actor.taken = len(actor.deliveries)
    actor.say(
        Report(actor.name, actor.incarnation, actor.taken, (reply,), True, connected_to=where)
    )


def where(plant):
    return plant.ask(GetStatus("plc"), "stat").status.connected_to


def test_which_of_its_addresses_a_system_is_connected_to_is_told(plant):
    plant.tell(Subscribe())
    actor = plant.register(connect=True, reconnect=RECONNECT)
    assert where(plant) is None
    connect_to(actor, "a:1")
    assert where(plant) == "a:1"
    actor.lose()
    assert where(plant) is None
    plant.advance(1)
    connect_to(actor, "b:2")
    told = [e.connected_to for e in plant.events() if e.kind is EventKind.CONNECTED]
    assert told == ["a:1", "b:2"]
    assert plant.logs[-1].text == "plc: connected again, to b:2"


def test_a_new_incarnation_is_connected_nowhere_before_it_says_so(plant):
    actor = plant.register(connect=True)
    connect_to(actor, "a:1")
    actor.crash_and_exit()
    plant.actor().start()
    plant.actor().connect()
    assert where(plant) is None


# ---- what outlives the supervisor ------------------------------------------------------


def test_the_time_between_attempts_grows_on_after_a_supervisor():
    plant = Harness()
    plant.tell(KeepRecord(), "keeper")
    actor = plant.register(connect=True, reconnect=RECONNECT)
    for seconds in (1, 2):
        refuse(actor)
        plant.advance(seconds)
    after = Harness(record=kept(plant))
    after.actor().start()
    assert connects(after.actor()) == []
    after.advance(1.9)
    assert connects(after.actor()) == []
    after.advance(0.1)
    refuse(after.actor())
    assert after.ask(GetStatus("plc"), "stat").status.next_attempt == 4


def test_what_was_connected_is_connected_at_once_by_the_next_supervisor():
    plant = Harness()
    plant.tell(KeepRecord(), "keeper")
    actor = plant.register(connect=True, reconnect=RECONNECT)
    refuse(actor)
    plant.advance(1)
    actor.connect()
    plant.advance(RECONNECT.stable_after)
    assert kept(plant).states["plc"].connect_failures == 0
    after = Harness(record=kept(plant))
    after.actor().start()
    assert len(connects(after.actor())) == 1


def test_a_connection_that_has_not_held_for_long_makes_no_difference_to_the_wait():
    plant = Harness()
    plant.tell(KeepRecord(), "keeper")
    actor = plant.register(connect=True, reconnect=RECONNECT)
    refuse(actor)
    plant.advance(1)
    actor.connect()
    plant.advance(RECONNECT.stable_after - 0.1)
    assert kept(plant).states["plc"].connect_failures == 2
    actor.lose()
    assert plant.ask(GetStatus("plc"), "stat").status.next_attempt == 2
