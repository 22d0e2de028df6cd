"""History: what a run recorded, as columns; JSON lines on disk."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganutils.files import flush

Row = dict[str, float | int]


def read_rows(path: Path) -> list[Row]:
    """Read JSON lines; a last line torn by a crash is left out."""
    if not path.exists():
        return []
    lines = path.read_text().split("\n")
    return [json.loads(line) for line in lines[:-1] if line]


def append_rows(path: Path, rows: Iterable[Row]) -> None:
    """Append rows as JSON lines in one write, and wait until they are on the disk."""
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if text:
        with path.open("a") as file:
            file.write(text)
        flush(path)


@dataclass(frozen=True)
class History:
    """What a run recorded: `updates` has a row for each logged step, `epochs` one for each epoch.

    Update rows hold `step` (discriminator updates so far), `epoch` (a fraction), every loss term,
    every watched value and the gradient norms `d_grad`, `g_grad`; epoch rows hold `epoch`, `step`,
    `g_step` (generator updates so far), `seconds` (of training alone) and `images_per_second`.
    """

    updates: list[Row]
    epochs: list[Row]

    def column(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return epochs (as fractions) and values of one column, where it was recorded."""
        pairs = [(row["epoch"], row[name]) for row in self.updates if name in row]
        x, y = zip(*pairs, strict=True) if pairs else ((), ())
        return np.asarray(x, dtype=float), np.asarray(y, dtype=float)

    def names(self) -> list[str]:
        """Return the columns of the update rows, in order of first appearance."""
        seen = dict.fromkeys(name for row in self.updates for name in row)
        return [name for name in seen if name not in ("step", "epoch")]

    def epoch_mean(self, name: str, epoch: int) -> float:
        """Return the mean of a column over one epoch (from 1), NaN where nothing was recorded."""
        x, y = self.column(name)
        inside = (x > epoch - 1) & (x <= epoch)
        return float(y[inside].mean()) if inside.any() else float("nan")

    def last_mean(self, name: str) -> float:
        """Return the mean of a column over the last, perhaps unfinished epoch."""
        return self.epoch_mean(name, self.begun)

    @property
    def begun(self) -> int:
        """Epochs that training has begun, an unfinished one included."""
        return math.ceil(self.updates[-1]["epoch"]) if self.updates else 0

    @property
    def epoch(self) -> int:
        """Finished epochs."""
        return int(self.epochs[-1]["epoch"]) if self.epochs else 0

    @property
    def step(self) -> int:
        """Discriminator updates so far."""
        return int(self.updates[-1]["step"]) if self.updates else 0

    @property
    def minutes(self) -> float:
        """Minutes spent in finished epochs, without samples and checkpoints."""
        return sum(row["seconds"] for row in self.epochs) / 60

    @property
    def images_per_second(self) -> float:
        """Median over the epochs of real images trained on in a second."""
        return float(np.median([row["images_per_second"] for row in self.epochs])) if self.epochs else 0.0
