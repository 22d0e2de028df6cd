"""What history, sample grids, checkpoints and the live picture take beside the updates."""

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

from ganutils.bench.rows import Row
from ganutils.bench.whole import seconds_of_a_run
from ganutils.checkpoints import Checkpoints
from ganutils.live import LiveFigure
from ganutils.observer import Observer
from ganutils.places import Place
from ganutils.recorder import Recorder

_TIMED = ((Recorder, "flush"), (Observer, "sample"), (Checkpoints, "save"), (LiveFigure, "redraw"))
_UPDATES = 400  # half an epoch of CIFAR-10 with a batch of 64


def rows() -> Iterator[Row]:
    """Train DCGAN 32 for an epoch of 400 updates with a grid at its end, in a terminal and in a notebook."""
    for where, is_open, note in (
        ("a terminal", False, ""),
        ("an open notebook", True, "the live picture is drawn, and sent to no browser"),
    ):
        with (
            patch("ganutils.progress.is_open_notebook", return_value=is_open),
            patch.object(Place, "show"),
        ):
            share = _share()
        yield Row(f"DCGAN 32 in {where}: all but updates", "% of the time", ours=[100 * share], note=note)


def _share() -> float:
    """Return the share of training that is spent in the timed methods."""
    spent: list[float] = []
    with contextlib.ExitStack() as stack:
        for owner, name in _TIMED:
            stack.enter_context(patch.object(owner, name, _timed(getattr(owner, name), spent)))
        whole = seconds_of_a_run(_UPDATES)
    return sum(spent) / whole


def _timed(method: Callable[..., Any], spent: list[float]) -> Callable[..., Any]:
    @functools.wraps(method)
    def timed(*arguments: Any, **options: Any) -> Any:
        begun, before = time.perf_counter(), len(spent)
        try:
            return method(*arguments, **options)
        finally:
            del spent[before:]  # what it called is in its own time
            spent.append(time.perf_counter() - begun)

    return timed
