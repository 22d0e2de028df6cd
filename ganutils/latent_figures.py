"""Figures about latents: labelled rows of images, ranked effects, what happens along a way."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from ganutils.figures import labelled_rows
from ganutils.latents import ranking, standard_error
from ganutils.sheets import Grid
from ganutils.style import DASHES, STYLE, WIDTH


def varied_rows(rows: Mapping[str, Tensor], columns: Sequence[str], xlabel: str) -> Figure:
    """Draw rows of uint8 images, each (K, 3, S, S), with a name beside each row and above each column."""
    images = torch.cat(list(rows.values()))
    figure = labelled_rows(Grid(images, len(columns)), list(rows))
    figure.set_figheight(figure.get_figheight() + 0.25)
    (axis,) = figure.axes
    across = axis.images[0].get_array().shape[1]
    with mpl.rc_context(STYLE):
        axis.xaxis.tick_top()
        axis.xaxis.set_label_position("top")
        axis.set_xticks([(i + 0.5) * across / len(columns) for i in range(len(columns))], columns)
        axis.tick_params(length=0, labelsize=8)
        axis.set_xlabel(xlabel)
    return figure


def ranked_effects(effect: Tensor, unit: str, *, names: int = 3) -> Figure:
    """Draw the mean effect (K, N) of each dimension, the largest first, with a band of two standard errors.

    The first and last `names` dimensions are named.
    """
    order = ranking(effect)
    mean, error = effect[order].mean(dim=1).numpy(), standard_error(effect[order]).numpy()
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 1.9), layout="constrained")
        axis = figure.subplots()
        ranks = range(1, len(order) + 1)
        axis.fill_between(ranks, mean - 2 * error, mean + 2 * error, alpha=0.25, linewidth=0)
        axis.plot(ranks, mean, marker=".", markersize=3)
        axis.set(xlabel="rank of the dimension", ylabel=unit, ylim=(0, None))
        ends = {"first": order[:names], "last": order[-names:]}
        text = "\n".join(f"ranked {end}: {', '.join(map(str, chosen))}" for end, chosen in ends.items())
        # A falling line leaves the upper right corner free.
        place = {"transform": axis.transAxes, "ha": "right", "va": "top", "fontsize": 8}
        axis.text(0.98, 0.94, text, **place, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})
    return figure


def along(panels: Mapping[str, Mapping[str, Tensor]], xlabel: str, *, height: float = 2.2) -> Figure:
    """Draw lines with bands of two standard errors: title -> legend -> values (K, N) at K places 0..1."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        for axis, (title, lines) in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
        ):
            for (legend, values), dashes in zip(lines.items(), DASHES, strict=False):
                _band(axis, values, legend, dashes)
            axis.set(title=title, xlabel=xlabel)
        figure.axes[0].legend()
    return figure


def _band(axis: Axes, values: Tensor, legend: str, dashes: object) -> None:
    places = [i / (len(values) - 1) for i in range(len(values))]
    mean, error = values.mean(dim=1).numpy(), standard_error(values).numpy()
    (line,) = axis.plot(places, mean, linestyle=dashes, label=legend)
    axis.fill_between(
        places, mean - 2 * error, mean + 2 * error, color=line.get_color(), alpha=0.2, linewidth=0
    )
