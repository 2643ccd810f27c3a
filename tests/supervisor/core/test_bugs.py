"""A bug in one part of a core costs nobody else what he is owed."""

import pytest

from actors.messages import DataSent, ReceiveData, SendData
from supervisor.messages import Subscribe, UnregisterSystem
from tests.helpers.harness import Harness, failed, sent


class Bug(Exception):
    """Nobody thought of this."""


def fail(*_):
    raise Bug


class Plant(Harness):
    """It notes bugs, and goes on."""

    def __init__(self, **options):
        self.bugs = []
        super().__init__(**options)
        self.core._context.on_bug = lambda what, error: self.bugs.append((what, error))


@pytest.fixture
def plant():
    return Plant(request_timeout=30)


def test_a_timer_that_fails_stops_no_other(plant):
    plant.register()
    request = SendData("plc", b"", timeout=5)
    plant.tell(request)
    plant.core._context.timers.after(5, fail)
    late = SendData("plc", b"", timeout=5)
    plant.tell(late)
    plant.advance(6)
    assert failed(plant.reply(request)) == failed(plant.reply(late)) == ("timeout", "unknown")
    [(_, error)] = plant.bugs
    assert isinstance(error, Bug)


def test_the_time_of_other_requests_runs_out_though_one_answer_cannot_be_made(plant, monkeypatch):
    plant.register("a")
    plant.register("b")
    requests = [SendData("a", b"", timeout=5), SendData("b", b"", timeout=5)]
    for each in requests:
        plant.tell(each)
    answer = plant.core._router._answer
    monkeypatch.setattr(
        plant.core._router,
        "_answer",
        lambda child, *rest: fail() if child.name == "a" else answer(child, *rest),
    )
    plant.advance(6)
    assert failed(plant.reply(requests[1])) == ("timeout", "unknown")


def test_hangs_are_looked_for_although_one_could_not_be_dealt_with(plant, monkeypatch):
    plant.register("a", hang_timeout=3)
    other = plant.register("b", hang_timeout=9)
    lifecycle = plant.core._lifecycle
    crash = lifecycle.told_of_crash
    monkeypatch.setattr(
        lifecycle,
        "told_of_crash",
        lambda child, *rest: fail() if child.name == "a" else crash(child, *rest),
    )
    plant.advance(30)
    assert plant.bugs
    assert other.killed


def test_one_answer_that_cannot_be_dealt_with_costs_no_other_of_the_same_report(plant, monkeypatch):
    actor = plant.register()
    bad, good = ReceiveData("plc"), SendData("plc", b"")
    plant.tell(bad)
    plant.tell(good)
    monkeypatch.setattr("supervisor.core.router.received_items", fail)
    actor.report((actor.ref_of(bad), sent(bad)), (actor.ref_of(good), sent(good)))
    monkeypatch.undo()
    assert plant.bugs
    request = SendData("plc", b"")
    plant.tell(request)
    actor.answer(request, DataSent)
    assert plant.reply(request) == sent(request)


def test_one_listener_that_fails_keeps_no_other_from_hearing(plant):
    plant.core._context._listeners.insert(0, fail)
    plant.tell(Subscribe(), "bob")
    plant.register()
    assert [event.kind for event in plant.events("bob")] == ["registered", "starting", "started"]
    assert plant.bugs


def test_a_system_that_nothing_can_be_delivered_to_holds_up_no_other(plant, monkeypatch):
    a, b = plant.register("a"), plant.register("b")
    router = plant.core._router
    tell = router._tell
    monkeypatch.setattr(
        router, "_tell", lambda child, m: fail() if child.name == "a" else tell(child, m)
    )
    for name in ("a", "b"):
        plant.post(SendData(name, b""))
    plant.carry_out()
    assert not a.requests
    assert len(b.requests) == 1


def test_what_was_decided_is_carried_out_though_a_request_fails(plant, monkeypatch):
    plant.register()
    take = plant.core._requests.take

    def fail_after(client, message):
        take(client, message)
        fail()

    monkeypatch.setattr(plant.core._requests, "take", fail_after)
    with pytest.raises(Bug):
        plant.post(UnregisterSystem("plc"))
    plant.carry_out()
    assert plant.actor().stopping


def test_without_somebody_to_tell_a_bug_is_an_exception():
    plant = Harness()
    plant.core._context.timers.after(1, fail)
    with pytest.raises(Bug):
        plant.advance(2)
