"""Mode coverage of a finished run: what its generator draws, read by the kit's own classifier."""

import torch

from ganutils import variants
from ganutils.classifier import train_classifier
from ganutils.coverage import Coverage, coverage, read_classes
from ganutils.data import Dataset
from ganutils.errors import MetricError
from ganutils.metrics.drawing import draw
from ganutils.params import RunParams
from ganutils.runs import RunDir
from ganutils.shape_reader import train_reader
from ganutils.streams import stream

_REAL = 5000  # real images that show what there is to cover


def run_coverage(run: RunDir, dataset: Dataset, params: RunParams, count: int = 1000) -> Coverage:
    """Draw `count` images and say which classes they cover; of drawn shapes also backgrounds, colours, sizes.

    The classifier is trained on the run's images and kept in the cache; it reads as many as 5,000 of them
    for comparison, so that its errors are the same on both sides. Raises `RunError` if the run has no
    checkpoint, `MetricError` if the classifier cannot even read the run's own images.
    """
    drawn, _ = draw(variants.load(run), count, params.seed)
    order = torch.randperm(len(dataset), generator=stream(params.seed, "coverage"))[:_REAL]
    real = dataset.images[order]
    if dataset.factors is not None:
        reader = train_reader(dataset, params)
        known = reader.read(real)
        if not known.readable.any():
            raise MetricError(
                f"mode coverage: the classifier learned too little from n_images={len(dataset)} to read any. "
                "Use a few hundred images or more."
            )
        return coverage(reader.read(drawn), known)
    judge = train_classifier(dataset, params)
    return coverage(
        *(read_classes(judge, images, dataset.classes) for images in (drawn, real)),
    )


def show_coverage(found: Coverage) -> None:
    """Show in a notebook how often each value was drawn, beside how often real images have it."""
    from ganutils.notebook import show_table

    rows = [(factor, value, count, round(expected)) for factor, value, count, expected in found.rows]
    caption = (
        f"Modes of {found.images:,} generated images, {found.readable:.0%} of which can be read: they cover "
        f"{found.covered} of {found.possible} combinations, where as many real images cover "
        f"{found.expected:.0f}. Missing: {', '.join(found.missing) or 'no single value'}."
    )
    show_table(rows, ("Factor", "Value", "Generated", "Expected"), caption)
