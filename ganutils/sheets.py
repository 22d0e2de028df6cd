"""Sheets of images: one PNG whose tiles stand in rows without gaps, lossless and readable by any viewer."""

import io
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor


class Grid(NamedTuple):
    """Images of one sheet, how many stand in a row, and what they are."""

    images: Tensor  # (N, 3, S, S) uint8
    columns: int
    title: str = ""


def encode(grid: Grid) -> bytes:
    """Return the PNG of a sheet; its texts hold N, because the last row may be incomplete, and the title."""
    count, _, size, _ = grid.images.shape
    rows = -(-count // grid.columns)
    places = torch.zeros(rows * grid.columns, 3, size, size, dtype=torch.uint8)
    places[:count] = grid.images
    sheet = places.reshape(rows, grid.columns, 3, size, size).permute(0, 3, 1, 4, 2)
    picture = Image.fromarray(sheet.reshape(rows * size, grid.columns * size, 3).numpy())
    facts = PngInfo()
    facts.add_text("count", str(count))
    facts.add_text("title", grid.title)
    content = io.BytesIO()
    picture.save(content, format="png", pnginfo=facts)
    return content.getvalue()


def decode(content: bytes, size: int) -> Grid:
    """Return the tiles of `size` pixels of a sheet that `encode` made."""
    with Image.open(io.BytesIO(content)) as picture:
        count, title = int(picture.text["count"]), picture.text.get("title", "")
        sheet = torch.from_numpy(np.array(picture.convert("RGB")))
    rows, columns = sheet.shape[0] // size, sheet.shape[1] // size
    images = sheet.reshape(rows, size, columns, size, 3).permute(0, 2, 4, 1, 3)
    return Grid(images.reshape(rows * columns, 3, size, size)[:count], columns, title)


def tiles(images: Tensor, columns: int, gap: int = 2) -> np.ndarray:
    """Lay uint8 images (N, 3, H, W) out in rows; returns (height, width, 3) with white gaps."""
    count, _, height, width = images.shape
    rows = -(-count // columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, dtype=np.uint8)
    for index, image in enumerate(images.permute(0, 2, 3, 1).numpy()):
        top, left = (index // columns) * (height + gap), (index % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet
