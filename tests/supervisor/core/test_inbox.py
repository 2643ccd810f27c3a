"""What comes from systems with an inbox, with a real journal."""

import shutil

import pytest

from actors.messages import FailureCode, Report, TapData
from actors.payload import wrap_items
from supervisor.core import inbox
from supervisor.messages import CancelRequest, RegisterSystem, Subscribe, UnregisterSystem
from supervisor.messages.inbox import DataSettled, DataTaken, NothingTaken, SettleData, TakeData
from tests.helpers.harness import spec
from tests.helpers.stored_plants import StoredPlant
from tests.helpers.stores import in_memory


@pytest.fixture
def place():
    path = in_memory()
    yield path
    shutil.rmtree(path)


@pytest.fixture
def plant(place):
    plant = StoredPlant(place)
    yield plant
    plant.close()


def begin(plant):
    actor = plant.register(connect=True, inbox=True)
    actor.connect()
    return actor


def bring(plant, *items):
    """Have these come from the system."""
    actor = plant.actor()
    report = Report("plc", actor.incarnation, 0, (), True, tapped=wrap_items(items))
    plant.core.child_said("plc", actor.incarnation, report, plant.now)
    plant.carry_out()


def take(plant, client="ann", wait=0.0):
    request = TakeData("plc", wait)
    plant.tell(request, client=client)
    replies = plant.replies(request, client)
    return replies[0] if replies else request


def settle(plant, taken, done=True, client="ann"):
    request = SettleData("plc", taken.item_id, done)
    plant.tell(request, client=client)
    assert isinstance(plant.reply(request, client), DataSettled)


def stored(plant):
    return [(item.id, item.taken) for item in plant.store.load_received("plc")[0]]


def taps(actor):
    return [each.on for each in actor.told if isinstance(each, TapData)]


def test_what_comes_is_on_the_disk_until_its_reader_is_done_with_it(plant):
    begin(plant)
    bring(plant, b"one", "two")
    assert stored(plant) == [(1, 0), (2, 0)]
    first = take(plant)
    assert (first.item_id, first.data, first.taken) == (1, b"one", 0)
    assert stored(plant) == [(1, 1), (2, 0)]
    settle(plant, first)
    assert stored(plant) == [(2, 0)]
    second = take(plant)
    assert (second.item_id, second.data) == (2, "two")
    settle(plant, second)
    assert stored(plant) == []
    plant.tell(request := TakeData("plc", 1.0))
    plant.advance(2)
    assert isinstance(plant.reply(request), NothingTaken)


def test_a_reader_that_waits_is_given_what_comes_once_it_is_on_the_disk(plant):
    begin(plant)
    request = take(plant, wait=10.0)
    plant.holds_journal = True
    bring(plant, "one")
    assert plant.replies(request) == []
    plant.holds_journal = False
    plant.carry_out()
    assert plant.reply(request).data == "one"


def test_what_a_reader_had_that_left_comes_again_before_what_came_later(plant):
    begin(plant)
    bring(plant, "one", "two", "three")
    assert [take(plant, client="a").item_id, take(plant, client="b").item_id] == [1, 2]
    plant.leave("a")
    again = take(plant, client="b")
    assert (again.item_id, again.taken) == (1, 1)
    assert take(plant, client="b").item_id == 3


def test_what_is_given_back_comes_again_to_who_waits(plant):
    begin(plant)
    bring(plant, "one")
    taken = take(plant, client="a")
    waiting = take(plant, client="b", wait=10.0)
    settle(plant, taken, done=False, client="c")  # it is not his
    assert plant.replies(waiting, "b") == []
    settle(plant, taken, done=False, client="a")
    again = plant.reply(waiting, "b")
    assert (again.item_id, again.taken) == (1, 1)


def test_what_was_not_settled_comes_again_from_the_next_supervisor(place):
    plant = StoredPlant(place)
    begin(plant)
    bring(plant, "one", "two")
    taken = take(plant)
    plant.close()
    plant = StoredPlant(place)
    begin(plant)
    again = take(plant)
    assert (again.item_id, again.taken) == (1, 1)
    settle(plant, taken)
    assert take(plant).item_id == 2
    assert stored(plant) == [(2, 1)]
    bring(plant, "three")
    assert take(plant).item_id == 3
    plant.close()


