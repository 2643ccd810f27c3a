"""What came out where several sides do the same: what each took, and ratios of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from benchmarks.rounds import Samples
from benchmarks.summary import Summary, aligned


@attrs.frozen
class Absence:
    """Why there is no number."""

    verdict: str
    why: str


@attrs.frozen
class Line:
    """One measure, of each side, in the line's unit."""

    name: str
    unit: str
    sides: dict[str, Summary | Absence]

    @classmethod
    def of(
        cls, name: str, unit: str, sides: Mapping[str, Samples], convert: Callable[[float], float]
    ) -> Line:
        """
        Args:
            convert: what was measured to the unit.
        """
        return cls(
            name,
            unit,
            {
                side: _absence(samples) or Summary.of([convert(value) for value in samples.values])
                for side, samples in sides.items()
            },
        )


@attrs.frozen
class Target:
    """A bound for a median."""

    bound: float
    at_least: bool = False

    def is_met(self, median: float) -> bool:
        return median >= self.bound if self.at_least else median <= self.bound

    def __str__(self) -> str:
        return f"at {'least' if self.at_least else 'most'} {self.bound:g}"


@attrs.frozen
class Comparison:
    """A ratio, each sample taken within a round, or a quantity, and what it should be."""

    name: str
    value: Summary | Absence
    unit: str = "x"
    target: str | None = None
    met: bool | None = None
    """None without a target, or without a number."""

    @classmethod
    def of(
        cls, name: str, over: Samples, under: Samples, target: Target | None = None
    ) -> Comparison:
        """Of times per item: how many times longer ``over`` takes than ``under``."""
        absence = _absence(over) or _absence(under)
        if absence is not None:
            return cls._judged(name, absence, "x", target)
        pairs = zip(over.values, under.values, strict=True)
        return cls._judged(name, Summary.of([a / b for a, b in pairs]), "x", target)

    @classmethod
    def of_quantity(
        cls, name: str, unit: str, values: Sequence[float], target: Target
    ) -> Comparison:
        return cls._judged(name, Summary.of(values), unit, target)

    @classmethod
    def _judged(
        cls, name: str, value: Summary | Absence, unit: str, target: Target | None
    ) -> Comparison:
        met = target.is_met(value.median) if target and isinstance(value, Summary) else None
        return cls(name, value, unit, str(target) if target else None, met)


@attrs.frozen
class Grid:
    """A part's results."""

    title: str
    lines: list[Line]
    comparisons: list[Comparison]

    def text(self) -> str:
        """For people: medians, and in brackets the quartiles."""
        comparisons = [_COMPARISON_HEADING, *map(_comparison_row, self.comparisons)]
        parts = [self.title, "", aligned(_rows(self.lines)), "", aligned(comparisons)]
        return "\n".join([*parts, *self._notes()])

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {
            "measures": [attrs.asdict(line) for line in self.lines],
            "comparisons": [attrs.asdict(comparison) for comparison in self.comparisons],
        }

    def _notes(self) -> list[str]:
        found: dict[str, None] = {}  # in order, each once
        for line in self.lines:
            for side, cell in line.sides.items():
                if isinstance(cell, Absence):
                    found[f"{side}, {cell.verdict}: {cell.why}"] = None
        return list(found)


_COMPARISON_HEADING = ("comparison", "value", "target", "met?")


def _rows(lines: Sequence[Line]) -> list[list[str]]:
    columns = list(dict.fromkeys(side for line in lines for side in line.sides))
    rows = [["measure", "unit", *columns]]
    for line in lines:
        cells = (_cell(line.sides[side]) if side in line.sides else "-" for side in columns)
        rows.append([line.name, line.unit, *cells])
    return rows


def _comparison_row(comparison: Comparison) -> list[str]:
    met = {None: "-", True: "met", False: "MISSED"}[comparison.met]
    value = _cell(comparison.value, f" {comparison.unit}")
    return [comparison.name, value, comparison.target or "-", met]


def _cell(cell: Summary | Absence, suffix: str = "") -> str:
    return cell.verdict if isinstance(cell, Absence) else cell.text(suffix)


def _absence(samples: Samples) -> Absence | None:
    if samples.failure is not None:
        return Absence(samples.failure.verdict, str(samples.failure))
    return None
