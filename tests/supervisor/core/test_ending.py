"""Unregistering systems and stopping the supervisor."""

import pytest

from actors.messages import (
    ConnectSystem,
    DataSent,
    FailureCode,
    ReceiveData,
    SendData,
    StopSystem,
)
from supervisor.core.lifecycle import EXIT_GRACE
from supervisor.messages import (
    ConnectAll,
    EventKind,
    GetAllStatus,
    GetStatus,
    RegisterSystem,
    RestartSystem,
    StopSupervisor,
    Subscribe,
    SupervisorStopped,
    SystemState,
    SystemUnregistered,
    UnregisterSystem,
)
from supervisor.specs.spec import GroupSpec
from tests.helpers.harness import Harness, failed, spec


@pytest.fixture
def plant():
    return Harness()


# ---- one system ------------------------------------------------------------------------


def test_an_unregistered_system_is_told_to_stop_and_forgotten_when_it_has(plant):
    actor = plant.register(shutdown=3)
    request = UnregisterSystem("plc")
    plant.tell(request)
    assert actor.told[-1] == StopSystem(3)
    assert plant.ask(GetStatus("plc")).status.state is SystemState.STOPPING
    actor.stop()
    assert plant.replies(request) == []
    actor.exit()
    assert plant.reply(request) == SystemUnregistered(
        request_id=request.request_id, system_name="plc"
    )
    assert not actor.killed
    assert failed(plant.ask(GetStatus("plc")))[0] == "unknown_system"


def test_a_system_that_does_not_stop_is_killed_after_its_time(plant):
    actor = plant.register(shutdown=3)
    plant.tell(UnregisterSystem("plc"))
    plant.advance(3 - 0.01)
    assert not actor.killed
    plant.advance(0.02)
    assert actor.killed


def test_a_system_that_stopped_and_does_not_exit_is_killed_soon(plant):
    actor = plant.register(shutdown=100)
    plant.tell(UnregisterSystem("plc"))
    actor.stop()
    plant.advance(EXIT_GRACE + 0.01)
    assert actor.killed


def test_a_system_whose_exit_is_never_noticed_is_given_up(plant):
    request = UnregisterSystem("plc")
    plant.register(shutdown=3)
    plant.tell(request)
    plant.advance(3 + 2 * EXIT_GRACE + 0.01)
    assert isinstance(plant.reply(request), SystemUnregistered)
    assert any("no exit seen after SIGKILL" in log.text for log in plant.logs)


def test_a_system_that_is_still_starting_is_killed_at_once(plant):
    registration, request = RegisterSystem(spec()), UnregisterSystem("plc")
    plant.tell(registration)
    plant.tell(request)
    assert plant.actor().killed
    plant.actor().exit()
    assert failed(plant.reply(registration)) == ("unavailable", "not_sent")
    assert isinstance(plant.reply(request), SystemUnregistered)


def test_a_quarantined_system_is_unregistered_at_once(plant):
    plant.quarantine()
    assert isinstance(plant.ask(UnregisterSystem("plc")), SystemUnregistered)
    assert plant.ask(GetAllStatus()).systems == ()


def test_everyone_who_unregisters_a_system_is_answered(plant):
    actor = plant.register()
    requests = {client: UnregisterSystem("plc") for client in ("ann", "bob")}
    for client, request in requests.items():
        plant.tell(request, client)
    assert len(actor.told_of(StopSystem)) == 1
    assert not actor.killed
    actor.exit()
    for client, request in requests.items():
        assert isinstance(plant.reply(request, client), SystemUnregistered)


def test_what_an_unregistered_system_had_to_do_is_answered_honestly(plant):
    actor = plant.register()
    delivered, answered = SendData("plc", b"1"), SendData("plc", b"2")
    plant.tell(delivered)
    plant.tell(answered)
    queued = SendData("plc", b"3")
    plant.tell(queued)
    late = SendData("plc", b"4")
    plant.tell(UnregisterSystem("plc"))
    assert failed(plant.ask(late)) == ("unavailable", "not_sent")
    actor.answer(answered, DataSent)
    actor.exit()
    assert isinstance(plant.reply(answered), DataSent)
    assert failed(plant.reply(delivered)) == ("unavailable", "unknown")
    assert failed(plant.reply(queued)) == ("unavailable", "not_sent")
    plant.assert_nothing_open()


