"""The thirty systems that chaos breaks, in groups of all kinds."""

from __future__ import annotations

from collections.abc import Iterable

from supervisor import GroupSpec, RestartPolicy, SystemSpec

PATIENT = RestartPolicy(max_restarts=10_000, period=1_000.0, backoff_min=0.01, backoff_max=0.05)
GROUPS = ("line", "cell", "mill", "brittle", "dock", "crane")


def plant() -> tuple[SystemSpec | GroupSpec, ...]:
    """Thirty systems: all strategies, groups in groups, groups that give up."""
    return (
        GroupSpec(
            "line",
            (
                *systems("line", 6, transient=(1, 4)),
                GroupSpec(
                    "cell",
                    systems("cell", 4, transient=(2,)),
                    strategy="one_for_all",
                    restart=PATIENT,
                ),
            ),
            restart=PATIENT,
        ),
        GroupSpec(
            "mill",
            (
                *systems("mill", 5, transient=(0,)),
                _brittle("brittle", 3, strategy="one_for_one"),
            ),
            strategy="rest_for_one",
            restart=PATIENT,
        ),
        GroupSpec(
            "dock",
            (*systems("dock", 4), _brittle("crane", 3, strategy="rest_for_one")),
            strategy="one_for_all",
            restart=PATIENT,
        ),
        *systems("lone", 5, transient=(3,)),
    )


def systems(prefix: str, number: int, transient: Iterable[int] = ()) -> tuple[SystemSpec, ...]:
    """Systems that may crash as often as they like, and are quickly found to hang."""
    return tuple(
        SystemSpec(
            f"{prefix}-{each}",
            "tests.helpers.scripted:Scripted",
            {"echo": True, "receive_timeout": 0.02},
            connect=True,
            restart_type="transient" if each in transient else "permanent",
            restart=PATIENT,
            reconnect=PATIENT,
            shutdown=1.0,
            hang_timeout=1.5,
        )
        for each in range(number)
    )


def _brittle(name: str, number: int, strategy: str) -> GroupSpec:
    """A group that gives up now and then, and is restarted by the one it is in."""
    return GroupSpec(
        name,
        systems(name, number),
        strategy=strategy,
        give_up="escalate",
        max_restarts=2,
        period=5.0,
        restart=PATIENT,
    )
