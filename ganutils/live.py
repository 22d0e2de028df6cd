"""The live picture of a run in a notebook: the losses so far beside the newest images, redrawn in place."""

import io
import time
from collections.abc import Callable

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from ganutils.figures import blocks_of, hold_most
from ganutils.history import History, Row, is_loss
from ganutils.places import Place
from ganutils.sheets import Grid, tiles
from ganutils.style import STYLE, look

SHARE = 0.015  # of the time that drawing may take
MOST_POINTS = 400  # in a line; beyond them, neighbours are averaged
WIDTH = 800  # pixels on the screen
_WAIT = 1.0  # seconds between two pictures at least

# All lengths below are dots; two of them make a pixel of an ordinary screen.
_DPI = 240
_SIDE = 600  # of the images' longer side, about
_MOST = 900  # of that side: what has more pixels shrinks
_TOP, _BOTTOM, _LEFT, _GAP, _RIGHT = 90, 110, 90, 50, 4


class LiveFigure:
    """A picture that is redrawn where it was first shown, so seldom that training hardly notices.

    `draw` returns images at fixed latents, always as many of one size.
    """

    def __init__(self, history: History, draw: Callable[[], Grid]) -> None:
        self._draw, self._place = draw, Place()
        self._lines: dict[str, list[tuple[float, float]]] = {}
        self._picture: _Picture | None = None
        self._due = 0.0
        for name in history.losses():
            epochs, _, _, sums, counts = blocks_of(*history.column(name), most=MOST_POINTS // 2)
            self._lines[name] = list(zip(epochs.tolist(), (sums / counts).tolist(), strict=True))

    def add(self, row: Row) -> None:
        """Take a row of losses."""
        for name in filter(is_loss, row):
            line = self._lines.setdefault(name, [])
            while line and line[-1][0] >= row["epoch"]:  # training went back to a checkpoint
                line.pop()
            line.append((row["epoch"], row[name]))
            if len(line) > MOST_POINTS:
                pairs = zip(line[::2], line[1::2], strict=False)
                line[:] = [*(_middle(*pair) for pair in pairs), *line[len(line) // 2 * 2 :]]

    def refresh(self) -> None:
        """Redraw the picture if drawing has not taken more than its share of the time."""
        if time.monotonic() >= self._due:
            self.redraw()

    def redraw(self) -> None:
        """Redraw the picture now."""
        begun = time.monotonic()
        content = {"image/png": self.png(), "text/plain": "live picture of the run"}
        self._place.show(content, **{"image/png": {"width": WIDTH}})
        now = time.monotonic()
        # Before the first picture nothing was trained, and libraries were loaded for it.
        spent = now - begun if self._due else 0.0
        self._due = now + max(_WAIT, spent / SHARE)

    def png(self) -> bytes:
        """Return the picture: losses on the left, images on the right."""
        grid = self._draw()
        self._picture = self._picture or _Picture(tiles(grid.images, grid.columns))
        return self._picture.png(self._lines, tiles(grid.images, grid.columns), grid.title)


class _Picture:
    """A figure that is made once: a new one would take three times as long to draw."""

    def __init__(self, images: np.ndarray) -> None:
        rows, columns = images.shape[:2]
        longer = max(rows, columns)
        dots = max(1, round(_SIDE / longer)) if longer <= _MOST else _MOST / longer  # of a pixel
        down, across = round(dots * rows), round(dots * columns)
        height = _TOP + max(down, _SIDE // 2) + _BOTTOM
        with mpl.rc_context(STYLE):
            # The hair more keeps rounding from cutting off a dot.
            self.figure = Figure(figsize=((2 * WIDTH + 1e-6) / _DPI, (height + 1e-6) / _DPI))

            def axes(left: int, top: int, wide: int, high: int) -> mpl.axes.Axes:
                width = 2 * WIDTH
                return self.figure.add_axes(
                    (left / width, 1 - (top + high) / height, wide / width, high / height)
                )

            left = 2 * WIDTH - _RIGHT - across
            self.losses = axes(_LEFT, _TOP, left - _GAP - _LEFT, height - _TOP - _BOTTOM)
            self.losses.set_xlabel("epoch")
            self.images = axes(left, _TOP, across, down)
            self.images.set_axis_off()
            smooth = "nearest" if dots >= 1 else "antialiased"
            self.pixels = self.images.imshow(images, interpolation=smooth, aspect="auto")

    def png(self, lines: dict[str, list[tuple[float, float]]], images: np.ndarray, title: str) -> bytes:
        with mpl.rc_context(STYLE):
            for number, (name, line) in enumerate(lines.items()):
                if number == len(self.losses.lines):
                    self.losses.plot([], [], label=name, linewidth=1.1, **look(number))
                self.losses.lines[number].set_data(*zip(*line, strict=True))
            if lines:
                self.losses.relim()
                self.losses.autoscale_view()
                hold_most(self.losses, [[value for _, value in line] for line in lines.values()])
                self.losses.legend(
                    loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.2, ncols=3, labelspacing=0.2
                )
            self.pixels.set_data(images)
            self.images.set_title(title)
            content = io.BytesIO()
            # Level 1: the picture travels no further than to the browser, speed counts more than bytes.
            self.figure.savefig(content, format="png", dpi=_DPI, pil_kwargs={"compress_level": 1})
        return content.getvalue()


def _middle(first: tuple[float, float], second: tuple[float, float]) -> tuple[float, float]:
    return (first[0] + second[0]) / 2, (first[1] + second[1]) / 2