def test_what_is_settled_before_the_next_supervisor_has_its_journal_does_not_come_again(place):
    plant = StoredPlant(place)
    begin(plant)
    bring(plant, "one", "two")
    taken = take(plant)
    plant.close()
    plant = StoredPlant(place)
    plant.holds_journal = True
    begin(plant)
    request = SettleData("plc", taken.item_id)
    plant.tell(request)
    plant.holds_journal = False
    plant.carry_out()
    assert isinstance(plant.reply(request), DataSettled)
    assert take(plant).item_id == 2
    assert stored(plant) == [(2, 1)]
    plant.close()


def test_a_killed_journal_costs_nothing(plant):
    begin(plant)
    plant.holds_journal = True
    bring(plant, "one")
    plant.kill_journal()
    bring(plant, "two")
    plant.holds_journal = False
    plant.advance(5)
    assert [take(plant).data, take(plant).data] == ["one", "two"]


def test_more_than_fits_here_comes_in_order(plant, monkeypatch):
    monkeypatch.setattr(inbox, "WINDOW", 3)
    begin(plant)
    for start in range(0, 20, 4):
        bring(plant, *range(start, start + 4))
    found = []
    for number in range(20):
        taken = take(plant)
        found.append(taken.data)
        if number % 2:
            settle(plant, taken)
    assert found == list(range(20))
    assert isinstance(take(plant, wait=0.5), TakeData)


def test_a_full_inbox_is_not_received_into_until_there_is_room(plant, monkeypatch):
    monkeypatch.setattr(inbox, "MOST_ITEMS", 2)
    actor = begin(plant)
    bring(plant, "one")
    assert taps(actor) == [True]
    bring(plant, "two")
    assert taps(actor) == [True, False]
    settle(plant, take(plant))
    assert taps(actor) == [True, False, True]


def test_subscribers_have_the_data_as_well(plant):
    begin(plant)
    plant.tell(Subscribe(data_from=None), client="b")
    bring(plant, "one")
    assert take(plant).data == "one"


def test_who_does_not_wait_any_more_is_given_nothing(plant):
    begin(plant)
    request = take(plant, wait=10.0)
    plant.tell(CancelRequest((request.request_id,)))
    bring(plant, "one")
    assert plant.replies(request) == []
    assert take(plant, client="b").item_id == 1


def test_who_waits_for_a_system_that_is_unregistered_is_told(plant):
    begin(plant)
    bring(plant, "one")
    taken = take(plant)
    request = take(plant, wait=100.0)
    plant.tell(UnregisterSystem("plc"))
    plant.actor().stop()
    plant.actor().exit()
    assert plant.reply(request).code is FailureCode.UNAVAILABLE
    assert stored(plant) == [(taken.item_id, 1)]


def test_a_system_without_an_inbox_has_nothing_to_take(plant):
    plant.register()
    reply = take(plant)
    assert (reply.code, "inbox to true" in reply.text) == (FailureCode.INVALID_REQUEST, True)


def test_an_inbox_without_a_state_directory_is_refused(place):
    plant = StoredPlant(place, state_dir=None)
    plant.tell(request := RegisterSystem(spec(inbox=True)))
    reply = plant.reply(request)
    assert reply.code is FailureCode.INVALID_SPEC
    assert "plc has an inbox, but there is no directory" in reply.text


@pytest.mark.parametrize(
    "request_",
    [TakeData("plc", -1), TakeData("plc", "x"), SettleData("plc", "1"), SettleData("plc", 1, 2)],
    ids=repr,
)
def test_what_makes_no_sense_is_refused(plant, request_):
    begin(plant)
    plant.tell(request_)
    assert plant.reply(request_).code is FailureCode.INVALID_REQUEST


def test_taken_data_does_not_print():
    taken = DataTaken(request_id=1, item_id=1, data="secret", taken=0, received_at=1.0)
    assert "secret" not in repr(taken)
