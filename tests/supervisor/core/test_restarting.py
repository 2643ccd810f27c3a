"""Restarts by hand."""

import pytest

from actors.messages import SendData
from supervisor.core.lifecycle import EXIT_GRACE
from supervisor.messages import GetStatus, RegisterSystem, RestartSystem
from tests.helpers.harness import Harness, failed, spec


@pytest.fixture
def plant():
    return Harness()


def status(plant, name="plc"):
    return plant.ask(GetStatus(name), "stat").status


def test_a_restart_by_hand_ends_one_process_and_starts_another(plant):
    actor = plant.register()
    delivered, _, queued = requests = [SendData("plc", number) for number in range(3)]
    for each in requests:
        plant.tell(each)
    request = RestartSystem("plc")
    plant.tell(request)
    assert actor.stopping
    actor.stop()
    actor.exit()
    assert failed(plant.reply(delivered)) == ("unavailable", "unknown")
    plant.actor().start()
    assert plant.reply(request).incarnation == 2
    assert plant.actor().requests == [queued]
    assert status(plant).restarts == 0


def test_a_restart_by_hand_kills_what_does_not_stop(plant):
    actor = plant.register(shutdown=1)
    plant.tell(RestartSystem("plc"))
    plant.advance(1 + EXIT_GRACE + 0.01)
    assert actor.killed
    plant.advance(EXIT_GRACE)
    assert plant.incarnations() == [1, 2]


def test_each_incarnation_has_all_of_its_time_to_stop(plant):
    first = plant.register(shutdown=5)
    plant.tell(RestartSystem("plc"))
    first.exit()
    second = plant.actor()
    second.start()
    plant.advance(4)
    plant.tell(RestartSystem("plc"))
    plant.advance(4.99)
    assert not second.killed
    plant.advance(0.02)
    assert second.killed


def test_a_restart_by_hand_does_not_wait_for_the_backoff(plant):
    plant.register(backoff_min=100, backoff_max=100, period=1000).crash_and_exit()
    plant.actor().start()
    plant.actor().crash_and_exit()
    plant.tell(RestartSystem("plc"))
    assert plant.incarnations() == [1, 2, 3]
    plant.actor().start()
    plant.advance(200)
    assert plant.incarnations() == [1, 2, 3]


def test_everyone_who_restarts_a_system_is_answered_by_one_restart(plant):
    actor = plant.register()
    requests = {client: RestartSystem("plc") for client in ("ann", "bob")}
    for client, request in requests.items():
        plant.tell(request, client)
    actor.exit()
    plant.actor().start()
    for client, request in requests.items():
        assert plant.reply(request, client).incarnation == 2
    assert plant.incarnations() == [1, 2]


def test_a_restart_by_hand_of_a_starting_system_waits_for_its_start(plant):
    plant.tell(RegisterSystem(spec()))
    request = RestartSystem("plc")
    plant.tell(request)
    plant.actor().start()
    assert plant.reply(request).incarnation == 1
