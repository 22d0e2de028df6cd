"""Rows of a benchmark and their table."""

from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Row:
    """One workload, measured in rounds in which baseline and kit took turns."""

    name: str
    unit: str  # of a speed, where there is a baseline
    base: list[float] = field(default_factory=list)  # the baseline's speed in each round; none: no baseline
    ours: list[float] = field(default_factory=list)  # the kit's number in the same rounds
    note: str = ""

    @property
    def ratios(self) -> list[float]:
        """Return how much faster the kit was in each round."""
        return [ours / base for base, ours in zip(self.base, self.ours, strict=True)] if self.base else []

    def cells(self) -> list[str]:
        """Return the row as texts: medians, and the lowest and the highest ratio."""
        ratios = sorted(self.ratios)
        spread = f"{median(ratios):.2f}x ({ratios[0]:.2f} to {ratios[-1]:.2f})" if ratios else ""
        base = _shown(median(self.base)) if self.base else ""
        return [self.name, self.unit, base, _shown(median(self.ours)), spread, self.note]


def _shown(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


HEADER = ["Workload", "Unit", "Baseline", "Kit", "Ratio (lowest to highest)", "Note"]
