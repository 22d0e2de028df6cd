"""KID: the squared maximum mean discrepancy of features under a cubic kernel, with its standard error."""

from typing import NamedTuple

import torch
from torch import Tensor

from ganutils.metrics.pairs import blocks


class Kid(NamedTuple):
    """The estimate, which can be slightly below 0, and its standard error."""

    value: float
    error: float


def kid(fake: Tensor, real: Tensor) -> Kid:
    """Return the kernel inception distance of features (N, D) and (M, D), N and M at least 3.

    The unbiased estimate of MMD^2 with the kernel (x.y / D + 1)^3 (Bińkowski 2018, arXiv 1801.01401, section
    4; Gretton 2012, lemma 6). It uses all pairs of samples, so that it depends on no order; the mean over
    random subsets, which the paper and torch-fidelity take, has the same expectation and more noise. The
    standard error is the jackknife's (Efron 1981): the spread of the estimates that leave out one sample.
    """
    n, m = len(fake), len(real)
    if min(n, m) < 3:
        raise ValueError(f"KID needs at least 3 samples of each kind, not {n} and {m}")
    fakes, _ = _sums(fake, fake)
    reals, _ = _sums(real, real)
    across, back = _sums(fake, real)
    fakes, reals = fakes - _kernel_of_self(fake), reals - _kernel_of_self(real)

    def estimate(fakes: Tensor, n: int, reals: Tensor, m: int, across: Tensor) -> Tensor:
        return fakes / (n * (n - 1)) + reals / (m * (m - 1)) - 2 * across / (n * m)

    all_fakes, all_reals, all_across = fakes.sum(), reals.sum(), across.sum()
    value = estimate(all_fakes, n, all_reals, m, all_across)
    without_fake = estimate(all_fakes - 2 * fakes, n - 1, all_reals, m, all_across - across)
    without_real = estimate(all_fakes, n, all_reals - 2 * reals, m - 1, all_across - back)
    variance = sum((len(some) - 1) * some.var(correction=0) for some in (without_fake, without_real))
    return Kid(value.item(), variance.sqrt().item())


def _sums(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return the kernel's sums over the second (N,) and over the first (M,) features."""
    rows, columns = [], torch.zeros(len(second), dtype=torch.float64, device=second.device)
    for _, products in blocks(first, second):
        kernel = (products / first.shape[1] + 1) ** 3
        rows.append(kernel.sum(1))
        columns += kernel.sum(0)
    return torch.cat(rows), columns


def _kernel_of_self(features: Tensor) -> Tensor:
    return (features.double().square().sum(1) / features.shape[1] + 1) ** 3
