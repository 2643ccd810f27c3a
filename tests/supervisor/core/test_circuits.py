"""What the policies of a system know outlives its process and its supervisor, and a circuit
breaker's changes are told."""

from __future__ import annotations

import logging

import pytest

from actors import CircuitBreakerPolicy, Policy, RetryPolicy
from actors.messages import PolicyNews, Report
from actors.resilience.circuit_breaker import Circuit, CircuitState
from actors.resilience.state import NO_STATE, PolicyState
from supervisor.messages import (
    EventKind,
    GetStatus,
    RestartChild,
    RestartSystem,
    Subscribe,
    TerminateChild,
)
from supervisor.messages.record import KeepRecord
from supervisor.specs.spec import GroupSpec
from tests.helpers.harness import FakeActor, Harness, kept, spec

CLOSED, OPEN, HALF_OPEN = CircuitState
POLICY = Policy(circuit_breaker=CircuitBreakerPolicy())
WHY = "5 of the last 10 calls failed, the last: ConnectorError: no contact"
CHANGES = (EventKind.CIRCUIT_OPENED, EventKind.CIRCUIT_HALF_OPEN, EventKind.CIRCUIT_CLOSED)


@pytest.fixture
def plant() -> Harness:
    plant = Harness()
    plant.tell(Subscribe(), "watcher")
    return plant


def tell(actor: FakeActor, *circuits: Circuit, retried: int = 0) -> None:
    """Report these changes of state, the last of which is how it is now."""
    state = PolicyState(circuit=circuits[-1]) if circuits else NO_STATE
    news = PolicyNews(state=state, circuits=circuits, retried=retried)
    actor.say(Report(actor.name, actor.incarnation, actor.taken, (), False, policies=news))


def opened(plant: Harness, seconds: float = 5.0, **more: object) -> Circuit:
    return Circuit(
        state=OPEN, since=plant.now, why=WHY, retry_at=plant.now + seconds, openings=1, **more
    )


def changes(plant: Harness) -> list[tuple[EventKind, str, float | None]]:
    return [
        (event.kind, event.reason.text, event.delay)
        for event in plant.events("watcher")
        if event.kind in CHANGES
    ]


def circuit(plant: Harness):
    return plant.ask(GetStatus("plc")).status.circuit


def handed_to(actor: FakeActor) -> PolicyState:
    return actor.start_action.definition.policy_state


def test_each_change_is_an_event_and_a_line_in_the_log(plant):
    actor = plant.register(policy=POLICY)
    half_open = Circuit(state=HALF_OPEN, since=plant.now, why=WHY)
    tell(actor, opened(plant), half_open, Circuit(since=plant.now, why=WHY))
    assert changes(plant) == [
        (EventKind.CIRCUIT_OPENED, WHY, 5.0),
        (EventKind.CIRCUIT_HALF_OPEN, WHY, None),
        (EventKind.CIRCUIT_CLOSED, "it works again", None),
    ]
    assert [(each.level, each.text) for each in plant.logs] == [
        (logging.WARNING, f"plc: its circuit breaker is open, refusing calls for 5.0 s: {WHY}"),
        (
            logging.INFO,
            "plc: its circuit breaker is half-open: what is asked next shows whether it works "
            "again",
        ),
        (logging.INFO, "plc: its circuit breaker is closed: it works again"),
    ]


def test_its_status_tells_its_state_why_and_until_when(plant):
    actor = plant.register(policy=POLICY)
    assert (circuit(plant).state, circuit(plant).reason, circuit(plant).next_try) == (
        CLOSED,
        None,
        None,
    )
    tell(actor, opened(plant))
    plant.advance(2.0)
    shown = circuit(plant)
    assert (shown.state, shown.reason, shown.next_try) == (OPEN, WHY, 3.0)
    tell(actor, Circuit(state=HALF_OPEN, why=WHY))
    shown = circuit(plant)
    assert (shown.state, shown.reason, shown.next_try) == (HALF_OPEN, WHY, None)


def test_a_system_without_one_has_none(plant):
    plant.register(policy=Policy(retry=RetryPolicy()))
    assert circuit(plant) is None


def test_attempts_are_counted_over_all_incarnations(plant):
    actor = plant.register()
    tell(actor, retried=2)
    actor.crash_and_exit()
    plant.actor().start()
    tell(plant.actor(), retried=3)
    assert plant.ask(GetStatus("plc")).status.retried == 5


def test_the_next_incarnation_is_handed_what_the_one_before_told_last(plant):
    actor = plant.register(policy=POLICY)
    assert handed_to(actor) == NO_STATE
    told = opened(plant)
    tell(actor, told)
    actor.exit()  # killed
    assert plant.actor().incarnation == 2
    assert handed_to(plant.actor()) == PolicyState(circuit=told)
    assert circuit(plant).state is OPEN


def test_what_an_incarnation_tells_after_the_next_has_begun_is_not_taken(plant):
    actor = plant.register(policy=POLICY)
    actor.exit()
    plant.actor().start()
    tell(actor, opened(plant))
    assert changes(plant) == []
    assert circuit(plant).state is CLOSED


def test_the_next_incarnation_knows_the_time_that_a_request_has():
    plant = Harness(request_timeout=7.0)
    assert plant.register().start_action.definition.request_timeout == 7.0


def test_a_restart_by_hand_begins_anew(plant):
    actor = plant.register(policy=POLICY)
    tell(actor, opened(plant))
    plant.tell(RestartSystem("plc"))
    tell(actor, opened(plant))  # its last words
    actor.stop()
    actor.exit()
    assert handed_to(plant.actor()) == NO_STATE
    assert circuit(plant).state is CLOSED
    assert changes(plant)[1:] == [
        (EventKind.CIRCUIT_CLOSED, "somebody restarts the system", None),
    ]


def test_a_child_that_is_started_again_by_hand_begins_anew(plant):
    actor = plant.register(policy=POLICY)
    tell(actor, opened(plant))
    plant.tell(TerminateChild("plc"))
    actor.stop()
    actor.exit()
    plant.tell(RestartChild("plc"))
    assert handed_to(plant.actor()) == NO_STATE


def test_a_closed_one_tells_nothing_of_a_restart_by_hand(plant):
    tell(plant.register(policy=POLICY), Circuit(failed=(True,)))
    before = changes(plant)
    plant.tell(RestartSystem("plc"))
    assert changes(plant) == before


def test_the_next_supervisor_hands_it_on(plant):
    plant.tell(KeepRecord(), "keeper")
    actor = plant.register(policy=POLICY)
    told = opened(plant)
    tell(actor, told)
    after = Harness(record=kept(plant))
    assert handed_to(after.actor()) == PolicyState(circuit=told)
    assert circuit(after).state is OPEN


def test_a_system_of_another_group_is_not_touched():
    group = GroupSpec("root", (spec("plc", policy=POLICY), spec("other", policy=POLICY)))
    plant = Harness(tree=group)
    plant.actor("plc").start()
    plant.actor("other").start()
    tell(plant.actor("plc"), opened(plant))
    plant.actor("other").exit()
    assert handed_to(plant.actor("other")) == NO_STATE
