"""Progress: a picture and a bar where a person looks on, one plain line an epoch elsewhere."""

import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tqdm.auto import tqdm

if TYPE_CHECKING:
    from ganutils.live import LiveFigure


def is_watched() -> bool:
    """Say whether output goes to a terminal or to a notebook that a person has open."""
    return is_open_notebook() or sys.stderr.isatty()


def is_open_notebook() -> bool:
    """Say whether a person has this notebook open.

    Jupyter servers name the session in the environment of the kernels that they start; papermill does not.
    """
    return "JPY_SESSION_NAME" in os.environ


class Progress:
    """Shows how far a run is.

    `total` and `done` count updates of `batch` images; `live` makes the picture for an open notebook.
    """

    def __init__(
        self, total: int, done: int, epochs: int, batch: int, live: Callable[[], "LiveFigure"]
    ) -> None:
        self._live = live() if is_open_notebook() else None
        self._bar = None
        if self._live is not None:
            self._live.redraw()
        if is_watched():
            self._bar = tqdm(total=total, initial=done, unit="update", dynamic_ncols=True, leave=False)
        self._epochs, self._batch = epochs, batch
        self._started = time.monotonic()
        self._first, self._total, self._done = done, total, done
        self.score = ""  # the newest one, as text

    def advance(self, done: int, values: dict[str, float]) -> None:
        """Show that `done` updates are made, with the means of what they recorded."""
        self._done = done
        if self._live is not None:
            self._live.add(values)
            self._live.refresh()
        if self._bar is not None:
            speed = self._batch * (done - self._first) / max(1e-9, time.monotonic() - self._started)
            epoch = min(self._epochs, done * self._epochs // self._total + 1)
            self._bar.set_description_str(f"epoch {epoch}/{self._epochs}", refresh=False)
            told = [f"{speed:.0f} images/s", *([self.score] if self.score else [])]
            self._bar.set_postfix_str(", ".join(told), refresh=False)
            self._bar.update(done - self._bar.n)

    def epoch(self, epoch: int, means: dict[str, float], images_per_second: float) -> None:
        """Tell the end of an epoch in one line."""
        if self._bar is not None:
            return
        spent = time.monotonic() - self._started
        left = spent / max(1, self._done - self._first) * (self._total - self._done)
        shown = "  ".join(f"{name} {value:.3f}" for name, value in means.items())
        score = f"  {self.score}" if self.score else ""
        print(
            f"epoch {epoch}/{self._epochs}  {shown}{score}  {images_per_second:.0f} images/s  "
            f"{clock(left)} left",
            flush=True,
        )

    def close(self) -> None:
        """Remove the bar; the picture stays, as training left it."""
        if self._live is not None:
            self._live.redraw()
        if self._bar is not None:
            self._bar.close()


def clock(seconds: float) -> str:
    """Format a duration as 1:02:03 or 2:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
