"""What proves that nothing is overtaken, and how long it is waited for."""

import pytest

from actors.messages import FencePassed
from supervisor.client.fencing import FENCE_PATIENCE, FENCE_PAUSE, Fencing


@pytest.fixture
def fencing():
    return Fencing("plc")


def passed(fence):
    return FencePassed(request_id=fence.request_id)


def test_nothing_is_proven_until_a_first_fence_came_back(fencing):
    assert fencing.unproven
    fence = fencing.put_up(0.0)
    assert (fence.system_name, fence.timeout) == ("plc", FENCE_PATIENCE)
    assert fencing.is_fence(fence.request_id)
    fencing.came_back(passed(fence), 0.1)
    assert not fencing.unproven
    assert not fencing.is_up
    assert not fencing.is_fence(fence.request_id)


def test_a_fence_proves_nothing_of_what_was_routed_behind_it(fencing):
    fence = fencing.put_up(0.0)
    fencing.routed(7)
    fencing.came_back(passed(fence), 0.1)
    assert fencing.unproven
    fencing.answered(7)
    assert not fencing.unproven


def test_nothing_that_is_answered_proves_what_went_unseen(fencing):
    fencing.routed(7)
    fencing.answered(7)
    assert fencing.unproven


@pytest.mark.parametrize("says_so", [True, False])
def test_one_that_does_not_come_back_proves_nothing_and_the_next_waits_a_while(fencing, says_so):
    fence = fencing.put_up(0.0)
    assert fencing.put_up(10.0) is None
    if says_so:
        fencing.came_back(fence.failure("timeout", "late"), 10.0)
    else:
        fencing.run_out(10.0)
    assert fencing.unproven
    assert not fencing.is_up
    assert fencing.put_up(10.0 + FENCE_PAUSE - 0.01) is None
    assert fencing.put_up(10.0 + FENCE_PAUSE) is not None
