"""Products and distances of all pairs of features, in double precision and in blocks that fit in memory."""

from collections.abc import Iterator

import torch
from torch import Tensor

_BLOCK = 2**24  # pairs at a time: 128 MB


def blocks(first: Tensor, second: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Yield the products (n, M) of all features (N, D) with all second ones (M, D), and where rows start."""
    columns = second.double().T
    step = max(1, _BLOCK // len(second))
    for start in range(0, len(first), step):
        yield start, first[start : start + step].double() @ columns


def squared_distances(first: Tensor, second: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Yield the squared distances (n, M) of features (N, D) to all second (M, D), and where rows start."""
    # Distances do not change when both are moved; near the origin, subtracting products loses fewer digits.
    moved = second.to(torch.float64, copy=True)
    middle = moved.mean(0)
    moved -= middle
    lengths = moved.square().sum(1)
    step = max(1, _BLOCK // len(second))
    for start in range(0, len(first), step):
        rows = first[start : start + step].double() - middle
        squares = rows.square().sum(1, keepdim=True) + lengths
        yield start, squares.addmm_(rows, moved.T, alpha=-2).clamp_min_(0)


def nearest(first: Tensor, second: Tensor, k: int = 1) -> tuple[Tensor, Tensor]:
    """Return distances and indices (N, k) of the k second features (M, D) nearest to each first (N, D)."""
    found = [block.topk(k, largest=False) for _, block in squared_distances(first, second)]
    values, indices = (torch.cat(parts) for parts in zip(*found, strict=True))
    return values.sqrt(), indices


def radii(features: Tensor, *ks: int) -> list[Tensor]:
    """Return, for each k, the squared distance (N,) of each feature (N, D) to its k-th nearest other one."""
    found = []
    for start, block in squared_distances(features, features):
        block.diagonal(start).fill_(torch.inf)
        found.append(block.topk(max(ks), largest=False).values)  # in rising order
    rising = torch.cat(found)
    return [rising[:, k - 1] for k in ks]
