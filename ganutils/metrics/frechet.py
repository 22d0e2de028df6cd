"""FID: the Fréchet distance between two Gaussians fitted to features."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

_ROWS = 4096  # features in double precision at a time


@dataclass(frozen=True)
class Gaussian:
    """A Gaussian in D dimensions, in double precision."""

    mean: Tensor  # (D,)
    covariance: Tensor  # (D, D)
    root: Tensor | None = None  # (D, R), root @ root.T is the covariance; kept where it is known anyway


def fit(features: Tensor) -> Gaussian:
    """Return mean and unbiased covariance (divided by N - 1) of features (N, D), N at least 2."""
    count, size = features.shape
    if count < 2:
        raise ValueError(f"a covariance needs at least 2 samples, not {count}")
    mean = sum(rows.sum(0) for rows in _double(features)) / count
    if count <= size:
        root = (features.double() - mean).T / (count - 1) ** 0.5
        return Gaussian(mean, root @ root.T, root)
    covariance = torch.zeros(size, size, dtype=torch.float64, device=features.device)
    for rows in _double(features):
        covariance.addmm_((rows - mean).T, rows - mean)
    return Gaussian(mean, covariance / (count - 1))


def _double(features: Tensor) -> Iterator[Tensor]:
    return (rows.double() for rows in features.split(_ROWS))


def frechet(first: Gaussian, second: Gaussian) -> float:
    """Return the squared Fréchet distance of two Gaussians (Heusel 2017, arXiv 1706.08500, equation 6).

    |m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^(1/2)). With C1 = R R^T, the trace of the root is the sum of the
    square roots of the eigenvalues of the symmetric R^T C2 R, which stays exact where the covariances are
    singular, as those of fewer samples than dimensions are.
    """
    if first.root is None and second.root is not None:
        first, second = second, first
    root = _root(first.covariance) if first.root is None else first.root
    values = torch.linalg.eigvalsh(root.T @ second.covariance @ root)
    overlap = values.clamp_min(0).sqrt().sum()
    distance = (first.mean - second.mean).square().sum()
    return (distance + first.covariance.trace() + second.covariance.trace() - 2 * overlap).item()


def _root(covariance: Tensor) -> Tensor:
    root, failed = torch.linalg.cholesky_ex(covariance)
    if not failed:
        return root
    values, vectors = torch.linalg.eigh(covariance)
    kept = values > values[-1] * len(values) * torch.finfo(values.dtype).eps
    return vectors[:, kept] * values[kept].sqrt()


def fid(fake: Tensor, real: Tensor) -> float:
    """Return the Fréchet inception distance of features (N, D) and (M, D); 0 for equal ones.

    It is biased upwards, the more so the fewer samples there are: compare only at equal numbers.
    """
    return frechet(fit(fake), fit(real))
