"""How long hypothesis looks for what is wrong: two profiles, and settings for state machines.

quick: in every run, the same examples each time; a test says how many if not 100.
long: 5000 new ones times EXTSYS_EXAMPLES_FACTOR, for tests that are marked as long, and with
``--hypothesis-profile long`` for all that do not say how many.

An example that was once found is no matter of chance any more: it stays as an ``@example``,
and a history as a plain test.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

_FACTOR = int(os.environ.get("EXTSYS_EXAMPLES_FACTOR", "1"))

settings.register_profile("quick", derandomize=True, deadline=None)
settings.register_profile("long", max_examples=5000 * _FACTOR, deadline=None, print_blob=True)


def load_profile() -> None:
    settings.load_profile("quick")


def quick(examples: int, steps: int) -> settings:
    """Settings of a state machine in every run."""
    return _look("quick", steps, examples)


def long(steps: int) -> settings:
    """Settings of a state machine that is marked as long."""
    return _look("long", steps, settings.get_profile("long").max_examples)


def _look(profile: str, steps: int, examples: int) -> settings:
    return settings(
        settings.get_profile(profile),
        max_examples=examples,
        stateful_step_count=steps,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        # Explaining a failure takes minutes.
        phases=[phase for phase in Phase if phase is not Phase.explain],
    )
