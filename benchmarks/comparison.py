"""This runtime beside bare Thespian on its usual base: messages, restarts, memory."""

from __future__ import annotations

import attrs

from benchmarks.memory import compare_memory
from benchmarks.messaging import Sizes as MessagingSizes
from benchmarks.messaging import compare_messaging
from benchmarks.report import Report
from benchmarks.restart import compare_restarts, measure_mass_restarts
from benchmarks.runtime import ManagedRuntime
from benchmarks.worker import Worker

_GROWTH = 30.0
"""Seconds in which one leaf surely is there."""


@attrs.frozen
class Sizes:
    """How much one run does."""

    messaging: MessagingSizes
    restarts: int
    mass: int
    """Systems killed at once,"""
    mass_restarts: int
    """and how often."""
    systems: int
    """Whose memory is measured."""


def compare_runtime(sizes: Sizes) -> Report:
    with Worker("benchmarks.base_host", "multiprocTCPBase") as bare:
        bare.call("grow", 1, _GROWTH)
        with Worker("benchmarks.raw_host") as raw, ManagedRuntime() as managed:
            results, direct = compare_messaging(bare, raw, managed, sizes.messaging)
            results.append(compare_restarts(bare, managed, sizes.restarts))
    with ManagedRuntime() as managed:
        results.append(measure_mass_restarts(managed, sizes.mass, sizes.mass_restarts))
    results.append(compare_memory(sizes.systems))
    return Report(results, direct)
