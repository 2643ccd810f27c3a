"""Samples summed up, and numbers as people read them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

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
            else [*samples] * 3
        )
        return cls(median, low, high, min(samples), max(samples), len(samples))

    def text(self, suffix: str = "") -> str:
        """The median, and in brackets the quartiles."""
        return f"{number(self.median)}{suffix} [{number(self.low)}-{number(self.high)}]"


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of text below one another, the first of them a heading."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)
