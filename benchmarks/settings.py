"""How much a run does: all there is to tune, in one place."""

from __future__ import annotations

from typing import Final

import attrs

from benchmarks import comparison, messaging


@attrs.frozen
class Settings:
    """By the names of the parts."""

    runtime: comparison.Sizes


FULL: Final = Settings(
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
    runtime=comparison.Sizes(
        messaging.Sizes(seconds=4, rounds=2, asks=20, pipelined=100, tasks=1000, sends_per_task=2),
        restarts=2,
        mass=5,
        mass_restarts=1,
        systems=3,
    ),
)
