"""One look for all plots: sizes for print, lines that colour-blind readers and grey printers can tell."""

from typing import Any

import matplotlib as mpl
import seaborn as sns

WIDTH = 6.4  # inches between the margins of a page

_PALETTE = sns.color_palette("colorblind").as_hex()
# The first four differ for every eye; pink and yellow are left out, too pale for thin lines on white.
COLOURS = tuple(_PALETTE[index] for index in (0, 1, 2, 9, 3, 4, 5, 7))
# All differ, so that eight lines can be told apart without any colour.
DASHES = (
    "-",
    (0, (5, 1.5)),
    (0, (1.5, 1)),
    (0, (6, 1, 1, 1)),
    (0, (10, 2.5)),
    (0, (4, 1, 1, 1, 1, 1)),
    (0, (1, 2.5)),
    (0, (9, 1.5, 3, 1.5)),
)

STYLE = {
    **sns.axes_style("whitegrid"),
    **sns.plotting_context("paper"),
    "axes.labelsize": 8,
    "axes.prop_cycle": mpl.cycler(color=COLOURS),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "figure.dpi": 110,
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "grid.linewidth": 0.5,
    "legend.edgecolor": "none",  # a white ground only, so that no grid line runs through the text
    "legend.fontsize": 7.5,
    "legend.handlelength": 3,  # shows a whole period of the dashes
    "lines.linewidth": 1.4,
    "svg.fonttype": "path",
    "svg.hashsalt": "ganutils",
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
}


def look(number: int) -> dict[str, Any]:
    """Return colour and dashes of the line `number` of a figure, counted from 0.

    The first eight differ in both; of 64, no two are equal in both.
    """
    rounds, place = divmod(number, len(COLOURS))
    return {"color": COLOURS[place], "linestyle": DASHES[(place + rounds) % len(DASHES)]}
