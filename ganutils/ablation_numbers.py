"""The numbers of an ablation: each is measured the same way in every run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ganutils import variants
from ganutils.data import Dataset, to_uint8
from ganutils.finished import FinishedRun
from ganutils.history import History
from ganutils.measurements import Measurement, Scale, Title, best, floor_of, form
from ganutils.sampling import generate
from ganutils.streams import stream
from ganutils.variety import nearest_distances, repeated_rate

_FOLLOWED = ("FID", "KID")  # metrics whose best epoch is told: a table has no room for that of all


@dataclass(frozen=True)
class Quantity:
    """One number of each run, by the run's number; a run without it is left out."""

    name: str
    form: str  # how a value is written, such as ".3f" or ".1%"
    values: dict[int, float]
    real: float | None = None  # the same number of real images
    missing: str = "–"

    def write(self, value: float | None) -> str:
        """Return a value as text."""
        return self.missing if value is None else format(value, self.form)


def shared_terms(runs: Sequence[FinishedRun], side: str) -> list[str]:
    """Return the loss terms of the discriminator, `d`, or the generator, `g`, that all runs have."""
    first, *others = (run.history.losses(side) for run in runs)
    return [name for name in first if all(name in names for names in others)]


def losses(runs: Sequence[FinishedRun]) -> list[Quantity]:
    """Return means over the last epoch of every loss term that all runs have."""
    names = [name for side in "dg" for name in shared_terms(runs, side)]
    return [_of_histories(name, ".3f", runs, partial(History.last_mean, name=name)) for name in names]


def course(runs: Sequence[FinishedRun]) -> list[Quantity]:
    """Return what the losses say about the course of the game.

    The generator's loss is the sum of its terms: its largest mean over an epoch, and its trend, the slope of
    a straight line fitted to the last half of its records, in loss per epoch. The confidence of D is the mean
    of its answers to real images minus that to generated ones in the last epoch: 0 where it cannot tell them
    apart, 1 where it is sure. Objectives without such answers have no confidence.
    """
    return [
        _of_histories("largest G", ".3f", runs, largest),
        _of_histories("trend of G", "+.4f", runs, trend),
        _of_histories("confidence of D", ".3f", runs, confidence),
    ]


def variety(runs: Sequence[FinishedRun], dataset: Dataset, count: int, seed: int) -> list[Quantity]:
    """Return how often generated images repeat each other, and how far apart they are, beside real ones.

    Every run draws `count` images, from the same latents where its prior is that of the other runs; see
    `ganutils.variety` for both numbers.
    """
    count = min(count, len(dataset))
    real = dataset.images[torch.randperm(len(dataset), generator=stream(seed, "variety"))[:count]]
    drawn = {run.number: _draw(run, count, seed) for run in runs}
    repeated = {number: repeated_rate(images, real) for number, images in drawn.items()}
    nearest = {number: nearest_distances(images).mean().item() for number, images in drawn.items()}
    return [
        Quantity("repeated", ".1%", repeated, repeated_rate(real, real)),
        Quantity("nearest", ".3f", nearest, nearest_distances(real).mean().item()),
    ]


def metrics(runs: Sequence[FinishedRun], scales: dict[Scale, Title]) -> list[Quantity]:
    """Return the last value of every metric and protocol of `scales`, and the floor as that of real images.

    Where a run was measured after several epochs, the best FID and KID and their epochs follow.
    """
    found = []
    for scale, title in scales.items():
        series = {run.number: some for run in runs if (some := run.of_scale(scale))}
        floor = floor_of((run.folder for run in runs), scale)
        real = None if floor is None else floor.value
        shown = form(title.name)
        found.append(_measured(str(title), shown, series, lambda some: some[-1].value, real))
        if scale[0] in _FOLLOWED and any(len(some) > 1 for some in series.values()):
            found.append(_measured(f"best {title}", shown, series, lambda some: best(some).value, real))
            epochs = {number: best(some).epoch for number, some in series.items()}
            found.append(Quantity(f"epoch of best {title}", "g", epochs))
    return found


def _measured(
    name: str,
    form: str,
    series: dict[int, list[Measurement]],
    choose: Callable[[list[Measurement]], float],
    real: float | None = None,
) -> Quantity:
    values = {number: choose(some) for number, some in series.items()}
    return Quantity(name, form, values, real, missing="not measured")


def largest(history: History) -> float | None:
    """Return the largest mean over an epoch of the generator's loss."""
    x, y = _generator(history)
    epochs = np.ceil(x).astype(int)
    counts = np.bincount(epochs)
    return float((np.bincount(epochs, y)[counts > 0] / counts[counts > 0]).max()) if len(y) else None


def trend(history: History) -> float | None:
    """Return the slope of the generator's loss over the last half of training, in loss per epoch."""
    x, y = _generator(history)
    late = x > x[-1] / 2 if len(x) else x.astype(bool)
    return float(np.polyfit(x[late], y[late], 1)[0]) if late.sum() > 1 else None


def confidence(history: History) -> float | None:
    """Return the mean of D's answers to real images minus that to generated ones in the last epoch."""
    answers = [name for name in history.names() if name.startswith("D(")]
    generated = [name for name in answers if "G(" in name]
    if not generated or len(generated) == len(answers):
        return None
    means = [history.last_mean(name) for name in answers if name not in generated]
    return float(np.mean(means) - np.mean([history.last_mean(name) for name in generated]))


def _generator(history: History) -> tuple[np.ndarray, np.ndarray]:
    """Return epochs and values of the generator's loss, the sum of its terms."""
    columns = [history.column(name) for name in history.losses("g")]
    return (columns[0][0], np.sum([y for _, y in columns], axis=0)) if columns else (np.empty(0), np.empty(0))


def _of_histories(
    name: str, form: str, runs: Sequence[FinishedRun], measure: Callable[[History], float | None]
) -> Quantity:
    found = {run.number: measure(run.history) for run in runs}
    return Quantity(name, form, {number: value for number, value in found.items() if value is not None})


def _draw(run: FinishedRun, count: int, seed: int) -> Tensor:
    gan = variants.load(run.folder)
    z, labels = gan.prior.sample(count, generator=stream(seed, "variety"))
    return to_uint8(generate(gan.generator, z, labels))
