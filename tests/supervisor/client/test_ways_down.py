"""What is asked of a system that is down goes where it waits: to the supervisor."""

from __future__ import annotations

import attrs
import pytest

from actors.messages import Deliver, FailureCode, Fence, FencePassed, SendData, SendMany
from tests.helpers.plant import Plant, part, sent


@pytest.fixture
def plant():
    return Plant()


def fences(plant):
    return [each for each in plant.routed() if isinstance(each, Fence)]


def test_what_is_to_wait_goes_through_the_supervisor_while_the_system_is_not_connected(plant):
    plant.open(waits_when_down=True)
    plant.ways.connection(False)
    request = plant.ask(SendData("plc", 1))
    assert plant.routed() == [request]
    assert not plant.told(Deliver)


def test_it_waits_there_behind_what_went_straight_before(plant):
    plant.open(waits_when_down=True)
    first = plant.ask(SendData("plc", 1))
    plant.ways.connection(False)
    second = plant.ask(SendData("plc", 2))
    assert plant.routed() == []
    plant.say()
    plant.flush()
    assert plant.routed() == [second]
    plant.say(sent(first))


def test_when_it_is_connected_again_nothing_overtakes_what_waited(plant):
    plant.open(waits_when_down=True)
    plant.ways.connection(False)
    waited = plant.ask(SendData("plc", 1))
    plant.ways.connection(True)
    later = plant.ask(SendData("plc", 2))
    [fence] = fences(plant)
    assert plant.routed() == [waited, fence]
    plant.ways.routed_reply(fence.request_id, FencePassed(request_id=fence.request_id), plant.now)
    plant.flush()
    assert plant.delivered() == [later]


def test_without_such_a_policy_the_system_says_itself_that_it_is_not_connected(plant):
    plant.open()
    plant.ways.connection(False)
    request = plant.ask(SendData("plc", 1))
    assert plant.delivered() == [request]


def test_who_is_told_that_it_is_not_connected_is_told_when_it_will_be(plant):
    plant.open()
    plant.ways.connection(False, plant.now + 5.0)
    single, many = plant.ask(SendData("plc", 1)), plant.ask(SendMany("plc", (2,)))
    why = FailureCode.NOT_CONNECTED, "not connected"
    plant.now += 2.0
    plant.say(single.failure(*why), part(many, many.failure(*why), final=True))
    [failure] = plant.answers(single)
    [results] = plant.answers(many)
    assert (failure.retry_after, results.results[0].retry_after) == (3.0, 3.0)
    plant.ways.connection(True)
    again = plant.ask(SendData("plc", 3))
    plant.say(again.failure(*why))
    assert plant.answers(again)[0].retry_after is None


def test_a_system_that_was_not_connected_when_it_was_found_is_not_asked_straight(plant):
    plant.open(proven=False, waits_when_down=True, is_connected=False)
    request = plant.ask(SendData("plc", 1))
    assert plant.routed() == [request]


def test_when_it_is_connected_next_is_known_from_where_it_was_found(plant):
    plant.open(is_connected=False, next_attempt=4.0)
    request = plant.ask(SendData("plc", 1))
    plant.say(request.failure(FailureCode.NOT_CONNECTED, "not connected"))
    assert plant.answers(request)[0].retry_after == 4.0


def test_what_was_heard_since_it_was_looked_for_is_newer(plant):
    plant.open(waits_when_down=True)
    plant.ways.lost()
    news = plant.ways.connection_news
    plant.ways.connection(True)
    found = attrs.evolve(plant.found, is_connected=False)
    plant.ways.found(found, news, plant.now)
    plant.ways.opened(found, 0)
    plant.ask(SendData("plc", 1))
    assert plant.told(Deliver), "it is to go straight"
