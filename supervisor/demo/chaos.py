"""What ``extsys demo --chaos`` does to its systems, and the books it keeps of it. Pure."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from random import Random
from statistics import median
from typing import Any, Final

import attrs

from actors.messages import Outcome
from supervisor.messages import SystemStatus
from supervisor.specs.policies import RestartPolicy, Strategy
from supervisor.specs.spec import GroupSpec, SystemSpec

HANG_TIMEOUT: Final = 1.5
"""Seconds after which a stopped process counts as hung."""
INSTRUMENT: Final = "voltmeter"
_GROUPS: Final = {
    "boiler": (Strategy.ONE_FOR_ONE, ("burner", "feed-pump", "thermometer", INSTRUMENT)),
    "press": (Strategy.ONE_FOR_ALL, ("hydraulics", "ram", "guard-door")),
    "line": (Strategy.REST_FOR_ONE, ("broker", "belt", "robot", "packer", "printer")),
}
_ALONE: Final = "horn"
"""The one system that is in no group of its own."""


def plant(host: str, port: int) -> tuple[GroupSpec | SystemSpec, ...]:
    """Thirteen systems, all but one in a group, and one of the groups for each strategy.

    Args:
        host, port: where the instrument listens.
    """
    # They are killed for show, and not to be given up for it.
    patient = RestartPolicy(max_restarts=1000, period=10_000.0, stable_after=1.0)

    def system(name: str) -> SystemSpec:
        kind = "tcp" if name == INSTRUMENT else "mock"
        details = {"host": host, "port": port} if name == INSTRUMENT else {"echo": True}
        return SystemSpec(
            name, kind, details, connect=True, restart=patient, hang_timeout=HANG_TIMEOUT
        )

    groups = [
        GroupSpec(name, [system(each) for each in systems], strategy=strategy)
        for name, (strategy, systems) in _GROUPS.items()
    ]
    return (*groups, system(_ALONE))


# ---- what is done -------------------------------------------------------------------------


class Deed(enum.StrEnum):
    """Something that ends a process, or should."""

    KILL = "kill"
    EXCEPTION = "exception"
    EXIT = "exit"
    HANG = "hang"
    SUPERVISOR = "supervisor"

    @property
    def text(self) -> str:
        """In a few words, to be followed by a system's name."""
        return _DEED_TEXTS[self]


_DEED_TEXTS: Final = {
    Deed.KILL: "kill -9",
    Deed.EXCEPTION: "an exception in",
    Deed.EXIT: "exit code 7 of",
    Deed.HANG: "SIGSTOP to",
    Deed.SUPERVISOR: "kill -9 of the supervisor, and so of",
}
ALL_SYSTEMS: Final = "all systems"
_BAG: Final = (
    *(Deed.KILL,) * 4,
    *(Deed.EXCEPTION,) * 2,
    *(Deed.EXIT,) * 2,
    Deed.HANG,
    Deed.SUPERVISOR,
)


@attrs.frozen
class Plan:
    """What to do next, and to which system; None means to the supervisor."""

    deed: Deed
    target: str | None


@attrs.define
class Mischief:
    """Decides what to do next: all kinds of deeds in turn, at random."""

    _random: Random
    _bag: list[Deed] = attrs.field(factory=list)

    def next(self, ready: Set[str], *, calm: bool) -> Plan | None:
        """
        Args:
            ready: systems that are well.
            calm: whether all are; the supervisor is killed only then.

        Returns:
            None if nothing can be done now.
        """
        if not self._bag:
            self._bag = list(_BAG)
            self._random.shuffle(self._bag)
        deed = self._bag[-1]
        if deed is Deed.SUPERVISOR:
            if not calm:
                return None
            self._bag.pop()
            return Plan(deed, None)
        # Only mock systems fail when they are told to.
        mocks_only = deed in (Deed.EXCEPTION, Deed.EXIT)
        names = sorted(n for n in ready if not (mocks_only and n == INSTRUMENT))
        if not names:
            return None
        self._bag.pop()
        return Plan(deed, self._random.choice(names))

    def pause(self) -> float:
        """Seconds until the next."""
        return self._random.uniform(0.3, 0.9)


def ready_systems(systems: Sequence[SystemStatus], hurt: Set[str]) -> set[str]:
    """Those that are connected, and in whose group nobody is hurt."""
    troubled = {system.group for system in systems if system.name in hurt}
    return {
        system.name
        for system in systems
        if system.is_connected and system.group not in troubled and system.name not in hurt
    }


