"""Policies say what they take, and refuse limits that could never be reached."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actors.resilience.backoff import BackoffPolicy
from supervisor.specs.policies import (
    RestartPolicy,
    as_seconds,
    refuse_unreachable,
)
from supervisor.specs.spec import GroupSpec, SystemSpec

EIGHTHS = st.integers(1, 64).map(lambda number: number / 8)
"""Times that add up exactly."""


@st.composite
def backoffs(draw):
    least = draw(EIGHTHS)
    return BackoffPolicy(backoff_min=least, backoff_max=least + draw(EIGHTHS) - 1 / 8)


def is_refused(max_restarts, period, children):
    try:
        refuse_unreachable(max_restarts, period, children)
    except ValueError:
        return True
    return False


def gives_up(max_restarts, period, children, crashes=400):
    """What a supervisor would do about children that crash at once, whenever they are
    started: whether it ever sees more than max_restarts crashes within period."""
    due = [(0.0, 0, index) for index in range(len(children))]
    seen = []
    for _ in range(crashes):
        now, failures, index = min(due)
        seen = [time for time in [*seen, now] if time >= now - period]
        if len(seen) > max_restarts:
            return True
        due[index] = (now + children[index].wait_after(failures + 1), failures + 1, index)
    return False


@given(st.integers(0, 12), EIGHTHS, st.lists(backoffs(), min_size=1, max_size=3))
@example(2, 1.0, [BackoffPolicy(backoff_min=1, backoff_max=1)])
@example(3, 1.0, [BackoffPolicy(backoff_min=1, backoff_max=1)])
@example(4, 1.0, [BackoffPolicy(backoff_min=1, backoff_max=1)] * 2)
def test_limits_are_refused_exactly_if_a_crash_loop_never_exceeds_them(most, period, children):
    assert is_refused(most, period, children) is not gives_up(most, period, children)


@given(st.integers(0, 12), EIGHTHS, backoffs())
def test_a_policy_of_its_own_is_refused_likewise(most, period, backoff):
    options = {"backoff_min": backoff.backoff_min, "backoff_max": backoff.backoff_max}
    try:
        RestartPolicy(max_restarts=most, period=period, **options)
    except ValueError:
        assert not gives_up(most, period, [backoff])
    else:
        assert gives_up(most, period, [backoff])


@pytest.mark.parametrize("most", [200_000, 10**400])
def test_huge_limits_are_judged_at_once(most):
    steady = BackoffPolicy(backoff_min=1.0, backoff_max=1.0)
    assert is_refused(most, 150_000.0, [steady])
    assert not is_refused(100_000, 150_000.0, [steady])


@pytest.mark.parametrize("wait", [1e-300, 1e300])
def test_waits_of_any_length_are_judged(wait):
    backoff = BackoffPolicy(backoff_min=wait, backoff_max=wait)
    assert is_refused(3, 1e308, [backoff]) is False
    assert is_refused(3, 1e-308, [backoff])


def test_a_refusal_says_which_limit_would_do():
    with pytest.raises(ValueError, match="only 14 crashes fit") as caught:
        RestartPolicy(max_restarts=100, period=10.0)
    assert "lower max_restarts to at most 13" in str(caught.value)
    assert RestartPolicy(max_restarts=13, period=10.0).max_restarts == 13
    with pytest.raises(ValueError, match="can never be exceeded"):
        RestartPolicy(max_restarts=14, period=10.0)


def test_the_defaults_can_be_exceeded():
    assert RestartPolicy().max_restarts == 3


def test_without_children_nothing_is_refused():
    refuse_unreachable(10**9, 1.0, [])


# ---- times in words ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "meant"),
    [("5s", 5.0), ("500ms", 0.5), (0, 0), (2, 2), ("infinity", math.inf), ("brutal_kill", 0)],
)
@pytest.mark.parametrize(
    "build",
    [lambda value: SystemSpec("plc", "mock", shutdown=value), lambda v: GroupSpec("g", shutdown=v)],
    ids=["system", "group"],
)
def test_a_shutdown_is_a_time_or_a_word(build, written, meant):
    assert as_seconds(build(written).shutdown) == meant


@pytest.mark.parametrize("written", [-1, True, None, math.inf, math.nan, "", "soon", "5", "5 d"])
def test_another_shutdown_is_refused(written):
    with pytest.raises(ValueError, match=r'^shutdown must be .*"5s", "infinity" or "brutal_kill"'):
        SystemSpec("plc", "mock", shutdown=written)


def test_a_misspelt_word_is_put_right():
    with pytest.raises(ValueError, match='did you mean "brutal_kill"'):
        SystemSpec("plc", "mock", shutdown="brutal-kill")
    with pytest.raises(ValueError, match='did you mean "infinity"'):
        SystemSpec("plc", "mock", hang_timeout="infinty")


@pytest.mark.parametrize(("written", "meant"), [("30s", 30.0), (1, 1), ("infinity", math.inf)])
def test_a_hang_timeout_is_a_time_or_infinity(written, meant):
    assert as_seconds(SystemSpec("plc", "mock", hang_timeout=written).hang_timeout) == meant


@pytest.mark.parametrize("written", [0, -1, "0s", "brutal_kill", True, None])
def test_another_hang_timeout_is_refused(written):
    with pytest.raises(ValueError, match=r"^hang_timeout must be "):
        SystemSpec("plc", "mock", hang_timeout=written)
