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
    """Train DCGAN 32 for an epoch of 400 updates with a grid at its end, in an open notebook.

    The terminal's share is that of the same run less the live picture.
    """
    whole, spent = _seconds()
    live = spent.pop(LiveFigure)
    others = sum(spent.values())
    yield _row("a terminal", others / (whole - live))
    note = "the live picture is drawn, and sent to no browser"
    yield _row("an open notebook", (others + live) / whole, note)


def _row(where: str, share: float, note: str = "") -> Row:
    return Row(f"DCGAN 32 in {where}: all but updates", "% of the time", ours=[100 * share], note=note)


def _seconds() -> tuple[float, dict[type, float]]:
    """Return what a training took, and what of it the timed methods of each class did by themselves."""
    spent = {owner: 0.0 for owner, _ in _TIMED}
    with contextlib.ExitStack() as stack:
        stack.enter_context(patch("ganutils.progress.is_open_notebook", return_value=True))
        stack.enter_context(patch.object(Place, "show"))
        for owner, name in _TIMED:
            stack.enter_context(patch.object(owner, name, _timed(owner, getattr(owner, name), spent)))
        whole = seconds_of_a_run(_UPDATES)
    return whole, spent


def _timed(owner: type, method: Callable[..., Any], spent: dict[type, float]) -> Callable[..., Any]:
    @functools.wraps(method)
    def timed(*arguments: Any, **options: Any) -> Any:
        begun, before = time.perf_counter(), sum(spent.values())
        try:
            return method(*arguments, **options)
        finally:
            inside = sum(spent.values()) - before  # by timed methods that it called
            spent[owner] += time.perf_counter() - begun - inside

    return timed
