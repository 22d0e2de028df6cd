"""What a machine can do at most, and how much arithmetic an update takes."""

import time

import torch
from torch.utils.flop_counter import FlopCounterMode

from ganutils.update import Update

_SIZE = 2048
_SECONDS = 1.0


def flops_per_second(dtype: torch.dtype, device: torch.device | str = "cpu") -> float:
    """Return the speed of a large matrix product, multiplications and additions counted apart."""
    first, second = (torch.randn(_SIZE, _SIZE, device=device).to(dtype) for _ in range(2))
    best, until = 0.0, time.perf_counter() + _SECONDS
    while time.perf_counter() < until:
        begun = time.perf_counter()
        (first @ second)[0, 0].item()  # reading a number waits for a GPU
        best = max(best, 2 * _SIZE**3 / (time.perf_counter() - begun))
    return best


def count_flops(update: Update) -> float:
    """Count the arithmetic of a discriminator update with its share of the generator's; it is carried out.

    Matrix products and convolutions, forwards and backwards; what else there is, is small beside them.
    """
    params = update.params
    with FlopCounterMode(display=False) as counter:
        for _ in range(params.d_steps):
            update(torch.arange(params.batch_size))
    return counter.get_total_flops() / params.d_steps
