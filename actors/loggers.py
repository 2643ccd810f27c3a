"""The names of all loggers: fixed, so that what users filter by outlives a move of the code.

Get a logger where a line is written, with ``logging.getLogger``, in what runs in an actor:
one that was made before the actor's process was forked is not the process's own.
"""

from __future__ import annotations

from typing import Final

ALL: Final = "extsys"
"""Above all others."""

MANAGER: Final = "extsys.manager"
ROOT: Final = "extsys.root"
RUN: Final = "extsys.run"
GUARDIAN: Final = "extsys.guardian"
SUPERVISOR: Final = "extsys.supervisor"
JOURNAL: Final = "extsys.journal"
SYSTEM_ACTOR: Final = "extsys.system_actor"
FRONT_DOOR: Final = "extsys.front_door"
SYSTEM: Final = "extsys.system"
"""Above one for each system, with its name: what the system's process says."""

LOG: Final = "extsys.log"
LIFELINE: Final = "extsys.lifeline"
TCP: Final = "extsys.tcp"
TLS: Final = "extsys.tls"
