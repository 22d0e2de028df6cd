"""Figures about several runs side by side; each function returns a Figure.

A run has the same colour, dashes and marker in every figure.
"""

import re
from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ganutils.figures import draw_line, hold_most, in_rows
from ganutils.finished import FinishedRun
from ganutils.measurements import Scale, Title, is_rising
from ganutils.sheets import tiles
from ganutils.style import STYLE, WIDTH, look

_TALLEST = 7.6  # inches: the figure of all losses leaves room for text on its page
_LABELS = 1.6  # inches for the names of rows
_NAME = 26  # characters in a line of such a name
_MARKERS = "osD^vPX<>*"
_SPENT = {"minutes": "minutes of training", "g_step": "generator updates", "step": "discriminator updates"}


def losses(runs: Sequence[FinishedRun]) -> Figure:
    """Draw the loss terms of all runs against epochs: one row per run, discriminator left, generator right.

    A term has the same colour in each row. Every panel has its own vertical axis, which holds 99 of 100
    recorded values: losses of different objectives have no common scale.
    """
    names = list(dict.fromkeys(name for side in "dg" for run in runs for name in run.history.losses(side)))
    height = min(_TALLEST, 0.8 + max(1.0, 1.9 - 0.15 * len(runs)) * len(runs))
    with mpl.rc_context({**STYLE, "axes.titlesize": 8, "xtick.labelsize": 7, "ytick.labelsize": 7}):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        rows = figure.subplots(len(runs), 2, squeeze=False)
        drawn: dict[str, Line2D] = {}
        for run, axes in zip(runs, rows, strict=True):
            for side, axis in zip("dg", axes, strict=True):
                drawn |= _terms(axis, run, side, names)
            axes[0].set_title(run.label, loc="left")
        for axis, who in zip(rows[0], ("discriminator", "generator"), strict=True):
            axis.set_title(who, loc="right", fontweight="normal")
        for axis in rows[-1]:
            axis.set_xlabel("epoch", fontsize=8)
        shown = [name for name in names if name in drawn]
        figure.legend([drawn[name] for name in shown], shown, loc="outside lower center", ncols=4)
    return figure


def _terms(axis: Axes, run: FinishedRun, side: str, names: Sequence[str]) -> dict[str, Line2D]:
    columns = {name: run.history.column(name) for name in run.history.losses(side)}
    for name, (x, y) in columns.items():
        draw_line(axis, x, y, name, names.index(name))
    hold_most(axis, [y for _, y in columns.values()])
    axis.set_xlim(0, run.history.passed)
    return {line.get_label(): line for line in axis.lines if line.get_label() in columns}


def strip(runs: Sequence[FinishedRun], columns: int) -> Figure:
    """Draw one row per run: the first images of its last sample grid, `strip_count` of them.

    Rows whose latents are not all those of the first run say how many are.
    """
    count = strip_count(runs, columns)
    places = max(count, 10)  # fewer images grow no larger
    row = (WIDTH - _LABELS) / places
    with mpl.rc_context(STYLE):
        size = _LABELS + row * count, (row + 0.08) * len(runs) + 0.1
        figure = Figure(figsize=size, layout="constrained")
        rows = figure.subplots(
            len(runs), 2, squeeze=False, width_ratios=(_LABELS / row, count), gridspec_kw={"wspace": 0.02}
        )
        for (label, axis), run in zip(rows, runs, strict=True):
            epoch, grid = run.last_samples
            axis.imshow(tiles(grid.images[:count], count), interpolation="nearest")
            axis.set_anchor("W")
            text = [*wrapped(run.label, _NAME), f"epoch {epoch}", *_mark(run, runs[0], count)]
            label.text(1, 0.5, "\n".join(text), ha="right", va="center", fontsize=7)
            for one in (label, axis):
                one.set_axis_off()
    return figure


def strip_count(runs: Sequence[FinishedRun], columns: int) -> int:
    """Return how many images a row of the strip has: `columns`, or what every run can give.

    A class-conditional run gives the first row of its grid, which is one class.
    """
    grids = [(run.classes_of_samples, run.last_samples[1]) for run in runs]
    return min(columns, *(grid.columns if classes else len(grid.images) for classes, grid in grids))


def _mark(run: FinishedRun, first: FinishedRun, count: int) -> list[str]:
    told = [f"class {run.described['data']['classes'][0]}"] if run.classes_of_samples else []
    shared = run.shared_latents(first, count)
    if shared == count:
        return told
    return [*told, "latents unknown" if shared is None else f"{shared} of {count} latents of run 1"]


def wrapped(text: str, width: int) -> list[str]:
    """Cut a name into lines of at most `width` characters, at spaces and behind , = + / _ and hyphens."""
    lines = [""]
    for piece in re.findall(r"[^\s,=+/_-]*(?:[\s,=+/_-]+|$)", text):
        if lines[-1] and len((lines[-1] + piece).rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return [line.strip() for line in lines]


def metric(runs: Sequence[FinishedRun], scales: dict[Scale, Title], spent: str) -> Figure:
    """Draw metrics against what was spent: `minutes`, `g_step` or `step`; one panel per metric and protocol.

    `scales` maps each metric and protocol to the title of its panel.
    """
    across = 3 if len(scales) > 4 else min(2, len(scales))
    with mpl.rc_context(STYLE):
        figure, panels = in_rows(len(scales), across, 1.6, 0.5)
        for axis, (scale, title) in zip(panels, scales.items(), strict=True):
            for run in runs:
                _curve(axis, run, scale, spent)
            better = "higher" if is_rising(scale[0]) else "lower"
            axis.set(title=f"{title}, {better} is better", xlabel=_SPENT[spent], ylabel=scale[0])
            axis.set_xlim(left=0)
        drawn = {line.get_label(): line for axis in panels for line in axis.lines}
        ncols = 3 if max(map(len, drawn)) < 30 else 2
        figure.legend(drawn.values(), drawn.keys(), loc="outside lower center", ncols=ncols)
    return figure


def _curve(axis: Axes, run: FinishedRun, scale: Scale, spent: str) -> None:
    found = run.of_scale(scale)
    if not found:
        return
    index = run.number - 1
    # Two points are no course, so no line joins them.
    joined = {} if len(found) > 2 else {"linestyle": "none"}
    axis.plot(
        [run.spent(one.epoch, spent) for one in found],
        [one.value for one in found],
        **look(index) | joined,
        marker=_MARKERS[index % len(_MARKERS)],
        markersize=4,
        label=run.label,
    )
