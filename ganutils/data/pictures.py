"""Decoding one picture file, of whatever mode and shape, to a square RGB image."""

import io
import threading
from contextlib import nullcontext

import numpy as np
from PIL import Image, ImageOps

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
# fmt: off
SUFFIXES = frozenset((
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff",
    ".ppm", ".pgm", ".pbm", ".pnm",
))
# fmt: on
MAX_PIXELS = 64_000_000  # larger pictures are refused: a small file can claim gigabytes
LARGE_PIXELS = 8_000_000  # larger ones are decoded one at a time: each takes up to a gigabyte

_one_large = threading.Lock()


def decode(content: bytes, image_size: int) -> np.ndarray:
    """Return a picture file's content as (3, image_size, image_size) uint8 RGB.

    The first frame of an animation is taken and turned as its EXIF entry says; transparency is composited
    on white; 16-bit grey is scaled to 8 bits. Pictures that are not square are cut to the largest centred
    square, then resized by antialiased bicubic interpolation.

    Raises:
        Exception: whatever Pillow raises for a broken file; ValueError for one that is too large.
    """
    with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
        width, height = picture.size
        if width * height > MAX_PIXELS:
            raise ValueError(f"{width}x{height} pixels, allowed are {MAX_PIXELS:,}")
        with _one_large if width * height > LARGE_PIXELS else nullcontext():
            image = _square(_rgb(ImageOps.exif_transpose(picture)))
    if image.size != (image_size, image_size):
        image = image.resize((image_size, image_size), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):
        # Pillow's own conversion clips at 255. Deep grey pictures use 0..65535 in all allowed formats.
        return Image.fromarray(_eight_bits(np.asarray(picture))).convert("RGB")
    if picture.mode == "F":
        raise ValueError("floating-point pictures have no agreed range")
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return picture.convert("RGB")


def _eight_bits(grey: np.ndarray) -> np.ndarray:
    """Return 16-bit grey (H, W) as uint8, rounded; some rows at a time, as floats are large."""
    rows = [(some / 257).round().clip(0, 255).astype(np.uint8) for some in np.array_split(grey, 64)]
    return np.concatenate(rows)


def _square(image: Image.Image) -> Image.Image:
    side = min(image.size)
    if image.size == (side, side):
        return image
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))
