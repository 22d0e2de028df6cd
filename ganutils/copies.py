"""Memorisation in pixels: how many generated images copy a training image."""

import torch
from torch import Tensor

from ganutils.data import to_float

_NEIGHBOURS = 50
_JUDGES = 300  # real images that show how near training images come to each other
_BLOCK = 4096  # training images at a time: bounds the memory of the float copy


def copied_rate(generated: Tensor, training: Tensor, *, flip: bool = False, seed: int = 0) -> float:
    """Return the share of generated images that copy a training image, 0 to 1.

    An image is a copy if its nearest training image stands out: its distance, divided by the mean distance
    to the 50 nearest (Carlini 2023, arXiv 2301.13188, on CIFAR-10), is smaller than that of 99 in 100
    training images, each compared with the others; the paper sets that limit by hand. So images as new as
    the training images are to each other score about 0.01, and a blurred generator, which is near to
    everything, no more.

    Args:
        generated: uint8 (N, 3, S, S).
        training: uint8 (M, 3, S, S), at least 3.
        flip: the generator may have seen mirrored images too.
        seed: of the choice of the training images, at most 300, that set the limit.
    """
    if len(training) < 3:
        raise ValueError(f"copies cannot be told from {len(training)} training images")
    chosen = torch.randperm(len(training), generator=torch.Generator().manual_seed(seed))[:_JUDGES]
    limit = _nearness(training[chosen], training, flip, left_out=chosen).quantile(0.01)
    return (_nearness(generated, training, flip) < limit).float().mean().item()


def _nearness(images: Tensor, training: Tensor, flip: bool, left_out: Tensor | None = None) -> Tensor:
    """Distance (N,) to the nearest training image over the mean of the nearest 50; `left_out` ones apart."""
    count = min(_NEIGHBOURS, len(training) - (left_out is not None))
    distances = torch.cat([_distances(images, block, flip) for block in training.split(_BLOCK)], 1)
    if left_out is not None:
        distances[torch.arange(len(images)), left_out] = torch.inf
    nearest = distances.topk(count, largest=False).values
    return nearest[:, 0] / nearest.mean(1).clamp(min=1e-12)


def _distances(images: Tensor, training: Tensor, flip: bool) -> Tensor:
    flat = to_float(training).flatten(1)
    found = torch.cdist(to_float(images).flatten(1), flat)
    return torch.minimum(found, torch.cdist(to_float(images).flip(3).flatten(1), flat)) if flip else found
