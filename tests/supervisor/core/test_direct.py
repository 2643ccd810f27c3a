"""What a supervisor knows of requests that go to its systems without it."""

import pytest

from actors.messages import ReceiveData, SendData, SendMany
from actors.messages.tallied import NOTHING, Tallied
from supervisor.messages import GetAllStatus, GetStatus, ResolveSystem, SystemResolved, SystemState
from tests.helpers.harness import BUG, Harness, failed


class FakeDoors:
    """Every incarnation has one, and a tally that the test writes."""

    def __init__(self):
        self.tallies = {}

    def path_of(self, name, incarnation):
        return f"/run/{name}-{incarnation}"

    def tally_of(self, name, incarnation):
        return self.tallies.get((name, incarnation), NOTHING)


@pytest.fixture
def doors():
    return FakeDoors()


@pytest.fixture
def plant(doors):
    return Harness(doors=doors)


def test_a_system_that_is_up_is_resolved_to_its_door_and_incarnation(plant):
    plant.register(mailbox_size=7)
    found = plant.ask(ResolveSystem("plc"))
    assert isinstance(found, SystemResolved)
    assert (found.door, found.incarnation, found.mailbox_size) == ("/run/plc-1", 1, 7)
    plant.actor().crash_and_exit()
    plant.actor().start()
    assert plant.ask(ResolveSystem("plc")).incarnation == 2


def test_a_system_that_is_not_up_is_not_resolved(plant):
    plant.register()
    plant.actor().crash()
    assert failed(plant.ask(ResolveSystem("plc"))) == ("unavailable", "not_sent")
    assert failed(plant.ask(ResolveSystem("pump"))) == ("unknown_system", "not_sent")


def test_a_supervisor_without_doors_resolves_nothing():
    plant = Harness()
    plant.register()
    assert failed(plant.ask(ResolveSystem("plc"))) == ("unavailable", "not_sent")


def test_a_status_counts_what_came_straight(plant, doors):
    plant.register()
    plant.ask(ResolveSystem("plc"))
    plant.tell(ReceiveData("plc", 5.0))
    doors.tallies["plc", 1] = Tallied(sent=3, received=2, waiting=4)
    for status in (plant.ask(GetStatus("plc")).status, plant.ask(GetAllStatus()).systems[0]):
        assert (status.sent, status.received, status.waiting) == (3, 2, 5)


def test_what_an_incarnation_counted_outlives_it(plant, doors):
    plant.register()
    plant.ask(ResolveSystem("plc"))
    doors.tallies["plc", 1] = Tallied(sent=3, received=2, waiting=4)
    plant.actor().crash_and_exit()
    plant.actor().start()
    plant.ask(ResolveSystem("plc"))
    doors.tallies["plc", 2] = Tallied(sent=10)
    status = plant.ask(GetStatus("plc")).status
    assert (status.sent, status.received, status.waiting) == (13, 2, 0)


def test_a_crash_report_tells_what_came_straight_and_was_in_progress(plant, doors):
    plant.register()
    plant.ask(ResolveSystem("plc"))
    plant.tell(ReceiveData("plc", 5.0))
    doors.tallies["plc", 1] = Tallied(waiting=1, busy_with=SendMany)
    plant.actor().crash_and_exit(BUG)
    [report] = plant.ask(GetStatus("plc")).status.crashes
    assert report.in_progress == "SendMany"


def test_what_waits_of_direct_clients_is_room_that_others_do_not_have(plant, doors):
    plant.register(mailbox_size=5)
    plant.ask(ResolveSystem("plc"))
    doors.tallies["plc", 1] = Tallied(waiting=4)
    plant.tell(SendData("plc", b"fits"))
    assert failed(plant.ask(SendData("plc", b"does not"))) == ("overloaded", "not_sent")


def test_a_lost_connection_shows_as_soon_as_a_client_may_know_of_it(plant, doors):
    plant.register(connect=True)
    actor = plant.actor()
    actor.is_connected = True
    actor.report()
    plant.ask(ResolveSystem("plc"))
    assert plant.ask(GetStatus("plc")).status.state is SystemState.CONNECTED
    doors.tallies["plc", 1] = Tallied(is_connected=False)
    status = plant.ask(GetStatus("plc")).status
    assert (status.state, status.is_connected) == (SystemState.DISCONNECTED, False)
