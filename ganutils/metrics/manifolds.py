"""Precision, recall, density and coverage: how the neighbourhoods of real and generated features overlap."""

from typing import NamedTuple

import torch
from torch import Tensor

from ganutils.metrics.pairs import radii, squared_distances

K_RECALL = 3  # neighbours in precision and recall (Kynkäänniemi 2019, section 3.1)
K_COVERAGE = 5  # neighbours in density and coverage (Naeem 2020, section 4)


class Overlap(NamedTuple):
    """Fidelity in precision and density, variety in recall and coverage; all but density are at most 1."""

    precision: float
    recall: float
    density: float
    coverage: float


def overlap(fake: Tensor, real: Tensor) -> Overlap:
    """Return the overlap of features (N, D) of generated and (M, D) of real images, more than 5 of each.

    The ball of a sample reaches to its k-th nearest other sample of the same kind, the sphere included.
    Improved precision is the share of generated samples in the ball of any real one, improved recall the
    share of real ones in the ball of any generated one, k = 3 (Kynkäänniemi 2019, arXiv 1904.06991, equations
    1 and 2; there on features of VGG-16, here on those of Inception). Density is the mean number of real
    samples whose ball holds a generated one, divided by k; coverage the share of real samples whose ball
    holds any, k = 5 (Naeem 2020, arXiv 2002.09797, equations 4 and 6).
    """
    if min(len(fake), len(real)) <= K_COVERAGE:
        raise ValueError(f"needs more than {K_COVERAGE} samples of each kind, not {len(fake)}, {len(real)}")
    real_balls, wide_balls = radii(real, K_RECALL, K_COVERAGE)
    (fake_balls,) = radii(fake, K_RECALL)
    in_real = held = 0
    in_fake = torch.zeros(len(real), dtype=torch.bool, device=real.device)
    covered = in_fake.clone()
    for start, block in squared_distances(fake, real):
        in_real += (block <= real_balls).any(1).sum().item()
        in_fake |= (block <= fake_balls[start : start + len(block), None]).any(0)
        in_wide = block <= wide_balls
        held += in_wide.sum().item()
        covered |= in_wide.any(0)
    return Overlap(
        precision=in_real / len(fake),
        recall=in_fake.double().mean().item(),
        density=held / (K_COVERAGE * len(fake)),
        coverage=covered.double().mean().item(),
    )
