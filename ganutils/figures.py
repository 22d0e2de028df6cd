"""Figures: each function returns a Figure; it neither shows nor saves.

Images are drawn at the fixed range of uint8, never normalised per picture.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from ganutils.history import History
from ganutils.runs import RunDir
from ganutils.sheets import Grid, tiles
from ganutils.style import DASHES, STYLE, WIDTH, look

__all__ = ["DASHES", "STYLE", "WIDTH"]

_WIDE = 16  # images in a row of a strip
_TALLEST = 5.2  # inches of some grids, so that text finds a place on their page
_TILE = 0.42  # inches of an image whose neighbours carry names
_NAMES = 0.9  # inches for the names of rows
_GREY = "0.3"
_POINTS = 600  # a line of more points than this is drawn as its mean and range


def grids(sheets: Mapping[str, Grid], *, across: int = 3, width: float = WIDTH) -> Figure:
    """Draw titled grids side by side, `across` in a row; a pixel has the same size in all of them."""
    across = min(across, len(sheets))
    down = -(-len(sheets) // across)
    pictures = [tiles(grid.images, grid.columns) for grid in sheets.values()]
    widths = [max(picture.shape[1] for picture in pictures[column::across]) for column in range(across)]
    heights = [
        max(picture.shape[0] for picture in pictures[row * across : (row + 1) * across])
        for row in range(down)
    ]
    title = 0.25 if any(sheets) else 0.06  # inches
    with mpl.rc_context(STYLE):
        ratio = sum(heights) / sum(widths)
        width = min(width, (_TALLEST - down * title) / ratio + 0.08 * across)
        height = (width - 0.08 * across) * ratio + down * title
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(down, across, squeeze=False, width_ratios=widths, height_ratios=heights)
        for place, (axis, name) in enumerate(zip(axes.flat, sheets, strict=False)):
            size = heights[place // across], widths[place % across]
            axis.imshow(_on_paper(pictures[place], *size), interpolation="nearest")
            axis.set_title(name, y=1)  # else each drawing looks for ticks below it, a third of the time
        for axis in axes.flat:
            axis.set_axis_off()
    return figure


def _on_paper(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a picture (H, W, 3) at the top of a white sheet, in its middle."""
    sheet = np.full((height, width, 3), 255, dtype=np.uint8)
    left = (width - picture.shape[1]) // 2
    sheet[: picture.shape[0], left : left + picture.shape[1]] = picture
    return sheet


def real_images(run: RunDir) -> Figure:
    """Draw some of the images that the run was trained on."""
    real = run.real()
    return grids({"": Grid(real.images, min(_WIDE, len(real.images)))})


def epoch_grid(run: RunDir, at_most: int = 5, notes: Mapping[int, str] | None = None) -> Figure:
    """Draw real images and the sample grids of up to `at_most` epochs side by side, at the same latents.

    `notes` adds a text to the title of an epoch. A run that stopped earlier shows its latest samples.
    """
    samples = {}
    for epoch in run.sample_epochs(at_most):
        note = f": {notes[epoch]}" if notes and epoch in notes else ""
        samples[f"epoch {epoch}{note}"] = run.samples(epoch)
    samples = samples or {run.latest().title: run.latest()}
    sheets = {"real": _real_beside(run, samples), **samples}
    return grids(sheets, across=2 if len(sheets) in (2, 4) else 3)


def real_and_generated(run: RunDir, epoch: int | None = None) -> Figure:
    """Draw real images beside the samples of an epoch, the latest unless it is named."""
    samples = run.samples(epoch) if epoch else run.latest()
    real = f"real, {run.described['data']['label']}"
    shown = {f"generated, {samples.title}": samples}
    return grids({real: _real_beside(run, shown), **shown}, across=2)