def test_nothing_is_delivered_to_a_system_that_is_stopping(plant):
    actor = plant.register()
    for _ in range(3):
        plant.tell(SendData("plc", b"x"))
    plant.tell(UnregisterSystem("plc"))
    actor.report()
    assert len(actor.deliveries) == 2


def test_a_system_that_is_being_unregistered_cannot_be_restarted(plant):
    plant.register()
    plant.tell(UnregisterSystem("plc"))
    assert failed(plant.ask(RestartSystem("plc"))) == ("unavailable", "not_sent")


def test_unregistering_outdoes_a_restart_in_progress(plant):
    actor = plant.register()
    restart, unregister = RestartSystem("plc"), UnregisterSystem("plc")
    plant.tell(restart)
    plant.tell(unregister)
    actor.exit()
    assert failed(plant.reply(restart)) == ("unavailable", "not_sent")
    assert isinstance(plant.reply(unregister), SystemUnregistered)
    assert plant.incarnations() == [1]


def test_unregistering_outdoes_the_restart_after_a_crash(plant):
    actor = plant.register()
    actor.crash()
    request = UnregisterSystem("plc")
    plant.tell(request)
    actor.exit()
    assert isinstance(plant.reply(request), SystemUnregistered)
    assert plant.incarnations() == [1]


def test_a_crash_while_stopping_does_not_bring_a_system_back(plant):
    actor = plant.register()
    request = UnregisterSystem("plc")
    plant.tell(request)
    actor.crash_and_exit()
    assert isinstance(plant.reply(request), SystemUnregistered)
    assert plant.incarnations() == [1]


def test_an_unregistration_is_announced(plant):
    actor = plant.register()
    plant.tell(Subscribe(), "sue")
    plant.tell(UnregisterSystem("plc"))
    actor.exit()
    assert [event.kind for event in plant.events("sue")] == [
        EventKind.STOPPING,
        EventKind.STOPPED,
        EventKind.UNREGISTERED,
    ]


def test_to_unregister_a_system_that_is_not_there_is_an_answer(plant):
    assert failed(plant.ask(UnregisterSystem("plc"))) == ("unknown_system", "not_sent")


def test_a_name_can_be_used_again_and_nothing_of_its_past_harms_the_new_system(plant):
    actor = plant.register(shutdown=3)
    plant.tell(UnregisterSystem("plc"))
    actor.stop()
    actor.exit()
    successor = plant.register()
    plant.advance(60)
    assert not successor.killed
    assert plant.ask(GetStatus("plc")).status.state is SystemState.DISCONNECTED


def test_a_system_unregistered_while_it_waits_for_its_restart_never_starts_again(plant):
    plant.register(backoff_min=1).crash_and_exit()
    plant.actor().start()
    plant.actor().crash_and_exit()
    assert plant.ask(GetStatus("plc")).status.state is SystemState.RESTARTING
    assert isinstance(plant.ask(UnregisterSystem("plc")), SystemUnregistered)
    plant.advance(60)
    assert plant.incarnations() == [1, 2]


def test_a_system_killed_while_it_started_is_unregistered_once(plant):
    plant.tell(Subscribe(), "sue")
    plant.tell(RegisterSystem(spec()))
    plant.tell(UnregisterSystem("plc"))
    plant.actor().exit()
    plant.advance(60)
    kinds = [event.kind for event in plant.events("sue")]
    assert kinds == [
        EventKind.REGISTERED,
        EventKind.STARTING,
        EventKind.STOPPING,
        EventKind.STOPPED,
        EventKind.UNREGISTERED,
    ]


# ---- the supervisor --------------------------------------------------------------------


