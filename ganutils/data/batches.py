"""Minibatches, and the only place where value ranges are converted."""

from typing import NamedTuple

import torch
from torch import Tensor


class Batch(NamedTuple):
    """One minibatch, real or generated."""

    images: Tensor  # (N, 3, H, W) float in [-1, 1]
    labels: Tensor  # (N,) int64


def to_float(images: Tensor) -> Tensor:
    """Map uint8 0..255 to float32 in [-1, 1] by (x - 127.5) / 127.5."""
    return (images.float() - 127.5) / 127.5


def to_uint8(images: Tensor) -> Tensor:
    """Map floats in [-1, 1] to uint8 0..255, rounding to the nearest; values outside are clamped.

    The exact inverse of `to_float`: `to_uint8(to_float(x))` equals `x` for every uint8 value.
    """
    return (images.float() * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8)


def draw_flips(count: int, generator: torch.Generator) -> Tensor:
    """Draw which of `count` images are mirrored: (count,) bool, on the CPU; each with probability 1/2."""
    return torch.rand(count, generator=generator) < 0.5


def flip_some(images: Tensor, flips: Tensor) -> Tensor:
    """Mirror left to right those of the images (N, 3, H, W) that `flips` (N,) says."""
    return torch.where(flips[:, None, None, None], images.flip(3), images)


def epoch_order(count: int, batch_size: int, generator: torch.Generator) -> tuple[Tensor, ...]:
    """Return the index tensors of one shuffled pass; the last, incomplete batch is left out."""
    order = torch.randperm(count, generator=generator)
    return order[: count - count % batch_size].split(batch_size)