def _real_beside(run: RunDir, samples: Mapping[str, Grid]) -> Grid:
    """Return real images, laid out as the samples are, in full rows if there are enough for one."""
    columns, images = next(iter(samples.values())).columns, run.real().images
    return Grid(images[: len(images) // columns * columns or len(images)], columns, "real")


def labelled_rows(grid: Grid, names: Sequence[str], title: str = "", *, width: float = WIDTH) -> Figure:
    """Draw a grid whose rows carry names."""
    picture = tiles(grid.images, grid.columns)
    with mpl.rc_context(STYLE):
        height = (width - _NAMES) * picture.shape[0] / picture.shape[1] + 0.3
        figure = Figure(figsize=(width, height), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.1)  # names are wider at the dots per inch of print
        axis = figure.subplots()
        axis.imshow(picture, interpolation="nearest")
        axis.set_title(title)
        axis.set_yticks((np.arange(len(names)) + 0.5) * picture.shape[0] / len(names), names)
        axis.set_xticks([])
        axis.tick_params(length=0)
        axis.grid(False)
        axis.spines[:].set_visible(False)
    return figure


def class_grid(run: RunDir, epoch: int | None = None) -> Figure:
    """Draw the samples of a conditional run: one row per class, the same latents in each row."""
    samples = run.samples(epoch) if epoch else run.latest()
    width = min(WIDTH, _NAMES + _TILE * samples.columns)
    return labelled_rows(samples, run.described["data"]["classes"], samples.title, width=width)


@dataclass(frozen=True)
class Panel:
    """One set of axes with lines of a history."""

    title: str
    columns: Mapping[str, str]  # column of the history -> legend
    reference: float | Mapping[str, float] | None = None  # a dotted level, or one of each of its columns
    log: bool = False  # logarithmic axis

    @property
    def levels(self) -> dict[float, str]:
        """Return the dotted levels with their colours: grey, or each its line's where they differ."""
        if self.reference is None:
            return {}
        if not isinstance(self.reference, Mapping):
            return {self.reference: _GREY}
        own = {self.reference[name]: look(number)["color"] for number, name in enumerate(self.columns)}
        return own if len(own) > 1 else dict.fromkeys(own, _GREY)


def curves(history: History, *panels: Panel, height: float = 2.6, width: float = WIDTH) -> Figure:
    """Draw history columns against epochs, panel beside panel.

    A thin line or a band shows what was recorded, a thick line its running mean. The axis holds 99 of
    100 recorded values; rarer spikes leave it.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes: Sequence[Axes] = figure.subplots(1, len(panels), squeeze=False)[0]
        for axis, panel in zip(axes, panels, strict=True):
            drawn = {legend: history.column(column) for column, legend in panel.columns.items()}
            for number, (legend, (x, y)) in enumerate(drawn.items()):
                draw_line(axis, x, y, legend, number)
            if axis.lines:
                axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2 if len(drawn) > 1 else 1)
            if panel.log:
                axis.set_yscale("log")
            else:
                hold_most(axis, [y for _, y in drawn.values()], panel.levels)
            for level, colour in panel.levels.items():
                axis.axhline(level, color=colour, linestyle=":", linewidth=1)
            axis.set(title=panel.title, xlabel="epoch")
            axis.set_xlim(left=0)
    return figure


def in_rows(count: int, across: int, row: float, rest: float, **others: Any) -> tuple[Figure, list[Axes]]:
    """Make a figure of `count` axes, `across` in a row.

    A row is `row` inches high, legend and labels take the `rest`; `others` go to `Figure.subplots`.
    """
    down = -(-count // across)
    figure = Figure(figsize=(WIDTH, row * down + rest), layout="constrained")
    axes = list(figure.subplots(down, across, squeeze=False, **others).flat)
    for axis in axes[count:]:
        axis.remove()
    return figure, axes[:count]


def hold_most(axis: Axes, columns: Sequence[np.ndarray], levels: Iterable[float] = ()) -> None:
    """Set the limits of the axis so that it holds 99 of 100 values, and the levels."""
    values = np.concatenate([np.empty(0), *columns])
    if not len(values):
        return
    held = [*np.quantile(values, (0.005, 0.995)), *levels]
    margin = 0.05 * (max(held) - min(held)) or 0.05
    axis.set_ylim(min(held) - margin, max(held) + margin)


def draw_line(axis: Axes, x: np.ndarray, y: np.ndarray, legend: str, number: int) -> None:
    """Draw a column: thin or as a band what was recorded, thick its running mean, in the style `number`."""
    if not len(x):
        return
    style = look(number)
    colour = style["color"]
    ends, low, high, sums, counts = blocks_of(x, y)
    axis.fill_between(ends, low, high, color=colour, alpha=0.18, linewidth=0)
    if len(ends) == len(x):
        axis.plot(x, y, color=colour, alpha=0.25, linewidth=0.6)
    axis.plot(ends, running_mean(sums, counts), label=legend, **style)


def blocks_of(x: np.ndarray, y: np.ndarray, most: int = _POINTS) -> tuple[np.ndarray, ...]:
    """Cut columns (N,) into at most `most` blocks that differ in length by 1 at most; no value is left out.

    Returns for each block its last x and the smallest, the largest, the sum and the number of its y.
    """
    edges = np.linspace(0, len(x), min(len(x), most) + 1).astype(int)
    starts, counts = edges[:-1], np.diff(edges)
    low, high, sums = (over.reduceat(y, starts) for over in (np.minimum, np.maximum, np.add))
    return x[edges[1:] - 1], low, high, sums, counts


def running_mean(sums: np.ndarray, counts: np.ndarray | float = 1.0, share: float = 0.05) -> np.ndarray:
    """Return the centred mean over a window of `share` of the values; shorter windows at both ends.

    The values are sums of `counts` numbers each, all of which weigh the same.
    """
    reach, middle = int(len(sums) * share / 2), np.arange(len(sums))
    low, high = np.maximum(middle - reach, 0), np.minimum(middle + reach + 1, len(sums))
    totals = [
        np.concatenate([[0.0], np.cumsum(values)]) for values in (sums, np.broadcast_to(counts, sums.shape))
    ]
    means = [total[high] - total[low] for total in totals]
    return means[0] / means[1]


def confusion_matrix(matrix: Tensor, classes: Sequence[str], *, rows: str, columns: str) -> Figure:
    """Draw counts (K, K) as shares of each row: what was asked for (rows), what was seen (columns)."""
    shares = (matrix / matrix.sum(1, keepdim=True).clamp(min=1)).numpy()
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(0.64 * WIDTH, 0.54 * WIDTH), layout="constrained")
        axis = figure.subplots()
        picture = axis.imshow(shares, vmin=0, vmax=1, cmap="cividis")
        for (row, column), share in np.ndenumerate(shares):
            colour = "white" if share < 0.5 else "black"
            axis.text(column, row, f"{share:.0%}", ha="center", va="center", size=7, color=colour)
        axis.set_xticks(range(len(classes)), classes, rotation=45, ha="right")
        axis.set_yticks(range(len(classes)), classes)
        axis.set(xlabel=columns, ylabel=rows)
        figure.colorbar(picture, format="{x:.0%}", shrink=0.8)
    return figure
