"""How varied generated images are, measured in pixels: a first look that needs no network."""

import torch
from torch import Tensor

from ganutils.data import to_float

SAME = 0.5 / 127.5  # root mean square of half a grey level: nearer images are the same image


def nearest_distances(images: Tensor) -> Tensor:
    """Return each image's distance (N,) to the nearest other one: root mean square over pixels in [-1, 1].

    Images are uint8 (N, 3, H, W), at least two.
    """
    flat = to_float(images).flatten(1)
    distances = torch.cdist(flat, flat) / flat.shape[1] ** 0.5
    return distances.fill_diagonal_(torch.inf).amin(1)


def repeated_rate(generated: Tensor, real: Tensor) -> float:
    """Return the share of generated images that repeat another one, 0 to 1.

    An image counts as repeated if its nearest other generated image is nearer than 99 of 100 real images are
    to theirs, among equally many real images; real images themselves score 0.01. Real images that are there
    twice set no limit, and equal images always repeat each other.
    """
    count = min(len(generated), len(real))
    apart = nearest_distances(real[:count])
    apart = apart[apart >= SAME]
    limit = apart.quantile(0.01) if len(apart) else SAME
    return (nearest_distances(generated[:count]) < limit).float().mean().item()
