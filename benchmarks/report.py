"""What came out: summaries, the table and the JSON file."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import attrs


@attrs.frozen
class Summary:
    """Samples of one quantity; the spread is from the lower to the upper quartile."""

    median: float
    low: float
    high: float
    minimum: float
    maximum: float
    samples: int

    @classmethod
    def of(cls, samples: Sequence[float]) -> Summary:
        low, median, high = (
            statistics.quantiles(samples, n=4, method="inclusive")
            if len(samples) > 1
            else samples * 3
        )
        return cls(median, low, high, min(samples), max(samples), len(samples))


@attrs.frozen(kw_only=True)
class Result:
    """One line of the table. Summaries are in the line's unit."""

    name: str
    unit: str
    ours: Summary
    bare: Summary | None = None
    """None where bare Thespian cannot do it."""
    ratio: Summary | None = None
    """How many times better than bare Thespian this runtime is; below 1 it is worse."""
    target: str | None = None
    met: bool | None = None


def compare(
    name: str,
    unit: str,
    ours: Sequence[float],
    bare: Sequence[float],
    *,
    higher_is_better: bool = False,
    target: tuple[str, Callable[[Summary, Summary], bool]] | None = None,
) -> Result:
    """Compare samples that were taken side by side, round by round.

    Args:
        target: its text, and whether this runtime's summary and the ratio's meet it.
    """
    pairs = zip(ours, bare, strict=True)
    ratios = [a / b if higher_is_better else b / a for a, b in pairs]
    mine, ratio = Summary.of(ours), Summary.of(ratios)
    return Result(
        name=name,
        unit=unit,
        ours=mine,
        bare=Summary.of(bare),
        ratio=ratio,
        target=target[0] if target else None,
        met=target[1](mine, ratio) if target else None,
    )


def alone(name: str, unit: str, ours: Sequence[float]) -> Result:
    """What has nothing to be compared with."""
    return Result(name=name, unit=unit, ours=Summary.of(ours))


def machine_facts() -> dict[str, Any]:
    """What the numbers depend on. Taken before anything runs."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "load_average_at_start": list(os.getloadavg()),
        "thespian": version("thespian"),
    }


_HEADER = ("measure", "unit", "this runtime", "bare Thespian", "ratio", "target", "met?")


def table(results: Sequence[Result]) -> str:
    """The results for people: medians, and in brackets the quartiles."""
    rows = [_HEADER, *map(_row, results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def _row(result: Result) -> tuple[str, ...]:
    return (
        result.name,
        result.unit,
        _cell(result.ours),
        _cell(result.bare),
        _cell(result.ratio, " x"),
        result.target or "-",
        "-" if result.met is None else "yes" if result.met else "NO",
    )


def _cell(summary: Summary | None, suffix: str = "") -> str:
    if summary is None:
        return "-"
    low, high = _number(summary.low), _number(summary.high)
    return f"{_number(summary.median)}{suffix} [{low}-{high}]"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def write_json(
    path: Path,
    machine: dict[str, Any],
    settings: dict[str, Any],
    results: Sequence[Result],
    direct: Summary,
) -> None:
    """Everything that the table says, and more, for programs."""
    document = {
        "machine": machine,
        "settings": settings,
        "measures": [attrs.asdict(result) for result in results],
        "orientation": {"bare direct ask (ms)": attrs.asdict(direct)},
    }
    path.write_text(json.dumps(document, indent=2) + "\n")
