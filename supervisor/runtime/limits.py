"""How often a runtime's own processes are started again, and with what its root exits."""

from __future__ import annotations

import os
from typing import Final

from supervisor.specs.policies import RestartPolicy

RUNTIME_INTENSITY: Final = RestartPolicy(
    max_restarts=3, period=60.0, backoff_min=0.1, backoff_max=1.0
)
"""More ends than that of what a runtime stands on, its root process or its actor system, are
not mended by one more start."""
SUPERVISOR_INTENSITY: Final = RestartPolicy(
    max_restarts=5, period=30.0, backoff_min=0.1, backoff_max=1.0
)
"""More ends of a supervisor than that are not mended by one more start."""
SESSION_INTENSITY: Final = RestartPolicy(
    max_restarts=30, period=60.0, backoff_min=0.05, backoff_max=1.0
)
"""More losses of its supervisor than that are not mended by one more connection: more than all
restarts of what is above that a host may live through."""

_PER_PROCESSOR: Final = 2


def processes_at_once() -> int:
    """How many system actors are made at a time: enough to keep the processors busy that this
    process may use, for each spends some of its start waiting."""
    try:
        processors = len(os.sched_getaffinity(0))
    except AttributeError:  # not every system has it
        processors = os.cpu_count() or 1
    return _PER_PROCESSOR * processors


EXIT_OK: Final = os.EX_OK
EXIT_REPLACED: Final = 4
"""Another supervisor has the directory."""
EXIT_SUPERVISOR_DIED: Final = os.EX_SOFTWARE
"""The systems are gone because their supervisor could not be kept running."""
