"""Reads from an image of the embedded shapes what it was drawn from: class, background, colour and size."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ganutils.classifier import train_classifier
from ganutils.coverage import Reading
from ganutils.data import Dataset, to_float
from ganutils.data.shapes import RADIUS, oklab
from ganutils.errors import DataError
from ganutils.params import RunParams

BACKGROUNDS = ("dark", "light")
COLOURS = ("rose", "orange", "lime", "teal", "blue", "violet")  # OKLab hues 0, 60, ... 300 degrees
SIZES = ("small", "large")  # radius below or above the middle of its range

_CORNER = 3  # pixels: no shape reaches into the corners
_DARK, _LIGHT = 0.45, 0.80  # OKLab lightness: backgrounds are drawn at most 0.34, or at least 0.88
_CHROMA = 0.05  # of the shape's mean colour: drawn ones have at least 0.09
_SURE = 0.5  # probability of the class seen
_ENOUGH = 12_000  # images seen in training; ten classes were then told without error (two seeds)


@dataclass(frozen=True)
class ShapeReader:
    """Reads shapes of the classes and image size that it was made for; `accuracy` is its classifier's."""

    classes: tuple[str, ...]
    network: nn.Module  # the kit's classifier
    areas: Tensor  # (K,) area of each class's shape in units of its squared radius
    accuracy: float  # share of held-out images whose class is read right

    def read(self, images: Tensor) -> Reading:
        """Read uint8 images (N, 3, S, S).

        An image cannot be read if its corners are neither dark nor light, the rest has no colour, or the
        classifier sees no class with probability above 0.5.
        """
        labels, sure = _classes(self.network, images)
        seen = look(images)
        readable = (seen.lightness < _DARK) | (seen.lightness > _LIGHT)
        readable &= (seen.colour[:, 1:].norm(dim=1) > _CHROMA) & (sure > _SURE)
        return Reading(
            names={"class": self.classes, "background": BACKGROUNDS, "colour": COLOURS, "size": SIZES},
            values={
                "class": labels,
                "background": (seen.lightness > (_DARK + _LIGHT) / 2).long(),
                "colour": sector(seen.colour),
                "size": is_large((seen.area / self.areas[labels]).sqrt()),
            },
            readable=readable,
        )


def train_reader(dataset: Dataset, params: RunParams, epochs: int | None = None) -> ShapeReader:
    """Train the kit's classifier on drawn shapes and measure each class's area on them.

    By default two to five epochs, fewer the more images there are: shapes are learned soon.

    Raises:
        DataError: the images were not drawn, so that their factors are not known.
    """
    if dataset.factors is None:
        raise DataError(
            f"{dataset.label}: has no known factors; exact mode coverage needs dataset='shapes'. "
            "The classes of other images are read by ganutils.coverage.read_classes."
        )
    judge = train_classifier(dataset, params, epochs or min(5, max(2, math.ceil(_ENOUGH / len(dataset)))))
    squares = dataset.factors["radius"].square()
    area = look(dataset.images).area
    of_class = [dataset.labels == label for label in range(len(dataset.classes))]
    areas = torch.stack([area[here].sum() / squares[here].sum() for here in of_class])
    return ShapeReader(dataset.classes, judge.network, areas, judge.accuracy)


class Look(NamedTuple):
    """What the pixels of N images say."""

    lightness: Tensor  # (N,) OKLab lightness of the background, 0 to 1
    colour: Tensor  # (N, 3) OKLab colour of the shape
    area: Tensor  # (N,) of the shape, in shares of the image


def look(images: Tensor) -> Look:
    """Look at uint8 images (N, 3, S, S): the corners are background, what differs from it is the shape.

    A pixel belongs to the shape if its OKLab distance to the background is more than half the largest
    one, which is where a soft edge is half covered.
    """
    return Look(*(torch.cat(parts) for parts in zip(*map(_look, images.split(1000)), strict=True)))


def _look(images: Tensor) -> Look:
    pixels = images.permute(0, 2, 3, 1).float() / 255
    ends = [slice(None, _CORNER), slice(-_CORNER, None)]
    corners = torch.cat([pixels[:, rows, columns].flatten(1, 2) for rows in ends for columns in ends], 1)
    background = oklab(corners.median(1).values)
    distance = (oklab(pixels) - background[:, None, None]).norm(dim=-1).flatten(1)
    shape = distance > distance.quantile(0.98, dim=1, keepdim=True) / 2
    mean = (pixels.flatten(1, 2) * shape[..., None]).sum(1) / shape.sum(1, keepdim=True).clamp(min=1)
    return Look(background[:, 0], oklab(mean), shape.float().mean(1))


def sector(lab: Tensor) -> Tensor:
    """Return the index into COLOURS (N,) of OKLab colours (N, 3)."""
    turns = torch.atan2(lab[:, 2], lab[:, 1]) / (2 * math.pi)
    return (turns * len(COLOURS)).round().long() % len(COLOURS)


def is_large(radius: Tensor) -> Tensor:
    """Return 1 (N,) where a radius, as a fraction of the image's width, is in the upper half of its range."""
    return (radius > sum(RADIUS) / 2).long()


@torch.no_grad()
def _classes(network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the most likely class (N,) of each image and its probability (N,)."""
    device = next(network.parameters()).device
    parts = [network(to_float(some).to(device)).softmax(1).max(1) for some in images.split(512)]
    sure, labels = (torch.cat(found).cpu() for found in zip(*parts, strict=True))
    return labels, sure
