"""A circuit breaker: calls of what fails too often are refused, and now and then one is tried.

Pure: time and chance are arguments. The states and their names are those of everybody's circuit
breaker since Nygard's "Release It!" (2007).
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Final

import attrs

from actors.resilience.backoff import BackoffPolicy, backoff_delay
from actors.settings import Allowed, seconds, whole_number

_UNENDED_PROBE: Final = "the process ended while a probe was under way"


class CircuitState(enum.StrEnum):
    """What becomes of calls."""

    CLOSED = "closed"
    """They are made."""
    OPEN = "open"
    """They are refused, for a while."""
    HALF_OPEN = "half_open"
    """A few are made, to see whether they succeed: probes. The others are refused."""


def _share() -> Allowed:
    return Allowed(
        text="a number above 0, 1 at most",
        types=(int, float),
        check=lambda value: 0 < value <= 1,
    )


@attrs.frozen(kw_only=True)
class CircuitBreakerPolicy:
    """When calls are refused, because too many of the last ones failed, and for how long."""

    failure_rate: float = attrs.field(default=0.5, validator=_share())
    """The share of the last calls that may not fail; a failure that reaches it opens the
    circuit."""
    window: int = attrs.field(default=20, validator=whole_number(1, 1000))
    """How many calls are the last ones."""
    min_calls: int = attrs.field(
        default=attrs.Factory(lambda self: min(10, self.window), takes_self=True),
        validator=whole_number(1, 1000),
    )
    """So many must be known before any rate counts."""
    backoff_min: float = attrs.field(default=1.0, validator=seconds())
    """Seconds to be open the first time; twice as long each time that it opens again before it
    was closed for ``backoff_max``. Up to a quarter less, by chance."""
    backoff_max: float = attrs.field(default=60.0, validator=seconds())
    """Seconds never to be exceeded."""
    probes: int = attrs.field(default=1, validator=whole_number(1, 1000))
    """Calls that are let through when it has been open for that long. If all of them succeed it is
    closed; the first that fails opens it again."""
    probe_timeout: float = attrs.field(default=10.0, validator=seconds())
    """Seconds after which a probe has failed that has not ended."""

    def __attrs_post_init__(self) -> None:
        if self.min_calls > self.window:
            raise ValueError(
                f"min_calls ({self.min_calls}) must not be more than window ({self.window}): "
                "so many calls would never be known"
            )
        if self.backoff_max < self.backoff_min:
            raise ValueError(
                f"backoff_max ({self.backoff_max:g}) must not be less than "
                f"backoff_min ({self.backoff_min:g})"
            )


@attrs.frozen(kw_only=True)
class Circuit:
    """A circuit breaker at one moment, and all that the next one must know to go on from there.

    Times are seconds of the clock that the breaker is told.
    """

    state: CircuitState = CircuitState.CLOSED
    since: float = 0.0
    """When it came to be in this state."""
    why: str = ""
    """Why it opened the last time; empty if it never did."""
    retry_at: float = 0.0
    """Of an open one: when it becomes half-open."""
    openings: int = 0
    """How often in a row it opened, which is what it waits longer for."""
    probing: int = 0
    """Probes under way."""
    failed: tuple[bool, ...] = ()
    """Of a closed one, of each of the last calls: whether it failed."""


@attrs.frozen(eq=False)
class Permit:
    """That a call may be made; to be handed back with what came of it."""

    era: int
    deadline: float | None = None
    """Of a probe: when it has failed, unless it has ended."""

    @property
    def is_probe(self) -> bool:
        return self.deadline is not None


class CircuitBreaker:
    """Of one thing that is called.

    Each call begins with :meth:`begin`. If that gives a permit, the call is made, and one of
    :meth:`succeeded`, :meth:`failed` and :meth:`dropped` ends it, whatever happens. What began
    before the last change of state says nothing about the state after it.
    """

    def __init__(
        self,
        policy: CircuitBreakerPolicy,
        random: Random,
        past: Circuit | None = None,
        now: float = 0.0,
        on_change: Callable[[Circuit], None] = lambda circuit: None,
    ) -> None:
        """
        Args:
            past: what another breaker knew at last, on the same clock; this one goes on from there.
            now: of importance only with ``past``.
            on_change: told of each change of state.
        """
        self.policy = policy
        self._random = random
        self._on_change = on_change
        self._waits = BackoffPolicy(backoff_min=policy.backoff_min, backoff_max=policy.backoff_max)
        past = past or Circuit(since=now)
        self._state = past.state
        self._since = past.since
        self._why = past.why
        self._retry_at = min(past.retry_at, now + policy.backoff_max)
        self._openings = past.openings
        self._failed = deque(past.failed, maxlen=policy.window)
        self._era = 0
        self._plain = Permit(0)
        """Of all calls of this era that are no probes."""
        self._probes: set[Permit] = set()
        self._passed = 0
        """Probes that succeeded."""
        if past.probing and past.state is CircuitState.HALF_OPEN:
            self._open(now, _UNENDED_PROBE)

    def __repr__(self) -> str:
        return f"<CircuitBreaker {self._state}>"

    # ---- one call -----------------------------------------------------------------------------

    def begin(self, now: float) -> Permit | None:
        """Ask whether a call may be made; None if it must not."""
        self.look(now)
        if self._state is CircuitState.CLOSED:
            return self._plain
        if self._state is CircuitState.OPEN:
            return None
        if len(self._probes) + self._passed >= self.policy.probes:
            return None
        probe = Permit(self._era, now + self.policy.probe_timeout)
        self._probes.add(probe)
        return probe

    def succeeded(self, permit: Permit, now: float) -> None:
        """The call succeeded."""
        if not self._counts(permit, now):
            return
        if self._state is CircuitState.CLOSED:
            self._failed.append(False)
            return
        self._passed += 1
        if self._passed >= self.policy.probes:
            self._failed.clear()
            self._become(CircuitState.CLOSED, now)

    def failed(self, permit: Permit, now: float, why: str = "") -> None:
        """The call failed.

        Args:
            why: one line, which :attr:`circuit` and :meth:`refusal` repeat.
        """
        if not self._counts(permit, now):
            return
        if self._state is CircuitState.HALF_OPEN:
            self._open(now, _with("a probe failed", why))
            return
        self._failed.append(True)
        failures, calls = sum(self._failed), len(self._failed)
        if calls >= self.policy.min_calls and failures >= self.policy.failure_rate * calls:
            if now - self._since >= self.policy.backoff_max:
                self._openings = 0  # the trouble before is over
            text = f"{failures} of the last {calls} calls failed"
            self._open(now, _with(f"{text}, the last", why) if why else text)

    def dropped(self, permit: Permit, now: float) -> None:
        """The call was not made after all, or says nothing about what was called."""
        self._counts(permit, now)

    # ---- as time goes by ----------------------------------------------------------------------

    def look(self, now: float) -> None:
        """Do what is due; :meth:`begin` does it, too."""
        if self._state is CircuitState.OPEN and now >= self._retry_at:
            self._become(CircuitState.HALF_OPEN, now)
        elif self._state is CircuitState.HALF_OPEN:
            first = self._first_deadline()
            if first is not None and now >= first:
                limit = self.policy.probe_timeout
                self._open(now, f"a probe did not end within {limit:g} s")

    def next_due(self) -> float | None:
        """When :meth:`look` has something to do; None if only calls can change anything."""
        if self._state is CircuitState.OPEN:
            return self._retry_at
        return self._first_deadline()

    # ---- what is to be seen -------------------------------------------------------------------

    @property
    def circuit(self) -> Circuit:
        """How it is now."""
        return Circuit(
            state=self._state,
            since=self._since,
            why=self._why,
            retry_at=self._retry_at if self._state is CircuitState.OPEN else 0.0,
            openings=self._openings,
            probing=len(self._probes),
            failed=tuple(self._failed),
        )

    def retry_after(self, now: float) -> float:
        """Seconds after which a refused call may be made."""
        due = self.next_due()
        return 0.0 if due is None else max(0.0, due - now)

    def refusal(self, now: float) -> str:
        """Why a call is refused now, in one line."""
        wait = self.retry_after(now)
        if self._state is CircuitState.OPEN:
            return f"the circuit breaker is open: {self._why}; it tries again in {wait:.3g} s"
        return (
            f"the circuit breaker is half-open, and its probes are under way, for {wait:.3g} s at "
            f"most; it was open: {self._why}"
        )

    # ---- details ------------------------------------------------------------------------------

    def _counts(self, permit: Permit, now: float) -> bool:
        """End a call; whether it says anything about the present state."""
        self.look(now)
        if permit.era != self._era:
            return False
        if not permit.is_probe:
            return True
        is_first_end = permit in self._probes
        self._probes.discard(permit)
        return is_first_end

    def _first_deadline(self) -> float | None:
        if not self._probes:
            return None
        return min((each.deadline for each in self._probes if each.deadline), default=None)

    def _open(self, now: float, why: str) -> None:
        self._openings += 1
        self._why = why
        # The wait after the first of several failures is none; here it is the shortest.
        self._retry_at = now + backoff_delay(self._waits, self._openings + 1, self._random)
        self._failed.clear()
        self._become(CircuitState.OPEN, now)

    def _become(self, state: CircuitState, now: float) -> None:
        self._state, self._since = state, now
        self._era += 1
        self._plain = Permit(self._era)
        self._probes.clear()
        self._passed = 0
        self._on_change(self.circuit)


def _with(text: str, why: str) -> str:
    return f"{text}: {why}" if why else text
