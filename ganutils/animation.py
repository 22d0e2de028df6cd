"""The animation of a training: a GIF of the samples at the same latents, a frame for each of their epochs."""

import io
from functools import lru_cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ganutils.runs import RunDir
from ganutils.sheets import Grid, tiles

FEWEST = 3  # grids: fewer are no film
_MOST = 16  # frames
_ACROSS, _DOWN = 6, 8  # images of a frame
_SECONDS = 0.7  # of a frame
_LAST_SECONDS = 2.5
_LEAST = 350  # pixels of a frame's width; smaller grids are enlarged by a whole number
_HEAD = 26  # pixels above the images, for the label and a bar of the time that has passed
_BAR = 3


def animation(run: RunDir) -> bytes | None:
    """Return a GIF without end of a run's sample grids, or None if it has fewer than three.

    Of many grids, 16 spread evenly are shown, of a large grid its upper left corner. All frames share one
    palette of 256 colours, so that only the images change. The same files give the same bytes.
    """
    epochs = run.sample_epochs(_MOST)
    if len(epochs) < FEWEST:
        return None
    frames = [_frame(run.samples(epoch), epoch, epochs[-1]) for epoch in epochs]
    palette = Image.fromarray(np.concatenate([np.asarray(frame) for frame in frames])).quantize(256)
    first, *others = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    seconds = [_SECONDS] * len(others) + [_LAST_SECONDS]
    content = io.BytesIO()
    first.save(
        content,
        format="gif",
        save_all=True,
        append_images=others,
        duration=[round(1000 * one) for one in seconds],
        loop=0,
        optimize=False,
    )
    return content.getvalue()


def _frame(grid: Grid, epoch: int, last: int) -> Image.Image:
    sheet = tiles(*_corner(grid))
    scale = -(-_LEAST // sheet.shape[1])
    picture = Image.fromarray(sheet.repeat(scale, axis=0).repeat(scale, axis=1))
    frame = Image.new("RGB", (picture.width, picture.height + _HEAD), "white")
    frame.paste(picture, (0, _HEAD))
    draw = ImageDraw.Draw(frame)
    draw.text((2, 2), f"epoch {epoch} of {last}", fill="black", font=_font())
    draw.rectangle((0, _HEAD - _BAR - 2, round(picture.width * epoch / last) - 1, _HEAD - 3), fill="#0173b2")
    return frame


def _corner(grid: Grid) -> tuple[Tensor, int]:
    places = range(min(len(grid.images), _DOWN * grid.columns))
    kept = [place for place in places if place % grid.columns < _ACROSS]
    return grid.images[kept], min(grid.columns, _ACROSS)


@lru_cache(maxsize=1)
def _font() -> ImageFont.FreeTypeFont:
    # Fonts of the system would give other bytes on other machines.
    return ImageFont.truetype(Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", 15)
