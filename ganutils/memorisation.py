"""Memorisation in pixels: how many generated images copy a training image."""

import torch
from torch import Tensor

from ganutils.data import to_float
from ganutils.variety import SAME

_NEIGHBOURS = 50
_JUDGES = 300  # real images that show how near training images come to each other
_BLOCK = 4096  # training images at a time: bounds the memory of the float copy


def copied_rate(generated: Tensor, training: Tensor, *, flip: bool = False, seed: int = 0) -> float:
    """Return the share of generated images that copy a training image, 0 to 1.

    An image is a copy if its nearest training image stands out: its distance, divided by the mean distance
    to the 50 nearest (Carlini 2023, arXiv 2301.13188, on CIFAR-10), is smaller than that of 99 in 100
    training images, each compared with the others; the paper sets that limit by hand. So images as new as
    the training images are to each other score about 0.01, and a blurred generator, which is near to
    everything, no more. The same image is always a copy; training images that are there twice set no limit.

    Args:
        generated: uint8 (N, 3, S, S).
        training: uint8 (M, 3, S, S), at least 3.
        flip: the generator may have seen mirrored images too.
        seed: of the choice of the training images, at most 300, that set the limit.
    """
    if len(training) < 3:
        raise ValueError(f"copies cannot be told from {len(training)} training images")
    chosen = torch.randperm(len(training), generator=torch.Generator().manual_seed(seed))[:_JUDGES]
    judged = _nearest(training[chosen], training, flip, but_same=True)
    nearest = _nearest(generated, training, flip)
    is_copy = nearest[:, 0] < SAME
    if len(judged := judged[judged.isfinite().any(1)]):
        is_copy |= _nearness(nearest) < _nearness(judged).quantile(0.01)
    return is_copy.float().mean().item()


def _nearness(nearest: Tensor) -> Tensor:
    """Distance (N,) to the nearest training image over the mean of the nearest 50."""
    return nearest[:, 0] / nearest.masked_fill(nearest.isinf(), torch.nan).nanmean(1).clamp(min=1e-12)


def _nearest(images: Tensor, training: Tensor, flip: bool, *, but_same: bool = False) -> Tensor:
    """Distances (N, 50) to the nearest training images; `but_same` ones count as infinitely far."""
    distances = torch.cat([_distances(images, block, flip) for block in training.split(_BLOCK)], 1)
    if but_same:
        distances[distances < SAME] = torch.inf
    return distances.topk(min(_NEIGHBOURS, len(training)), largest=False).values


def _distances(images: Tensor, training: Tensor, flip: bool) -> Tensor:
    """Root mean square (N, M) over pixels in [-1, 1], to the mirrored image if that is nearer and `flip`."""
    flat = to_float(training).flatten(1)
    found = torch.cdist(to_float(images).flatten(1), flat)
    if flip:
        found = torch.minimum(found, torch.cdist(to_float(images).flip(3).flatten(1), flat))
    return found / flat.shape[1] ** 0.5
