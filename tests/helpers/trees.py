"""Random trees for hypothesis."""

from __future__ import annotations

import hypothesis.strategies as st

from actors.resilience.backoff import BackoffPolicy
from actors.settings import INFINITY
from supervisor.specs.policies import (
    BRUTAL_KILL,
    AutoShutdown,
    GiveUp,
    OnStartFailure,
    RestartPolicy,
    RestartType,
    Strategy,
)
from supervisor.specs.spec import ChildSpec, GroupSpec, SystemSpec

PERIODS = st.sampled_from([2.5, 5.5])
"""Histories take whole seconds: no restart is exactly a period ago, whatever waits add."""
INTENSITIES = st.integers(0, 3)
SHUTDOWNS = st.sampled_from([INFINITY, INFINITY, BRUTAL_KILL, 1.0])
PATIENT = st.just(INFINITY)
TYPES = st.sampled_from(list(RestartType))


@st.composite
def policies(draw: st.DrawFn) -> RestartPolicy:
    return RestartPolicy(
        max_restarts=draw(INTENSITIES),
        period=draw(PERIODS),
        backoff_min=1e-6,
        backoff_max=1e-6,
        stable_after=1e-3,
    )


@st.composite
def systems(draw: st.DrawFn, name: str, auto_shutdown: AutoShutdown) -> SystemSpec:
    restart_type = draw(TYPES)
    may = auto_shutdown is not AutoShutdown.NEVER and restart_type is not RestartType.PERMANENT
    return SystemSpec(
        name,
        "mock",
        restart_type=restart_type,
        restart=draw(policies()),
        reconnect=BackoffPolicy(backoff_min=1e-6, backoff_max=1e-6, stable_after=1e-3),
        significant=may and draw(st.booleans()),
    )


@st.composite
def groups(
    draw: st.DrawFn,
    name: str,
    depth: int,
    around: AutoShutdown = AutoShutdown.NEVER,
    children: tuple[ChildSpec, ...] | None = None,
    shutdowns: st.SearchStrategy[float | str] = PATIENT,
) -> GroupSpec:
    """A group in another one, which may have ``around`` as its rule of shutdown; with the
    given children, or with some of its own that are named after it."""
    auto_shutdown = draw(st.sampled_from(list(AutoShutdown)))
    if children is None:
        drawn = []
        for number in range(draw(st.integers(0, 3)) + (depth > 2)):
            child = f"{name}{number}"
            if depth > 1 and draw(st.integers(0, 2)) == 0:
                drawn.append(draw(groups(child, depth - 1, auto_shutdown, shutdowns=shutdowns)))
            else:
                drawn.append(draw(systems(child, auto_shutdown)))
        children = tuple(drawn)
    elif any(child.significant for child in children) and auto_shutdown is AutoShutdown.NEVER:
        auto_shutdown = AutoShutdown.ANY_SIGNIFICANT
    restart_type = draw(TYPES)
    may = around is not AutoShutdown.NEVER and restart_type is not RestartType.PERMANENT
    return GroupSpec(
        name,
        children,
        strategy=draw(st.sampled_from(list(Strategy))),
        give_up=draw(st.sampled_from(list(GiveUp))),
        max_restarts=draw(INTENSITIES),
        period=draw(PERIODS),
        on_start_failure=draw(st.sampled_from(list(OnStartFailure))),
        auto_shutdown=auto_shutdown,
        restart_type=restart_type,
        restart=draw(policies()),
        significant=may and draw(st.booleans()),
        shutdown=draw(shutdowns),
    )
