"""What policies cost: a lone send to a system with all of them, and to one with none."""

from __future__ import annotations

from functools import partial
from typing import Final

import attrs

from actors import (
    Bulkhead,
    CachePolicy,
    CircuitBreakerPolicy,
    Deduplication,
    KeepAlive,
    Policy,
    RateLimit,
    RetryPolicy,
    Timeouts,
)
from benchmarks.bare import WARM_UPS
from benchmarks.grid import Comparison, Grid, Line, Target
from benchmarks.rounds import interleave, timed
from benchmarks.runtime import ITEM, SINK, ManagedRuntime

_NONE: Final = "none"
_ALL: Final = "all"
_GUARDED: Final = "guarded"
ALL_POLICIES: Final = Policy(
    bulkhead=Bulkhead(concurrent=100),
    cache=CachePolicy(ttl=60.0),
    circuit_breaker=CircuitBreakerPolicy(),
    deduplicate=Deduplication(window=60.0),
    keep_alive=KeepAlive(every=60.0),
    rate_limit=RateLimit(rate=1e6, burst=1000),
    retry=RetryPolicy(),
    timeouts=Timeouts(send=10.0, query=10.0, command=10.0),
    when_down="wait",
)
"""All that one connection can have; none of them has anything to say to a send that goes well."""


@attrs.frozen
class Sizes:
    """How much one run does; counts are per round."""

    seconds: float
    """No further round begins after so many seconds."""
    rounds: int
    asks: int


def measure_policies(sizes: Sizes) -> Grid:
    """One item at a time, to either system in turns."""
    with ManagedRuntime() as runtime:
        runtime.start(SINK)
        runtime.start_with(ALL_POLICIES, _GUARDED)
        ways = {
            side: timed(
                partial(runtime.send_each, ITEM, sizes.asks, name),
                sizes.asks,
                partial(runtime.send_each, ITEM, WARM_UPS, name),
            )
            for side, name in ((_NONE, SINK), (_ALL, _GUARDED))
        }
        samples = interleave([ways], sizes.rounds, sizes.seconds)
    return Grid(
        "Policies: a send to a system with all of them, and to one with none",
        [Line.of("send, one at a time", "ms", samples, lambda seconds: seconds * 1e3)],
        [
            Comparison.of(
                "with all policies / with none", samples[_ALL], samples[_NONE], Target(1.15)
            )
        ],
    )
