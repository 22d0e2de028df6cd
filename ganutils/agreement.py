"""Does a loss follow the quality of images? Means of an epoch beside the score after it."""

from collections.abc import Mapping, Sequence

import numpy as np

from ganutils.measurements import Measurement
from ganutils.notebook import show_table
from ganutils.runs import RunDir
from ganutils.scores import monitored

_FEWEST = 3  # epochs: two have one order only


def show_agreement(run: RunDir, columns: Mapping[str, str], first: int = 1) -> None:
    """Show in a notebook the mean of columns (name -> title) in each scored epoch, beside the KID after it.

    The caption tells the rank correlations (Spearman 1904) with KID in all of them, and in those from epoch
    `first` on.
    """
    history, scores = run.history(), monitored(run)
    if len(scores) < _FEWEST:
        print("Not scored while training: set metric_every to see the losses beside KID.")
        return
    means = {name: [history.epoch_mean(name, one.epoch) for one in scores] for name in columns}
    rows = [
        (one.epoch, *(f"{values[place]:.3g}" for values in means.values()), str(one))
        for place, one in enumerate(scores)
    ]
    told = [f"in all scored epochs: {_correlations(means, scores, columns, scores[0].epoch)}"]
    if first > scores[0].epoch:
        told.append(f"from epoch {first} on: {_correlations(means, scores, columns, first)}")
    caption = (
        f"Means of an epoch beside the KID after it (lower is better). Rank correlation with KID "
        f"{'; '.join(told)}. 1: the smaller, the better the images; 0: it says nothing about them; -1: the "
        "larger, the better."
    )
    show_table(rows, ("Epoch", *columns.values(), "KID"), caption)


def _correlations(
    means: Mapping[str, Sequence[float]],
    scores: Sequence[Measurement],
    titles: Mapping[str, str],
    first: int,
) -> str:
    counted = [
        place
        for place, one in enumerate(scores)
        if one.epoch >= first and not any(np.isnan(values[place]) for values in means.values())
    ]
    if len(counted) < _FEWEST:
        return "too few scores to say"
    quality = [scores[place].value for place in counted]
    return ", ".join(
        f"{title} {rank_correlation([means[name][place] for place in counted], quality):.2f}"
        for name, title in titles.items()
    )


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Return Spearman's coefficient, -1 to 1, of two series without ties; NaN where one is constant."""
    ranks = [np.argsort(np.argsort(series)) for series in (first, second)]
    return float("nan") if len(set(first)) < 2 or len(set(second)) < 2 else float(np.corrcoef(ranks)[0, 1])
