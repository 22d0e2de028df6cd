"""Progress: a bar with the time left where a person looks on, one plain line an epoch elsewhere."""

import os
import sys
import time

from tqdm.auto import tqdm


def is_watched() -> bool:
    """Say whether output goes to a terminal or to a notebook that a person has open.

    Jupyter servers name the session in the environment of the kernels that they start; papermill does not.
    """
    return "JPY_SESSION_NAME" in os.environ or sys.stderr.isatty()


class Progress:
    """Shows how far a run is; `total` counts updates."""

    def __init__(self, total: int, done: int, epochs: int) -> None:
        self._bar = None
        if is_watched():
            self._bar = tqdm(total=total, initial=done, unit="update", dynamic_ncols=True, leave=False)
        self._epochs = epochs
        self._started = time.monotonic()
        self._first, self._total, self._done = done, total, done

    def advance(self, done: int, values: dict[str, float]) -> None:
        """Show that `done` updates are made, with the newest values."""
        self._done = done
        if self._bar is not None:
            self._bar.set_postfix({name: f"{value:.3g}" for name, value in values.items()}, refresh=False)
            self._bar.update(done - self._bar.n)

    def epoch(self, epoch: int, means: dict[str, float], images_per_second: float) -> None:
        """Tell the end of an epoch in one line."""
        if self._bar is not None:
            return
        spent = time.monotonic() - self._started
        left = spent / max(1, self._done - self._first) * (self._total - self._done)
        shown = "  ".join(f"{name} {value:.3f}" for name, value in means.items())
        print(
            f"epoch {epoch}/{self._epochs}  {shown}  {images_per_second:.0f} images/s  {clock(left)} left",
            flush=True,
        )

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()


def clock(seconds: float) -> str:
    """Format a duration as 1:02:03 or 2:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
