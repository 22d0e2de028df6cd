"""Real and generated images in one pass of a discriminator: more images at a time are computed faster."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from ganutils.switch import Switch

_batches = Switch(1)  # which pass together
_is_wanted = Switch(True)


class ApartBatchNorm2d(nn.BatchNorm2d):
    """Batch norm with statistics of each batch by itself, also where two of them pass together."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same, normalised."""
        if _batches.value == 1:
            return super().forward(x)
        return torch.cat([super(ApartBatchNorm2d, self).forward(batch) for batch in x.chunk(_batches.value)])


def both(network: Callable[[Tensor], Any], first: Tensor, second: Tensor) -> tuple[Any, Any]:
    """Return what a network makes of two batches (N, ...), a tensor or some tensors each, by one pass.

    It is `network(first), network(second)`, if what normalises over a batch is an `ApartBatchNorm2d`; a
    network with spectral norm makes one step of its power iteration instead of two.
    """
    if not _is_wanted.value:
        return network(first), network(second)
    with _batches.set(2):
        found = network(torch.cat([first, second]))
    if isinstance(found, Tensor):
        return found.chunk(2)
    return tuple(zip(*(part.chunk(2) for part in found), strict=True))


def one_by_one() -> AbstractContextManager:
    """Return a context in which `both` makes two passes, as it would be written."""
    return _is_wanted.set(False)
