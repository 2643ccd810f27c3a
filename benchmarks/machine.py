"""What the numbers depend on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from typing import Any

from supervisor.runtime.actor_system import choose_base


def machine_facts() -> dict[str, Any]:
    """Taken before anything runs."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "load_average_at_start": [round(load, 2) for load in os.getloadavg()],
        "thespian": version("thespian"),
        "base_of_the_runtime": choose_base(),
    }
