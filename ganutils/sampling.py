"""Drawing images from a generator."""

import torch
from torch import Tensor, nn


@torch.no_grad()
def generate(generator: nn.Module, z: Tensor, labels: Tensor, batch_size: int = 256) -> Tensor:
    """Return the images (N, 3, S, S) in [-1, 1] of latents z (N, size), in eval mode and fp32.

    The generator's mode is put back afterwards, so that looking never changes training.
    """
    was_training = generator.training
    generator.eval()
    parts = [
        generator(some_z, some_labels).float()
        for some_z, some_labels in zip(z.split(batch_size), labels.split(batch_size), strict=True)
    ]
    generator.train(was_training)
    return torch.cat(parts)