# ---- the books ----------------------------------------------------------------------------


@attrs.define(eq=False)
class Wound:
    """A deed, until everybody whom it ended answers again."""

    deed: Deed
    hurt: set[str]
    at: float | None
    """Seconds; None until its first victim shows it."""


@attrs.frozen
class Healed:
    """Everybody whom a deed ended has answered again."""

    deed: Deed
    name: str
    took: float
    """Seconds from the deed to the answer of the last of them."""


@attrs.define
class Ledger:
    """Counts requests, and watches until whoever was hurt answers again.

    Only a request that began after the deed shows that its system is back. Times are
    seconds of a monotonic clock.
    """

    sent: int = 0
    answered: int = 0
    failed: Counter[Outcome] = attrs.field(factory=Counter)
    """By outcome: failed with a clear answer."""
    given_up: int = 0
    """Requests that were waited for in vain."""
    wounds: list[Wound] = attrs.field(factory=list)
    healed: list[Healed] = attrs.field(factory=list)

    @property
    def open(self) -> int:
        """Requests that have no answer yet."""
        return self.sent - self.answered - self.failed.total() - self.given_up

    @property
    def lost(self) -> int:
        """Requests without an answer, once everything is over."""
        return self.given_up + self.open

    @property
    def hurt(self) -> set[str]:
        return {name for wound in self.wounds for name in wound.hurt}

    def strike(self, deed: Deed, names: Set[str], now: float | None) -> Wound:
        """Something is done; with None as the time it counts from its victim's failure."""
        wound = Wound(deed, set(names), now)
        self.wounds.append(wound)
        return wound

    def call_off(self, wound: Wound) -> None:
        """A deed that turned out to have hurt nobody."""
        if wound in self.wounds and wound.at is None:
            self.wounds.remove(wound)

    def begin(self) -> None:
        """A request is sent."""
        self.sent += 1

    def answer(self, name: str, began: float, now: float) -> list[Healed]:
        """It was answered; says what is healed by that."""
        self.answered += 1
        healed = []
        for wound in self.wounds[:]:
            if wound.at is None or began < wound.at or name not in wound.hurt:
                continue
            wound.hurt.discard(name)
            if not wound.hurt:
                self.wounds.remove(wound)
                who = ALL_SYSTEMS if wound.deed is Deed.SUPERVISOR else name
                healed.append(Healed(wound.deed, who, now - wound.at))
        self.healed += healed
        return healed

    def fail(self, name: str, outcome: Outcome, now: float) -> None:
        """It was answered by a failure."""
        self.failed[outcome] += 1
        for wound in self.wounds:
            if wound.at is None and name in wound.hurt:
                wound.at = now

    def give_up(self) -> None:
        """There was no answer to it, for far too long."""
        self.given_up += 1


def report(
    ledger: Ledger, systems: Sequence[SystemStatus], seed: int, seconds: float
) -> dict[str, Any]:
    """The books when all is over, for programs."""
    return {
        "seed": seed,
        "seconds": round(seconds, 1),
        "deeds": {deed.value: _times(ledger, deed) for deed in Deed},
        "never_answered_again": sorted(ledger.hurt),
        "requests": {
            "sent": ledger.sent,
            "answered": ledger.answered,
            "failed_not_sent": ledger.failed[Outcome.NOT_SENT],
            "failed_unknown": ledger.failed[Outcome.UNKNOWN],
            "lost": ledger.lost,
        },
        "systems": {
            system.name: {
                "group": system.group,
                "desired": system.desired.value,
                "state": system.state.value,
                "incarnation": system.incarnation,
            }
            for system in systems
        },
    }


def _times(ledger: Ledger, deed: Deed) -> dict[str, Any]:
    took = [each.took * 1000 for each in ledger.healed if each.deed is deed]
    missing = sum(wound.deed is deed for wound in ledger.wounds)
    return {
        "times": len(took) + missing,
        "median_ms": round(median(took), 1) if took else None,
        "max_ms": round(max(took), 1) if took else None,
    }


def all_is_well(found: Mapping[str, Any]) -> bool:
    """Whether a report says that nothing was lost, and all systems are as they should be."""
    systems = found["systems"].values()
    as_meant = all(system["state"] == system["desired"] for system in systems)
    return bool(
        systems and as_meant and not found["requests"]["lost"] and not found["never_answered_again"]
    )
