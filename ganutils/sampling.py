"""Drawing images from a generator."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ganutils.data.batches import to_uint8
from ganutils.hardware import exact
from ganutils.params import RunParams
from ganutils.prior import Prior
from ganutils.sheets import Grid
from ganutils.streams import stream


def fixed_samples(sampler: nn.Module, prior: Prior, params: RunParams, title: str) -> Grid:
    """Return images at the latents that a run keeps for looking; training does not notice."""
    device = next(sampler.parameters()).device
    z, labels = prior.grid(params.n_samples, generator=stream(params.seed, "evaluation"), device=device)
    return Grid(to_uint8(generate(sampler, z, labels)).cpu(), prior.columns(params.n_samples), title)


@exact()
@torch.no_grad()
def generate(generator: nn.Module, z: Tensor, labels: Tensor, batch_size: int = 256) -> Tensor:
    """Return the images (N, 3, S, S) in [-1, 1] of latents z (N, size), in eval mode and fp32.

    The generator's mode is put back afterwards, so that looking never changes training.
    """
    with _mode(generator, training=False):
        parts = [
            generator(some_z, some_labels).float()
            for some_z, some_labels in zip(z.split(batch_size), labels.split(batch_size), strict=True)
        ]
    return torch.cat(parts)


@contextmanager
def _mode(network: nn.Module, *, training: bool) -> Iterator[None]:
    was_training = network.training
    network.train(training)
    try:
        yield
    finally:
        network.train(was_training)


@exact()
@torch.no_grad()
def recalibrate(generator: nn.Module, prior: Prior, random: torch.Generator, batches: int = 20) -> None:
    """Measure the batch-norm statistics of a generator anew, over `batches` of 64 latents from `random`.

    Averaged weights need statistics of their own: those of the weights they are the mean of do not fit
    (Izmailov 2018, arXiv 1803.05407, section 3.2).
    """
    norms = [layer for layer in generator.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.reset_running_stats()
        layer.momentum = None  # a plain mean over all batches
    device = next(generator.parameters()).device
    try:
        with _mode(generator, training=True):
            for _ in range(batches):
                generator(*prior.sample(64, generator=random, device=device))
    finally:
        for layer, momentum in zip(norms, momenta, strict=True):
            layer.momentum = momentum
