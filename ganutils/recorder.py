"""Collects the scalars of each step without waiting for the device, and writes them as history rows."""

import math
import time
from itertools import groupby, takewhile

import torch
from torch import Tensor

from ganutils.errors import DivergedError
from ganutils.history import Row
from ganutils.runs import RunDir

_FLUSH_SECONDS = 1.0


class Recorder:
    """Averages `log_every` steps to a row; reads the device's scalars about once a second."""

    def __init__(self, run: RunDir, log_every: int, steps_per_epoch: int) -> None:
        self._run = run
        self._every = log_every
        self._steps_per_epoch = steps_per_epoch
        self._pending: list[tuple[int, dict[str, Tensor]]] = []
        self._flushed = time.monotonic()
        self._rows: list[Row] = []  # of the running epoch
        self.recent: Row = {}  # means over the rows of the last flush

    def add(self, step: int, values: dict[str, Tensor]) -> None:
        """Take the detached scalars of a step (counted from 1)."""
        self._pending.append((step, values))

    def is_complete(self, step: int) -> bool:
        """Say whether a row ends with this step: rows end every `log_every` steps and with the epoch."""
        position = (step - 1) % self._steps_per_epoch + 1
        return position % self._every == 0 or position == self._steps_per_epoch

    def is_due(self) -> bool:
        """Say whether the last flush is long enough ago."""
        return time.monotonic() - self._flushed >= _FLUSH_SECONDS

    def flush(self) -> None:
        """Append the complete rows to the run's history.

        Raises `DivergedError` when a value is not finite, after writing the rows before it.
        """
        if not self._pending:
            return
        columns = [list(values) for _, values in self._pending]
        numbers = iter(
            torch.stack([v.float() for _, values in self._pending for v in values.values()]).tolist()
        )
        read = [
            (step, {name: next(numbers) for name in names})
            for (step, _), names in zip(self._pending, columns, strict=True)
        ]
        rows = [
            self._row(list(group)) for _, group in groupby(read, key=lambda item: self._row_number(item[0]))
        ]
        self._pending.clear()
        self._flushed = time.monotonic()
        healthy = list(takewhile(_is_finite, rows))
        self._run.append(updates=healthy)
        self._rows += healthy
        if len(healthy) < len(rows):
            _stop_at(rows[len(healthy)])
        self.recent = _means(rows)

    def epoch_means(self) -> Row:
        """Return the mean of each column over the epoch that ends, and begin a new one."""
        means = _means(self._rows)
        self._rows = []
        return {name: mean for name, mean in means.items() if name not in ("step", "epoch")}

    def _row_number(self, step: int) -> tuple[int, int]:
        epoch, position = divmod(step - 1, self._steps_per_epoch)
        return epoch, position // self._every

    def _row(self, group: list[tuple[int, dict[str, float]]]) -> Row:
        step = group[-1][0]
        means = {name: float(f"{mean:.7g}") for name, mean in _means([row for _, row in group]).items()}
        return {"step": step, "epoch": round(step / self._steps_per_epoch, 6), **means}


def _means(rows: list[Row]) -> Row:
    """Return the mean of each column over the rows that have it."""
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row[name] for row in rows if name in row] for name in names}
    return {name: sum(column) / len(column) for name, column in columns.items()}


def _is_finite(row: Row) -> bool:
    return all(math.isfinite(value) for value in row.values())


def _stop_at(row: Row) -> None:
    name = next(name for name, value in row.items() if not math.isfinite(value))
    raise DivergedError(f"{name} is {row[name]} in epoch {row['epoch']:.2f} (update {row['step']})")
