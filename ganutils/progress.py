"""Progress: a picture and a bar in an open notebook, one plain line an epoch elsewhere."""

import sys
import time
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING

from ganutils.places import Place, is_open_notebook

if TYPE_CHECKING:
    from ganutils.live import LiveFigure


def is_watched() -> bool:
    """Say whether output goes to a terminal or to a notebook that a person has open."""
    return is_open_notebook() or sys.stderr.isatty()


class Progress:
    """Shows how far a run is.

    `total` and `done` count updates of `batch` images; `live` makes the picture for an open notebook.
    """

    def __init__(
        self, total: int, done: int, epochs: int, batch: int, live: Callable[[], "LiveFigure"]
    ) -> None:
        self._epochs, self._batch = epochs, batch
        self._first, self._total, self._done = done, total, done
        self.score = ""  # the newest one, as text
        self._live = live() if is_open_notebook() else None
        self._place = Place()
        if self._live is not None:
            self._live.redraw()
            self._place.show(_bar(done / total, f"epoch {self._epoch()}/{epochs}"))
        self._started = time.monotonic()

    def advance(self, done: int, values: dict[str, float]) -> None:
        """Show that `done` updates are made, with the means of what they recorded."""
        self._done = done
        if self._live is not None:
            self._live.add(values)
            self._live.refresh()
            self._show(self.score)

    def wait(self, reason: str) -> None:
        """Tell in an open notebook what keeps the next update waiting."""
        if self._live is not None:
            self._show(reason)

    def epoch(self, epoch: int, means: dict[str, float], images_per_second: float) -> None:
        """Tell the end of an epoch in one line where no picture does."""
        if self._live is not None:
            return
        shown = "  ".join(f"{name} {value:.3f}" for name, value in means.items())
        score = f"  {self.score}" if self.score else ""
        print(
            f"epoch {epoch}/{self._epochs}  {shown}{score}  {images_per_second:.0f} images/s  "
            f"{clock(self._left())} left",
            flush=True,
        )

    def close(self) -> None:
        """Leave the picture as training left it, and a line in place of the bar."""
        if self._live is None:
            return
        self._live.redraw()
        epochs = f"{self._done * self._epochs / self._total:.2f}".rstrip("0").rstrip(".")
        speed = [self._speed(), clock(self._spent())] if self._done > self._first else []
        text = _joined(f"{epochs} of {self._epochs} epochs", *speed, self.score)
        self._place.show({"text/html": _line(escape(text)), "text/plain": text})

    def _show(self, last: str) -> None:
        facts = [f"epoch {self._epoch()}/{self._epochs}", self._speed(), f"{clock(self._left())} left"]
        self._place.show(_bar(self._done / self._total, _joined(*facts, last)))

    def _epoch(self) -> int:
        return min(self._epochs, self._done * self._epochs // self._total + 1)

    def _spent(self) -> float:
        return time.monotonic() - self._started

    def _speed(self) -> str:
        return f"{self._batch * (self._done - self._first) / max(1e-9, self._spent()):.0f} images/s"

    def _left(self) -> float:
        return self._spent() / max(1, self._done - self._first) * (self._total - self._done)


def clock(seconds: float) -> str:
    """Format a duration as 1:02:03 or 2:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _joined(*facts: str) -> str:
    return " · ".join(fact for fact in facts if fact)


def _bar(share: float, text: str) -> dict[str, str]:
    """Return a bar that is full at 1, as wide as the picture above it, and a text below it."""
    bar = f'<progress value="{share:.4f}" max="1" style="width: 100%; display: block"></progress>'
    return {"text/html": _line(bar + escape(text)), "text/plain": f"{share:4.0%}  {text}"}


def _line(html: str) -> str:
    style = "max-width: 800px; font-variant-numeric: tabular-nums"  # digits of one width: nothing trembles
    return f'<div style="{style}">{html}</div>'
