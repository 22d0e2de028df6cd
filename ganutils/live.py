"""The live picture of a run in a notebook: the losses so far beside the newest images, redrawn in place."""

import io
import time
from collections.abc import Callable

import matplotlib as mpl
from IPython.display import display
from matplotlib.figure import Figure

from ganutils.figures import DASHES, STYLE, WIDTH, hold_most, tiles
from ganutils.history import History, Row
from ganutils.sheets import Grid

SHARE = 0.02  # of the time that drawing may take
MOST_POINTS = 400  # in a line; beyond them, neighbours are averaged
_WAIT = 1.0  # seconds between two pictures at least


class LiveFigure:
    """A picture that is redrawn where it was first shown, so seldom that training hardly notices.

    `draw` returns images at fixed latents; `display` is called once, and its handle's `update` after that.
    """

    def __init__(self, history: History, draw: Callable[[], Grid]) -> None:
        self._draw = draw
        self._lines: dict[str, list[tuple[float, float]]] = {}
        self._handle = None
        self._due = 0.0
        for row in history.updates[:: max(1, len(history.updates) // MOST_POINTS)]:
            self.add(row)

    def add(self, row: Row) -> None:
        """Take a row of losses."""
        for name, value in row.items():
            if name.startswith(("d_", "g_")) and not name.endswith("_grad"):
                line = self._lines.setdefault(name, [])
                line.append((row["epoch"], value))
                if len(line) > MOST_POINTS:
                    line[:] = [_middle(*pair) for pair in zip(line[::2], line[1::2], strict=False)]

    def refresh(self) -> None:
        """Redraw the picture if drawing has not taken more than its share of the time."""
        if time.monotonic() >= self._due:
            self.redraw()

    def redraw(self) -> None:
        """Redraw the picture now."""
        begun = time.monotonic()
        picture = {"image/png": _png(self.figure()), "text/plain": "live picture of the run"}
        metadata = {"ganutils": {"role": "live"}, "image/png": {"width": round(WIDTH * 110)}}
        if self._handle is None:
            self._handle = display(picture, raw=True, metadata=metadata, display_id=True)
        else:
            self._handle.update(picture, raw=True, metadata=metadata)
        now = time.monotonic()
        self._due = now + max(_WAIT, (now - begun) / SHARE)

    def figure(self) -> Figure:
        """Draw losses on the left, images on the right."""
        grid = self._draw()
        with mpl.rc_context(STYLE):
            figure = Figure(figsize=(WIDTH, 2.8), layout="constrained")
            losses, images = figure.subplots(1, 2, width_ratios=(1.2, 1))
            for number, (name, line) in enumerate(self._lines.items()):
                style = DASHES[number % len(DASHES)]
                losses.plot(*zip(*line, strict=True), label=name, linestyle=style, linewidth=1.2)
            if self._lines:
                hold_most(losses, [[value for _, value in line] for line in self._lines.values()], None)
                losses.legend(fontsize="small")
            losses.set(title="Losses", xlabel="epoch")
            images.imshow(tiles(grid.images, grid.columns), interpolation="nearest")
            images.set_title(grid.title)
            images.set_axis_off()
        return figure


def _middle(first: tuple[float, float], second: tuple[float, float]) -> tuple[float, float]:
    return (first[0] + second[0]) / 2, (first[1] + second[1]) / 2


def _png(figure: Figure) -> bytes:
    content = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(content, format="png", dpi=110)
    return content.getvalue()