def test_a_supervisor_without_systems_stops_at_once(plant):
    assert isinstance(plant.ask(StopSupervisor()), SupervisorStopped)
    assert plant.finished == 1


def test_a_supervisor_stops_its_systems_in_reverse_order_and_then_itself(plant):
    one, two = plant.register("one"), plant.register("two")
    request = StopSupervisor()
    plant.tell(request)
    assert two.stopping
    assert not one.stopping
    two.exit()
    assert one.stopping
    assert plant.replies(request) == []
    assert plant.finished == 0
    one.exit()
    assert isinstance(plant.reply(request), SupervisorStopped)
    assert plant.finished == 1


def test_everyone_who_stops_a_supervisor_is_answered_also_when_one_leaves(plant):
    actor = plant.register()
    requests = {client: StopSupervisor() for client in ("ann", "bob", "eve")}
    for client, request in requests.items():
        plant.tell(request, client)
    plant.leave("bob")
    actor.exit()
    assert isinstance(plant.reply(requests["ann"], "ann"), SupervisorStopped)
    assert isinstance(plant.reply(requests["eve"], "eve"), SupervisorStopped)
    assert plant.finished == 1


def test_a_stopping_supervisor_takes_no_new_orders_but_answers_them(plant):
    plant.register()
    plant.tell(StopSupervisor())
    for order in (RegisterSystem(spec("new")), ConnectAll(), Subscribe()):
        assert failed(plant.ask(order)) == ("unavailable", "not_sent")
    assert failed(plant.ask(RestartSystem("plc"))) == ("unavailable", "not_sent")
    assert [each.state for each in plant.ask(GetAllStatus()).systems] == [SystemState.STOPPING]


def test_what_still_waits_when_the_supervisor_stops_is_answered(plant):
    actor = plant.register()
    sends = [SendData("plc", b"1"), ReceiveData("plc"), ConnectSystem("plc")]
    for send in sends:
        plant.tell(send)
    plant.tell(StopSupervisor())
    late = SendData("plc", b"late")
    plant.tell(late)
    actor.exit()
    outcomes = [failed(plant.reply(each)) for each in [*sends, late]]
    assert outcomes == [
        (FailureCode.UNAVAILABLE, "unknown"),
        (FailureCode.UNAVAILABLE, "unknown"),
        (FailureCode.UNAVAILABLE, "not_sent"),
        (FailureCode.UNAVAILABLE, "not_sent"),
    ]
    plant.assert_nothing_open()


def test_a_supervisor_with_systems_in_every_state_stops(plant):
    plant.register("running")
    plant.quarantine("quarantined")
    waiting = plant.register("waiting", backoff_min=1)
    waiting.crash_and_exit()
    plant.actor("waiting").start()
    plant.actor("waiting").crash_and_exit()
    assert plant.ask(GetStatus("waiting")).status.pid is None
    plant.tell(RegisterSystem(spec("starting")))
    crashed = plant.register("crashed")
    crashed.crash()
    restarting = plant.register("restarting")
    plant.tell(RestartSystem("restarting"))
    request = StopSupervisor()
    plant.tell(request)
    plant.actor("starting").exit()
    crashed.exit()
    restarting.exit()
    plant.actor("running").exit()
    assert isinstance(plant.reply(request), SupervisorStopped)
    assert plant.finished == 1


def test_a_supervisor_stops_also_when_no_exit_is_ever_noticed(plant):
    plant.register(shutdown=1)
    request = StopSupervisor()
    plant.tell(request)
    plant.advance(1 + 2 * EXIT_GRACE + 0.01)
    assert isinstance(plant.reply(request), SupervisorStopped)


def test_a_supervisor_that_ended_by_itself_takes_no_orders():
    tree = GroupSpec("root", (spec("plc"),), give_up="escalate", max_restarts=0)
    plant = Harness(tree=tree)
    plant.actor().start()
    plant.actor().crash_and_exit()
    assert plant.finished == 1
    assert failed(plant.ask(ConnectAll())) == ("unavailable", "not_sent")
