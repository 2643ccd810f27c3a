"""How much a run does: all there is to tune, in one place."""

from __future__ import annotations

from typing import Final

import attrs

from benchmarks import bases, comparison, durable, flatness, managed, messaging, policies


@attrs.frozen
class Settings:
    """By the names of the parts."""

    bases: bases.Sizes
    durable: durable.Sizes
    flatness: flatness.Sizes
    manager: managed.Sizes
    policies: policies.Sizes
    runtime: comparison.Sizes


FULL: Final = Settings(
    bases=bases.Sizes(
        seconds=150, rounds=20, asks=100, pipelined=512, small=10, big=10_000_000, creations=5
    ),
    durable=durable.Sizes(seconds=60, rounds=20, alone=200, at_once=1000, repeats=5),
    flatness=flatness.Sizes(seconds=30, rounds=20, asks=100, leaves=(10, 100, 400), growth=60),
    manager=managed.Sizes(seconds=60, rounds=20, asks=100, sends_per_task=5, systems=100),
    policies=policies.Sizes(seconds=60, rounds=40, asks=200),
    runtime=comparison.Sizes(
        messaging.Sizes(
            seconds=90, rounds=30, asks=100, pipelined=1000, tasks=1000, sends_per_task=5
        ),
        restarts=20,
        mass=100,
        mass_restarts=5,
        systems=20,
    ),
)
QUICK: Final = Settings(
    bases=bases.Sizes(
        seconds=5, rounds=2, asks=10, pipelined=64, small=2, big=1_000_000, creations=1
    ),
    durable=durable.Sizes(seconds=3, rounds=2, alone=10, at_once=100, repeats=1),
    flatness=flatness.Sizes(seconds=1, rounds=2, asks=10, leaves=(2, 8), growth=10),
    manager=managed.Sizes(seconds=3, rounds=2, asks=10, sends_per_task=2, systems=3),
    policies=policies.Sizes(seconds=3, rounds=2, asks=10),
    runtime=comparison.Sizes(
        messaging.Sizes(seconds=4, rounds=2, asks=10, pipelined=50, tasks=1000, sends_per_task=2),
        restarts=2,
        mass=5,
        mass_restarts=1,
        systems=3,
    ),
)
