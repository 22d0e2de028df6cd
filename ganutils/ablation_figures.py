"""Figures about an ablation; each function returns a Figure. A run looks the same in all of them."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from ganutils.ablation_numbers import Quantity, shared_terms
from ganutils.comparison_figures import wrapped
from ganutils.figures import hold_most, in_rows, running_mean
from ganutils.studies.ablation import AblationRun
from ganutils.style import COLOURS, DASHES, STYLE

_POINTS = 200  # a longer history is drawn as the means of so many stretches
_BASE, _REPEAT = "0.45", "0.7"
_COLOURS = COLOURS[:-1]  # the last one is grey
_NAME = 36  # characters in a line of the name of a row
_DOT = {"marker": "o", "markersize": 4.5}
_HOLLOW = {**_DOT, "markerfacecolor": "white"}


def curves(runs: Sequence[AblationRun]) -> Figure:
    """Draw the running means of every loss term that all runs have: one panel per term, one line per run."""
    names = [name for side in "dg" for name in shared_terms(runs, side)]
    columns = 3 if max(len(run.label) for run in runs) < 30 else 2  # of the legend
    with mpl.rc_context(STYLE):
        figure, panels = in_rows(len(names), min(3, len(names)), 2.0, 0.2 * -(-len(runs) // columns) + 0.2)
        for axis, name in zip(panels, names, strict=True):
            for run in runs:
                x, y = _smooth(*run.history.column(name))
                axis.plot(x, y, label=run.label, **_line(run))
            hold_most(axis, [line.get_ydata() for line in axis.lines])
            axis.set(title=name, xlabel="epoch")
            axis.set_xlim(left=0)
        lines = panels[0].lines
        labels = [line.get_label() for line in lines]
        figure.legend(lines, labels, loc="outside lower center", ncols=columns)
    return figure


def _smooth(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    size = max(1, len(x) // _POINTS)
    kept = len(x) - len(x) % size
    return x[:kept].reshape(-1, size)[:, -1], running_mean(y[:kept].reshape(-1, size).mean(1))


def _line(run: AblationRun) -> dict[str, object]:
    if run.row.kind == "base":
        return {"color": _BASE, "linewidth": 3.5}  # shows below a row that changes nothing
    if run.row.kind == "repeat":
        return {"color": _REPEAT, "linewidth": 1.0}
    dashes, number = DASHES[1:], run.row.change
    shift = number // len(_COLOURS) + (3 if run.row.kind == "without" else 0)
    return {"color": _colour(run), "linestyle": dashes[(number + shift) % len(dashes)]}


def _colour(run: AblationRun) -> str:
    """Return the colour of a run: that of a change where it is made alone and where it is left out."""
    own = {"base": _BASE, "repeat": _REPEAT}
    return own.get(run.row.kind) or _COLOURS[run.row.change % len(_COLOURS)]


def effects(runs: Sequence[AblationRun], quantities: Sequence[Quantity]) -> Figure:
    """Draw what each run has instead of the base: one panel per quantity, one dot per run, tied to the base.

    A dotted line is the value of real images, a grey band holds the base and its other seeds; dots of runs
    that leave one change out are hollow. Quantities that no run has are left out.
    """
    drawn = [one for one in quantities if one.values]
    names = [wrapped(run.label, _NAME) for run in runs]
    row = max(0.17, 0.12 * max(map(len, names))) * len(runs) + 0.55
    with mpl.rc_context({**STYLE, "xtick.labelsize": 7, "ytick.labelsize": 7, "axes.titlesize": 8}):
        across = 2 if len(drawn) == 4 else min(3, len(drawn))
        figure, panels = in_rows(len(drawn), across, row, 0.3, sharey=True)
        for axis, one in zip(panels, drawn, strict=True):
            _dots(axis, runs, one)
        panels[0].set_yticks([run.number for run in runs], ["\n".join(name) for name in names])
        panels[0].invert_yaxis()
        marks = {
            "base": Line2D([], [], color=_BASE, linewidth=1),
            "base with other seeds": Line2D([], [], color=_REPEAT, alpha=0.3, linewidth=6),
        }
        if not any(run.row.kind == "repeat" for run in runs):
            del marks["base with other seeds"]
        if any(one.real is not None for one in drawn):
            marks["real images"] = Line2D([], [], color="0.3", linestyle=":")
        if any(run.row.kind == "without" for run in runs):
            marks["all changes but one"] = Line2D([], [], color="0.3", linestyle="none", **_HOLLOW)
        figure.legend(marks.values(), marks.keys(), loc="outside lower center", ncols=4)
    return figure


def _dots(axis: Axes, runs: Sequence[AblationRun], quantity: Quantity) -> None:
    values = quantity.values
    seeds = [
        values[run.number] for run in runs if run.row.kind in ("base", "repeat") and run.number in values
    ]
    base = next((values.get(run.number) for run in runs if run.row.kind == "base"), None)
    if base is not None:
        axis.axvline(base, color=_BASE, linewidth=1)
        axis.axvspan(min(seeds), max(seeds), color=_REPEAT, alpha=0.3, linewidth=0)
    for run in runs:
        if (value := values.get(run.number)) is None:
            continue
        if base is not None:
            axis.plot([base, value], [run.number] * 2, color=_colour(run), linewidth=1.2)
        mark = _HOLLOW if run.row.kind == "without" else _DOT
        axis.plot(value, run.number, color=_colour(run), linestyle="none", **mark)
    if quantity.real is not None:
        axis.axvline(quantity.real, color="0.3", linestyle=":", linewidth=1)
    axis.set_title(quantity.name)
    axis.margins(x=0.12)
    if quantity.form.endswith("%"):
        axis.xaxis.set_major_formatter(PercentFormatter(1))
    axis.grid(axis="y", visible=False)
    axis.locator_params(axis="x", nbins=4)
    axis.tick_params(axis="x", labelbottom=True)
