"""Systems and trees to be shown."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from actors.messages import Reason
from supervisor.messages import ChildType, DesiredState, SystemState, SystemStatus, TreeNode
from supervisor.messages.crashes import CrashReport

NOON = datetime(2024, 2, 29, 12, 30, 15, 250_000).timestamp()
BUG = Reason("ZeroDivisionError", "division by zero", "Traceback...")
CRASH = CrashReport(
    reason=BUG,
    incarnation=1,
    time=NOON,
    uptime=61.0,
    exit_code=None,
    signal=None,
    out_of_memory=False,
    in_progress=None,
)


def status(**fields: Any) -> SystemStatus:
    one = SystemStatus(
        name="plc",
        kind="mock",
        state=SystemState.CONNECTED,
        desired=DesiredState.CONNECTED,
        is_connected=True,
        incarnation=2,
        pid=4711,
        uptime=5.25,
        restarts=1,
        sent=3,
        received=4,
        waiting=5,
        commands=("reset", "sent_count"),
        last_crash=None,
        last_error=None,
    )
    return attrs.evolve(one, **fields)


def system(name: str, state: SystemState = SystemState.CONNECTED, **fields: object) -> TreeNode:
    node = TreeNode(
        name=name,
        type=ChildType.WORKER,
        state=state,
        incarnation=1,
        uptime=5.0,
        restarts=0,
        kind="mock",
    )
    return attrs.evolve(node, **fields)


def group(name: str, *children: TreeNode, **fields: object) -> TreeNode:
    node = TreeNode(
        name=name,
        type=ChildType.SUPERVISOR,
        state=SystemState.UP,
        incarnation=1,
        uptime=60.0,
        restarts=0,
        strategy="one_for_all",
        children=children,
    )
    return attrs.evolve(node, **fields)


TREE = group(
    "root",
    system("a"),
    group("g", system("b", restarts=2, incarnation=3), system("c")),
    group("h", system("d")),
)
