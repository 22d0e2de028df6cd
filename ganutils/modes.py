"""Mode coverage of a finished run: what its generator draws, read by the kit's own classifier."""

from dataclasses import replace

import torch
from matplotlib import rc_context
from matplotlib.figure import Figure

from ganutils import variants
from ganutils.classifier import train_classifier
from ganutils.coverage import Coverage, coverage, read_classes
from ganutils.data import Dataset
from ganutils.errors import DataError, MetricError, RunError
from ganutils.figures import STYLE, WIDTH
from ganutils.metrics.drawing import draw
from ganutils.params import RunParams
from ganutils.runs import RunDir
from ganutils.shape_reader import train_reader
from ganutils.streams import stream

_REAL = 5000  # real images that show what there is to cover
_COLUMN = 0.3  # inches of a bar with its name


def run_coverage(run: RunDir, dataset: Dataset, params: RunParams, count: int = 1000) -> Coverage:
    """Draw `count` images and say which classes they cover; of drawn shapes also backgrounds, colours, sizes.

    The classifier is trained on the run's images and kept in the cache; it reads as many as 5,000 of them
    for comparison, so that its errors are the same on both sides. Raises `RunError` if the run has no
    checkpoint, `MetricError` if there is a single class only, or if the classifier cannot even read the
    run's own images.
    """
    if dataset.factors is None and len(dataset.classes) == 1:
        raise MetricError(f"the images have one class only, {dataset.classes[0]}.")
    drawn, _ = draw(variants.load(run), count, params.seed)
    order = torch.randperm(len(dataset), generator=stream(params.seed, "coverage"))[:_REAL]
    real = dataset.images[order]
    if dataset.factors is None:
        judge = train_classifier(dataset, params)
        seen, known = (read_classes(judge, images, dataset.classes) for images in (drawn, real))
    else:
        judge = train_reader(dataset, params)
        seen, known = judge.read(drawn), judge.read(real)
    if not known.readable.any():
        raise MetricError(
            f"the classifier learned too little from n_images={len(dataset)} to read any. "
            "Use a few hundred images or more."
        )
    return replace(coverage(seen, known), accuracy=judge.accuracy)


def show_coverage(run: RunDir, dataset: Dataset, params: RunParams) -> Coverage | None:
    """Show in a notebook what `measure_samples` generated images cover; returns it for the diagnosis.

    None if nothing is measured, which is told in a sentence.
    """
    from IPython.display import Markdown, display

    from ganutils.notebook import show

    if not params.measure_samples:
        display(Markdown("Mode coverage is not measured: measure_samples is 0."))
        return None
    try:
        found = run_coverage(run, dataset, params, params.measure_samples)
    except (MetricError, RunError, DataError) as error:
        display(Markdown(f"Mode coverage is not measured: {error}"))
        return None
    factors = list(dict.fromkeys(row[0] for row in found.rows))
    show(
        histogram(found),
        caption=caption(found),
        alt=f"Bars for each {', '.join(factors)}: how many generated images show it, and as many real ones.",
        width="column" if len(factors) == 1 else "full",
    )
    return found


def caption(found: Coverage) -> str:
    """Say in words what was covered, and how well the classifier reads."""
    modes = "classes" if len({row[0] for row in found.rows}) == 1 else "combinations"
    accuracy = (
        ""
        if found.accuracy is None
        else f" The classifier is right about {found.accuracy:.1%} of real images that it was not trained on."
    )
    readable = "" if found.readable == 1 else f" {found.readable:.0%} can be read."
    return (
        f"What {found.images:,} generated images show (bars), and how many of as many real ones show it "
        f"(dashes).{readable} Of {found.possible} {modes} {found.covered} occur at "
        f"least once, where {found.expected:.0f} do among as many real ones. Less than a tenth as often as "
        f"among real ones: {', '.join(found.missing) or 'nothing'}.{accuracy}"
    )


def histogram(found: Coverage) -> Figure:
    """Draw for each factor how often each of its values was generated, and how often it is expected."""
    panels: dict[str, list[tuple[str, int, float]]] = {}
    for factor, *row in found.rows:
        panels.setdefault(factor, []).append(tuple(row))
    bars = len(found.rows) + 2 * len(panels)  # an axis takes the place of two
    with rc_context(STYLE):
        figure = Figure(figsize=(min(WIDTH, max(3.0, _COLUMN * bars)), 2.3), layout="constrained")
        axes = figure.subplots(1, len(panels), width_ratios=[len(rows) + 1 for rows in panels.values()])
        for axis, (factor, rows) in zip([axes] if len(panels) == 1 else axes, panels.items(), strict=True):
            names, counts, expected = zip(*rows, strict=True)
            axis.bar(names, counts, 0.7, label="generated")
            axis.hlines(expected, *_ends(len(names)), color="0.15", label="expected of real images")
            axis.set(title=factor, xlim=(-0.7, len(names) - 0.3))
            axis.tick_params(axis="x", rotation=90 if len(names) > 2 else 0)
            axis.grid(False, axis="x")
        figure.axes[0].set_ylabel("images")
        figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def _ends(bars: int) -> tuple[list[float], list[float]]:
    return [place - 0.45 for place in range(bars)], [place + 0.45 for place in range(bars)]
