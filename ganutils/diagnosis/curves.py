"""A history in blocks of updates: what the rules of a diagnosis read.

They know no variant, only columns by these meanings; a variant that has a column is judged by it:

- `D(...)`: mean probability of being real that the discriminator gives, to generated images where `G(`
  is in the name; a column with values outside [0, 1] does not count
- `d_real`, `d_fake`: the discriminator's losses on real and generated images; other names that begin with
  `d_` or `g_` are loss terms too
- `distance`: a critic's mean score of real images minus that of generated ones
- `at_bound`: share of the critic's weights at the bound of clipping; `slope`: mean norm of the critic's
  gradient, which a penalty holds at 1
- `d_grad`, `g_grad`: norms of the gradients of both networks
"""

import math
from typing import NamedTuple

import numpy as np

from ganutils.history import History

BLOCK = 20  # updates: the batch-to-batch noise of healthy runs averages out, their swings do not


def epoch_name(epoch: float) -> str:
    """Return an epoch as text: three digits, or all of a larger whole number."""
    return f"{epoch:.3g}" if epoch < 100 else f"{epoch:.0f}"


class Blocks(NamedTuple):
    """Means over blocks of updates, finite values only, and the epochs (fractions) where blocks end."""

    epochs: np.ndarray
    values: np.ndarray

    def part(self, start: float, end: float = 1.0) -> "Blocks":
        """Return the blocks between two shares of the run; at least the last one of them."""
        count = len(self.values)
        stop = math.ceil(end * count)
        chosen = slice(min(math.floor(start * count), max(stop - 1, 0)), stop)
        return Blocks(self.epochs[chosen], self.values[chosen])

    @property
    def last(self) -> "Blocks":
        """The last quarter of the run, by which a state at the end is judged."""
        return self.part(0.75)

    @property
    def median(self) -> float:
        """Median of the blocks, which a single spike does not move."""
        return float(np.median(self.values))

    @property
    def when(self) -> str:
        """The epochs in words."""
        first, last = epoch_name(self.epochs[0]), epoch_name(self.epochs[-1])
        return f"epoch {last}" if first == last else f"epochs {first} to {last}"


class Curves:
    """The columns of a history, and their means over blocks of updates."""

    def __init__(self, history: History) -> None:
        self._rows = history.updates
        self.steps, self.epochs = self.column("step"), self.column("epoch")
        self.names, self.terms = history.names(), history.losses()
        self._updates = np.diff(self.steps, prepend=0)  # in each row
        self._numbers = _block_numbers(self._updates)

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def column(self, name: str) -> np.ndarray:
        """Return a column (N,), NaN where a row lacks it."""
        return self._rows.column(name).astype(float)

    def blocks(self, values: str | np.ndarray) -> Blocks:
        """Return a column, or values (N,) of rows, in blocks of 20 updates, or of a row if it has more."""
        values = self.column(values) if isinstance(values, str) else values
        kept = np.isfinite(values).nonzero()[0]
        if not len(kept):
            return Blocks(np.empty(0), np.empty(0))
        starts = np.unique(self._numbers[kept], return_index=True)[1]
        weights = self._updates[kept]
        means = np.add.reduceat(values[kept] * weights, starts) / np.add.reduceat(weights, starts)
        ends = kept[[*(starts[1:] - 1), -1]]
        return Blocks(self.epochs[ends], means)

    @property
    def probabilities(self) -> tuple[str, str] | None:
        """Names of the columns of D on real and on generated images; None without them."""
        names = [name for name in self.names if name.startswith("D(") and self._is_probability(name)]
        real = [name for name in names if "G(" not in name]
        fake = [name for name in names if "G(" in name]
        return (real[0], fake[0]) if real and fake else None

    def _is_probability(self, name: str) -> bool:
        values = self.column(name)
        values = values[np.isfinite(values)]
        return len(values) > 0 and values.min() >= 0 and values.max() <= 1


def _block_numbers(updates: np.ndarray) -> np.ndarray:
    """Return the number of each row's block; a rest of less than half a block belongs to the last one."""
    numbers, number, since = [], 0, 0
    for count in updates:
        numbers.append(number)
        since += count
        if since >= BLOCK:
            number, since = number + 1, 0
    if numbers and since < BLOCK / 2:
        numbers = [min(one, max(number - 1, 0)) for one in numbers]
    return np.asarray(numbers, dtype=int)
