"""What sample grids say about a run: variety, repetition and copies, measured in pixels."""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ganutils.coverage import Coverage
from ganutils.data import Dataset
from ganutils.memorisation import copied_rate
from ganutils.runs import RunDir
from ganutils.sheets import Grid
from ganutils.variety import nearest_distances, repeated_rate

_LEAST = 16  # images, and 4 to a group: fewer say nothing about variety


@dataclass(frozen=True)
class Samples:
    """Facts about generated images; None where they were not measured."""

    count: int  # images in a grid
    variety: dict[float, float] = field(default_factory=dict)  # epoch -> see `relative_variety`
    within_classes: bool = False  # variety is that of images of one class
    repeated: float | None = None  # share of the newest images, see `variety.repeated_rate`
    copied: float | None = None  # share of the newest images, see `copies.copied_rate`
    coverage: Coverage | None = None  # of classes, or of the factors of drawn shapes


def look_at_samples(
    run: RunDir, dataset: Dataset | None = None, coverage: Coverage | None = None
) -> Samples | None:
    """Measure the sample grids of a run; None if there are none, or too few images in them.

    Copies are looked for if the training images are given. Costs seconds.
    """
    grids = {float(epoch): run.samples(epoch) for epoch in run.sample_epochs()}
    if run.has_grid("latest") and (title := run.latest().title).startswith("epoch "):
        grids[float(title.removeprefix("epoch "))] = run.latest()
    if not grids:
        return None
    params, real = run.described["params"], run.real().images
    newest = grids[max(grids)]
    row = _group_size(newest, len(run.described["data"]["classes"]), params["n_samples"])
    size = min(row, len(real))
    if min(len(newest.images), len(real)) < _LEAST or size < 4:
        return None
    return Samples(
        count=len(newest.images),
        variety={epoch: relative_variety(grid.images, real, size) for epoch, grid in grids.items()},
        within_classes=row < len(newest.images),
        repeated=repeated_rate(newest.images, real),
        copied=None
        if dataset is None or len(dataset) < 3
        else copied_rate(newest.images, dataset.images, flip=params["flip"]),
        coverage=coverage,
    )


def relative_variety(generated: Tensor, real: Tensor, size: int | None = None) -> float:
    """Return how far generated images are from each other, in units of how far real ones are.

    The median over images of the root mean square distance to the nearest other one (`nearest_distances`),
    divided by the same of equally many real images. 1 is as varied as real images, 0 is one image over and
    over. Images are uint8 (N, 3, H, W) and (M, 3, H, W).

    Args:
        generated: images, or groups of images one after another.
        real: images to compare with.
        size: compare images within groups of so many only, such as the images of one class.
    """
    size = size or min(len(generated), len(real))
    return (_typical(generated, size) / _typical(real, size).clamp(min=1e-6)).item()


def _typical(images: Tensor, size: int) -> Tensor:
    groups = [group for group in images.split(size) if len(group) == size]
    return torch.cat([nearest_distances(group) for group in groups]).median()


def _group_size(grid: Grid, classes: int, asked: int) -> int:
    """Return how many images of the grid share a class: that of a conditional run has one row per class."""
    columns = math.ceil(asked / classes)
    is_by_class = grid.columns == columns and len(grid.images) == classes * columns
    is_square = grid.columns == math.ceil(math.sqrt(asked)) and len(grid.images) == asked
    return columns if is_by_class and not is_square else len(grid.images)
