"""Quality in a notebook: metrics with protocol and floor, the curve of scores, nearest training images."""

from IPython.display import Markdown, display
from matplotlib import rc_context
from matplotlib.figure import Figure
from torch import Tensor, stack

from ganutils.data import Dataset
from ganutils.errors import DataError, MetricError, ParameterError, RunError
from ganutils.figures import STYLE, WIDTH, grids, labelled_rows
from ganutils.measurements import Measurement, best
from ganutils.metrics.nearest import by_features, by_pixels
from ganutils.notebook import show, show_table
from ganutils.params import RunParams
from ganutils.runs import RunDir
from ganutils.scores import monitored
from ganutils.sheets import Grid

_SHOWN = 10  # images with their neighbours


def show_metrics(run: RunDir, dataset: Dataset, params: RunParams) -> None:
    """Measure a run as `measure_samples` says, and show its numbers, their protocol and the score's curve.

    Numbers that are there already are only shown. What cannot be measured says why.
    """
    last = _measured(run, dataset, params.measure_samples)
    caption = (
        "Quality in numbers. FID and KID: lower is better; the others: higher is better; ± is the standard "
        "error over the images, not over seeds. The floor is what real images score that were not trained "
        "on. A generator of typical images alone can beat its precision and density, with a low recall, and "
        "one that copies training images can beat all of it."
    )
    _show_numbers(run, last, caption)
    if run.has_grid("best") and run.load_grid("best").title != run.latest().title:
        _show_best(run, _measured(run, dataset, params.measure_samples, best=True))
    scores = monitored(run)
    if len(scores) > 1:
        lowest = best(scores)
        when = "while training" if params.metric_every else "after the epochs that were measured"
        kept = ", whose checkpoint is kept as best.pt" if _is_kept(run, lowest.epoch) else ""
        show(
            score_curve(scores),
            caption=f"KID {when}, with its standard error: {scores[0].protocol}. The best score is "
            f"that of epoch {lowest.epoch:g}{kept}. {_how_to_read(scores)}",
            alt="Line plot of KID with error bars against epochs.",
            width="column",
        )


def _how_to_read(scores: list[Measurement]) -> str:
    if len(scores) == 2:
        return "Two points say nothing of the time before, between and after them."
    return "A curve that turns upwards says that training went on for too long."


def _is_kept(run: RunDir, epoch: int) -> bool:
    """Say whether best.pt is the checkpoint of an epoch."""
    if not run.checkpoints.best.exists():
        return False
    steps = {row["epoch"]: row["step"] for row in run.history().epochs}
    return run.checkpoints.load_best()["step"] == steps.get(epoch)


def score_curve(scores: list[Measurement]) -> Figure:
    """Draw scores of one protocol against epochs, the best one marked."""
    with rc_context(STYLE):
        figure = Figure(figsize=(0.6 * WIDTH, 2.4), layout="constrained")
        axis = figure.subplots()
        axis.errorbar(
            [one.epoch for one in scores],
            [one.value for one in scores],
            [one.error or 0.0 for one in scores],
            capsize=2,
            linestyle="" if len(scores) == 2 else "-",  # a line would tell of what lies between
            marker="." if len(scores) == 2 else "",
        )
        lowest = best(scores)
        axis.plot([lowest.epoch], [lowest.value], "o", color="0.2", label=f"best: epoch {lowest.epoch:g}")
        axis.set(xlabel="epoch", ylabel=scores[0].name)
        axis.legend()
    return figure


def show_nearest(run: RunDir, dataset: Dataset, params: RunParams) -> None:
    """Show generated images above the training images that are nearest to them, by pixels and by features.

    Pixels are compared with all training images. Features are compared with those that the metrics
    have embedded, if anything was measured.
    """
    show(
        nearest_images(run, dataset, params),
        caption="Is it memory? Generated images above the training images that are nearest to them, by "
        "pixels among all of them, and by features, if metrics were measured, among those that the metrics "
        "know. Copies would stand out as equal pictures.",
        alt="Rows of images: generated ones, and below each its nearest training images.",
    )


def nearest_images(run: RunDir, dataset: Dataset, params: RunParams) -> Figure:
    """Draw what `show_nearest` shows."""
    latest = run.latest()
    places = [round(i * (len(latest.images) - 1) / (_SHOWN - 1)) for i in range(_SHOWN)]
    drawn = latest.images[places]
    rows: dict[str, Tensor] = {
        "generated": drawn,
        "by pixels": dataset.images[by_pixels(drawn, dataset).indices[:, 0]],
    }
    if params.measure_samples:
        rows |= _by_features(drawn, dataset.first(min(params.measure_samples, len(dataset))))
    images = [image for row in rows.values() for image in row]
    return labelled_rows(Grid(stack(images), _SHOWN), list(rows))


def _by_features(drawn: Tensor, known: Dataset) -> dict[str, Tensor]:
    from ganutils.metrics.inception import Inception

    try:
        inception = Inception()
    except MetricError:
        return {}
    return {"by features": known.images[by_features(drawn, known, inception).indices[:, 0]]}


def _measured(run: RunDir, dataset: Dataset, samples: int, *, best: bool = False) -> list[Measurement] | None:
    """Measure the last or best checkpoint on so many images; None: whatever was measured before."""
    from ganutils.metrics.measure import measure

    if not samples:
        return None
    try:
        return measure(run, samples=samples, real=min(samples, len(dataset)), best=best)
    except (MetricError, RunError, DataError, ParameterError) as error:
        print(f"Not measured: {error}")
        return None


def _show_numbers(run: RunDir, measured: list[Measurement] | None, caption: str) -> None:
    from ganutils.metrics.table import protocols, table

    rows, header = table(run, measured)
    show_table(rows, header, caption)
    display(Markdown(" ".join(protocols(run, measured))))


def _show_best(run: RunDir, measured: list[Measurement] | None) -> None:
    sheets = {"best score": run.load_grid("best"), "last": run.latest()}
    titled = {f"{name}: {sheet.title}": sheet for name, sheet in sheets.items()}
    show(
        grids(titled, across=2),
        caption="Images of the best scored checkpoint beside those of the last one, at the same latents.",
        alt="Two grids of generated images side by side.",
    )
    if measured is not None:
        _show_numbers(run, measured, "The same numbers for the best scored checkpoint.")
