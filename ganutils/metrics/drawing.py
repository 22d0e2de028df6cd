"""The images of a finished generator that its metrics are measured on."""

import torch
from torch import Tensor

from ganutils.data import to_uint8
from ganutils.errors import MetricError
from ganutils.objective import Gan
from ganutils.sampling import generate
from ganutils.streams import stream

_BLOCK = 1000  # images in floating point at a time


def draw(gan: Gan, n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return n generated uint8 images (n, 3, S, S) and the labels (n,) they were asked for, on the CPU.

    The latents come from a random stream of their own. A conditional generator is asked for every class
    equally often, in turn; others get the label 0. Raises `MetricError` if a pixel is not finite.
    """
    z, labels = gan.prior.sample(n, generator=stream(seed, "metrics"))
    if gan.prior.classes:
        labels = torch.arange(n) % gan.prior.classes
    device = next(gan.generator.parameters()).device
    parts = []
    for some, asked in zip(z.split(_BLOCK), labels.split(_BLOCK), strict=True):
        images = generate(gan.generator, some.to(device), asked.to(device))
        if not images.isfinite().all():
            raise MetricError("the generator draws pixels that are not finite: training has diverged.")
        parts.append(to_uint8(images).cpu())
    return torch.cat(parts), labels
