"""What came out where this runtime and bare Thespian do the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs

from benchmarks.summary import Summary, aligned, number


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


_HEADER = ("measure", "unit", "this runtime", "bare Thespian", "ratio", "target", "met?")


@attrs.frozen
class Report:
    """A part's results."""

    results: list[Result]
    direct: Summary
    """What a bare ask without a router takes, in ms."""

    def text(self) -> str:
        """For people: medians, and in brackets the quartiles."""
        return "\n".join(
            [
                "Runtime: beside bare Thespian on its TCP base; a ratio above 1 is in our favour",
                "",
                aligned([_HEADER, *map(_row, self.results)]),
                f"A bare ask without a router takes {number(self.direct.median)} ms.",
            ]
        )

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {
            "measures": [attrs.asdict(result) for result in self.results],
            "orientation": {"bare direct ask (ms)": attrs.asdict(self.direct)},
        }


def _row(result: Result) -> tuple[str, ...]:
    return (
        result.name,
        result.unit,
        _cell(result.ours),
        _cell(result.bare),
        _cell(result.ratio, " x"),
        result.target or "-",
        "-" if result.met is None else "met" if result.met else "MISSED",
    )


def _cell(summary: Summary | None, suffix: str = "") -> str:
    return "-" if summary is None else summary.text(suffix)
