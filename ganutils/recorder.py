"""Collects the scalars of each step without waiting for the device, and writes them as history rows."""

import math
import time
from itertools import takewhile

import torch

from ganutils.errors import DivergedError
from ganutils.history import Row, averaged, means
from ganutils.runs import RunDir
from ganutils.scalars import Scalars

_FLUSH_SECONDS = 1.0


class Recorder:
    """Averages `log_every` steps to a row; reads the device's scalars about once a second."""

    def __init__(self, run: RunDir, log_every: int) -> None:
        self._run = run
        self._every = log_every
        self._steps_per_epoch = run.steps_per_epoch
        self._pending: list[tuple[int, Scalars]] = []
        self._flushed = time.monotonic()
        self._rows: list[Row] = []  # of the running epoch
        self.recent: Row = {}  # means over the rows of the last flush

    def add(self, step: int, values: Scalars) -> None:
        """Take what a step (counted from 1) tells."""
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
        numbers = iter(torch.cat([values.numbers for _, values in self._pending]).tolist())
        read = [
            {"step": step, **{name: next(numbers) for name in values.names}} for step, values in self._pending
        ]
        rows = list(averaged(read, self._every, self._steps_per_epoch))
        self._pending.clear()
        self._flushed = time.monotonic()
        healthy = list(takewhile(_is_finite, rows))
        self._run.append(updates=healthy)
        self._rows += healthy
        if len(healthy) < len(rows):
            _stop_at(rows[len(healthy)])
        self.recent = means(rows)

    def epoch_means(self) -> Row:
        """Return the mean of each column over the epoch that ends, and begin a new one."""
        columns = means(self._rows)
        self._rows = []
        return {name: mean for name, mean in columns.items() if name not in ("step", "epoch")}


def _is_finite(row: Row) -> bool:
    return all(math.isfinite(value) for value in row.values())


def _stop_at(row: Row) -> None:
    name = next(name for name, value in row.items() if not math.isfinite(value))
    raise DivergedError(f"{name} is {row[name]} in epoch {row['epoch']:.2f} (update {row['step']})")
