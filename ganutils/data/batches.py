"""Minibatches, and the only place where value ranges are converted."""

from typing import NamedTuple

import torch
from torch import Tensor

from ganutils.hardware import to_device


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


def flip_some(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each image (N, 3, H, W) left to right with probability 1/2."""
    flipped = torch.rand(len(images), generator=generator) < 0.5
    return torch.where(to_device(flipped, images.device)[:, None, None, None], images.flip(3), images)


def epoch_order(count: int, batch_size: int, generator: torch.Generator) -> tuple[Tensor, ...]:
    """Return the index tensors of one shuffled pass; the last, incomplete batch is left out."""
    order = torch.randperm(count, generator=generator)
    return order[: count - count % batch_size].split(batch_size)
