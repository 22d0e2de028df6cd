"""History: what a run recorded, as columns; JSON lines on disk."""

import json
import math
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path

import numpy as np

from ganutils.files import flush, write_atomic
from ganutils.rows import Row, Rows


def append_rows(path: Path, rows: Iterable[Row]) -> None:
    """Append rows as JSON lines in one write, and wait until they are on the disk."""
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if text:
        with path.open("a") as file:
            file.write(text)
        flush(path)


def cut_rows(path: Path, step: int) -> None:
    """Drop the rows after `step`, and what a crash left behind the last whole one; make a missing file.

    A file that is damaged before its last line is kept beside it, with the ending .damaged.
    """
    if not path.exists():
        write_atomic(path, b"")
    steps = Rows.read(path).column("step")
    kept = int(np.searchsorted(steps, step, side="right"))
    with path.open("rb") as file:
        size = sum(len(line) for line in islice(file, kept))
        is_damaged = kept == len(steps) and file.readline().endswith(b"\n")
    if is_damaged:
        shutil.copy(path, path.with_name(f"{path.name}.damaged"))
    if size < path.stat().st_size:
        os.truncate(path, size)
        flush(path)


def averaged(rows: Iterable[Row], every: int, steps_per_epoch: int) -> Iterator[Row]:
    """Average rows over `every` updates each, and the rest of an epoch; each value to seven digits."""

    def number(row: Row) -> tuple[int, int]:
        epoch, position = divmod(row["step"] - 1, steps_per_epoch)
        return epoch, position // every

    for _, group in groupby(rows, key=number):
        some = list(group)
        step = some[-1]["step"]
        where = {"step": step, "epoch": round(step / steps_per_epoch, 6)}
        values = {name: float(f"{mean:.7g}") for name, mean in means(some).items()}
        yield {**where, **values, **where}


def means(rows: Iterable[Row]) -> Row:
    """Return the mean of each column over the rows that have it."""
    columns: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    return {name: sum(column) / len(column) for name, column in columns.items()}


def is_loss(name: str, side: str = "") -> bool:
    """Say whether a column is a loss term: of the discriminator, `d`, of the generator, `g`, or of either."""
    network, _, term = name.partition("_")
    return network in ("d", "g") and term not in ("", "grad") and side in ("", network)


@dataclass(frozen=True)
class History:
    """What a run recorded: `updates` has a row for each logged step, `epochs` one for each epoch.

    Update rows hold `step` (discriminator updates so far), `epoch` (a fraction), every loss term,
    every watched value and the gradient norms `d_grad`, `g_grad`; epoch rows hold `epoch`, `step`,
    `g_step` (generator updates so far), `seconds` (of training alone) and `images_per_second`.
    """

    updates: Rows
    epochs: Rows

    def __post_init__(self) -> None:
        for name in ("updates", "epochs"):  # plain lists of rows are welcome
            if not isinstance(getattr(self, name), Rows):
                object.__setattr__(self, name, Rows(getattr(self, name)))

    def column(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return epochs (as fractions) and values of one column, where it was recorded."""
        x, y = self.updates.column("epoch").astype(float), self.updates.column(name).astype(float)
        there = ~np.isnan(y)
        return x[there], y[there]

    def until(self, epoch: int) -> "History":
        """Return what was recorded up to the end of an epoch."""
        counts = (
            (rows, np.searchsorted(rows.column("epoch"), epoch, "right"))
            for rows in (self.updates, self.epochs)
        )
        return History(*(rows.first(int(count)) for rows, count in counts))

    def names(self) -> list[str]:
        """Return the columns of the update rows, in order of first appearance."""
        return [name for name in self.updates.names() if name not in ("step", "epoch")]

    def losses(self, side: str = "") -> list[str]:
        """Return the columns that are loss terms: of the discriminator, `d`, the generator, `g`, or both."""
        return [name for name in self.names() if is_loss(name, side)]

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

    def reached(self, epochs: int) -> str:
        """Return "3.52 of 4", the epochs passed so far, the unfinished one in part, of all."""
        return f"{round(self.passed, 2):g} of {epochs}"

    @property
    def passed(self) -> float:
        """Epochs passed so far, the unfinished one in part."""
        return max(self.epoch, self.updates[-1]["epoch"] if self.updates else 0)

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
