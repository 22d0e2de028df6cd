"""The embedded image set: ten kinds of coloured shapes, drawn by code from known factors."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ganutils.data.dataset import Dataset
from ganutils.errors import ParameterError

TILT = 0.3  # radians, to either side: a square never becomes a diamond
RADIUS = (0.30, 0.42)  # of the image's width
JITTER = 0.05  # of the image's width, to either side of the centre
BLOCK_PIXELS = 2**16  # pixels drawn at a time: small enough for the processor's cache
COLUMNS = 11  # uniform random numbers per image


def shapes(count: int, image_size: int = 32, seed: int = 0, split: str = "train") -> Dataset:
    """Draw `count` images (count, 3, S, S) uint8 of ten kinds of shapes, and record what was drawn.

    Image i depends only on (seed, split, i) and shows class i modulo 10. The factors, float32, are: `x`
    and `y` of the centre and `radius` as fractions of the image's width, `rotation` in radians, `hue` of
    the shape in radians on the OKLab colour circle, `colour` and `background` (N, 3) sRGB in [0, 1] in the
    middle of their gentle gradients; the contrast ratio of the two (as in WCAG 2) is at least 2.

    Raises:
        ParameterError: a bad count, size, seed or split.
    """
    for name, value, least in (("n_images", count, 1), ("image_size", image_size, 4), ("seed", seed, 0)):
        if value < least:
            raise ParameterError(f"{name}={value}: must be at least {least}.")
    if split not in ("train", "test"):
        raise ParameterError(f"split={split!r}: allowed are train and test.")
    random = np.random.default_rng([seed, int(split == "test")])
    # In float64, so that rounding to uint8 comes out alike on other processors and for other counts.
    factors = _factors(torch.from_numpy(random.random((count, COLUMNS))))
    labels = torch.arange(count) % len(CLASSES)
    images = torch.empty(count, 3, image_size, image_size, dtype=torch.uint8)
    for label in labels.unique().tolist():
        for rows in (labels == label).nonzero().flatten().split(max(1, BLOCK_PIXELS // image_size**2)):
            block = {name: values[rows] for name, values in factors.items()}
            images[rows] = _draw(_DISTANCES[CLASSES[label]], block, image_size)
    return Dataset(
        images=images,
        labels=labels,
        classes=CLASSES,
        label="shapes",
        split=split,
        source=f"shapes drawn by ganutils, seed {seed}",
        factors={name: values.float() for name, values in factors.items() if not name.startswith("_")},
    )


def _factors(u: Tensor) -> dict[str, Tensor]:
    """Turn uniform numbers (N, COLUMNS) into what is drawn; names with `_` are details of the shading."""
    hue = 2 * math.pi * u[:, 4]
    # Backgrounds are dark or light, shapes in between: that gap in lightness is the contrast.
    dark = u[:, 5] < 0.5
    lightness = torch.where(dark, 0.24 + 0.10 * u[:, 6], 0.92 + 0.05 * u[:, 6])
    background_hue = hue + 2 * math.pi * (0.25 + 0.5 * u[:, 7])
    shape_lightness = torch.where(dark, 0.68 + 0.12 * u[:, 8], 0.52 + 0.12 * u[:, 8])
    shape_chroma = 0.15 + 0.07 * u[:, 9]
    colours = {
        "colour": (shape_lightness, shape_chroma, hue),
        "background": (lightness, torch.where(dark, 0.06, 0.035), background_hue),
    }
    return {
        "x": 0.5 + JITTER * (2 * u[:, 0] - 1),
        "y": 0.5 + JITTER * (2 * u[:, 1] - 1),
        "radius": RADIUS[0] + (RADIUS[1] - RADIUS[0]) * u[:, 2],
        "rotation": TILT * (2 * u[:, 3] - 1),
        "hue": hue,
        **{name: _srgb(*lch) for name, lch in colours.items()},
        "_light": 2 * math.pi * u[:, 10],
    }


def _srgb(lightness: Tensor, chroma: Tensor, hue: Tensor) -> Tensor:
    """OKLab lightness, chroma and hue (N,) to sRGB (N, 3) in [0, 1] (Ottosson, 2020), clipped to it."""
    lab = torch.stack([lightness, chroma * hue.cos(), chroma * hue.sin()], 1)
    lms = (lab @ lab.new_tensor(_LAB_TO_LMS).T) ** 3
    linear = (lms @ lab.new_tensor(_LMS_TO_RGB).T).clamp(0, 1)
    return torch.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def oklab(srgb: Tensor) -> Tensor:
    """Return OKLab (..., 3), lightness 0 to 1 and two axes of colour, of sRGB (..., 3) in [0, 1]."""
    linear = torch.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055).clamp(min=0) ** 2.4)
    lms = linear @ torch.linalg.inv(linear.new_tensor(_LMS_TO_RGB)).T
    return lms.clamp(min=0) ** (1 / 3) @ torch.linalg.inv(linear.new_tensor(_LAB_TO_LMS)).T


_LAB_TO_LMS = (
    (1, 0.3963377774, 0.2158037573),
    (1, -0.1055613458, -0.0638541728),
    (1, -0.0894841775, -1.2914855480),
)
_LMS_TO_RGB = (
    (4.0767416621, -3.3077115913, 0.2309699292),
    (-1.2684380046, 2.6097574011, -0.3413193965),
    (-0.0041960863, -0.7034186147, 1.7076147010),
)


def _draw(distance: Callable, factors: dict[str, Tensor], image_size: int) -> Tensor:
    """Return (N, 3, S, S) uint8: a shape over a background, its edge one pixel soft."""
    at = {name: values.view(len(values), -1, 1, 1) for name, values in factors.items()}
    centres = (torch.arange(image_size, dtype=torch.float64) + 0.5) / image_size
    x, y = centres.view(1, 1, 1, -1) - at["x"], centres.view(1, 1, -1, 1) - at["y"]
    cos, sin = at["rotation"].cos(), at["rotation"].sin()
    u, v = (cos * x + sin * y) / at["radius"], (cos * y - sin * x) / at["radius"]
    pixels = distance(u, v) * at["radius"] * image_size  # signed, negative inside
    cover = (0.5 - pixels).clamp(0, 1)
    slope = at["_light"].cos() * x + at["_light"].sin() * y
    background = at["background"] + 0.10 * slope
    shape = at["colour"] - 0.06 * (u + v)  # as if lit from the upper left
    images = background + cover * (shape - background)
    return (images * 255).round().clamp(0, 255).to(torch.uint8)


# Signed distances in units of the radius; x runs to the right, y downwards.


def _circle(x: Tensor, y: Tensor, at: tuple[float, float] = (0, 0), radius: float = 0.95) -> Tensor:
    return torch.hypot(x - at[0], y - at[1]) - radius


def _box(x: Tensor, y: Tensor, width: float, height: float) -> Tensor:
    dx, dy = x.abs() - width, y.abs() - height
    return torch.hypot(dx.clamp(min=0), dy.clamp(min=0)) + torch.maximum(dx, dy).clamp(max=0)


def _fold(x: Tensor, y: Tensor, sectors: int) -> tuple[Tensor, Tensor]:
    """Turn every point into the sector around "up": coordinates along it and across, across >= 0."""
    length, angle = torch.hypot(x, y), torch.atan2(x, -y)
    step = 2 * math.pi / sectors
    angle = (angle - step * (angle / step).round()).abs()
    return length * angle.cos(), length * angle.sin()


def _square(x: Tensor, y: Tensor) -> Tensor:
    return _box(x, y, 0.8, 0.8)


def _triangle(x: Tensor, y: Tensor) -> Tensor:
    along, _ = _fold(x, 0.12 - y, 3)  # lowered: its centre of mass lies below the middle of its height
    return along - 0.5


def _star(x: Tensor, y: Tensor, points: int = 5, inner: float = 0.45) -> Tensor:
    along, across = _fold(x, y, points)
    half = math.pi / points
    dx, dy = inner * math.cos(half) - 1, inner * math.sin(half)  # the edge from the tip inwards
    return ((along - 1) * dy - across * dx) / math.hypot(dx, dy)


def _cross(x: Tensor, y: Tensor) -> Tensor:
    return torch.minimum(_box(x, y, 0.3, 0.95), _box(x, y, 0.95, 0.3))


def _ring(x: Tensor, y: Tensor) -> Tensor:
    return (torch.hypot(x, y) - 0.72).abs() - 0.23


def _heart(x: Tensor, y: Tensor) -> Tensor:
    side = 0.54  # half the side of the square that stands on its corner
    down = y - 0.14
    square = _box((x + down) * math.sqrt(0.5), (x - down) * math.sqrt(0.5), side, side)
    arch = side * math.sqrt(0.5)
    return torch.minimum(square, _circle(x.abs(), down, (arch, -arch), side))


def _crescent(x: Tensor, y: Tensor) -> Tensor:
    # Moved to the right: the cut leaves its centre of mass on the left.
    return torch.maximum(_circle(x, y, (0.15, 0)), -_circle(x, y, (0.6, -0.2), 0.75))


def _flower(x: Tensor, y: Tensor) -> Tensor:
    petals = _circle(*_fold(x, y, 5), (0.6, 0), 0.37)
    return torch.minimum(petals, _circle(x, y, radius=0.5))


def _diamond(x: Tensor, y: Tensor, width: float = 0.66) -> Tensor:
    return (x.abs() + width * y.abs() - width) / math.hypot(1, width)


_DISTANCES = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "cross": _cross,
    "ring": _ring,
    "heart": _heart,
    "crescent": _crescent,
    "flower": _flower,
    "diamond": _diamond,
}
CLASSES = tuple(_DISTANCES)
