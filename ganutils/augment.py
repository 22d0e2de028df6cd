"""Differentiable augmentation of real and generated images before the discriminator.

Zhao and others 2020, arXiv 2006.10738: the same kind of change on both sides lets the discriminator
learn from few images without memorising them, and its gradient still reaches the generator.
"""

import torch
from torch import Tensor


def colour(images: Tensor) -> Tensor:
    """Shift brightness by up to 0.5, scale saturation by 0 to 2, contrast by 0.5 to 1.5, an image each."""

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(len(images), 1, 1, 1, device=images.device)

    images = images + uniform(-0.5, 0.5)
    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * uniform(0, 2)
    level = images.mean((1, 2, 3), keepdim=True)
    return level + (images - level) * uniform(0.5, 1.5)


def translation(images: Tensor, share: float = 0.125) -> Tensor:
    """Move each image by up to `share` of its size along both axes; 0 (grey) comes in at the edges."""
    count, _, height, width = images.shape
    rows = _moved(height, round(share * height), count, images.device)
    columns = _moved(width, round(share * width), count, images.device)
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1))
    # A gather instead of indexing: its gradient needs no atomic adds at distinct places.
    padded = padded.gather(2, rows[:, None, :, None].expand(-1, padded.shape[1], -1, padded.shape[3]))
    return padded.gather(3, columns[:, None, None, :].expand(-1, padded.shape[1], padded.shape[2], -1))


def _moved(size: int, reach: int, count: int, device: torch.device) -> Tensor:
    """Return the padded positions (count, size) that each image reads; the border stands for outside."""
    shift = torch.randint(-reach, reach + 1, (count, 1), device=device)
    return (torch.arange(size, device=device) + shift).clamp(-1, size) + 1


KINDS = {"color": colour, "translation": translation}


def augment(images: Tensor, kinds: str) -> Tensor:
    """Apply the comma-separated kinds in order to images (N, 3, H, W) in [-1, 1]; "" changes nothing."""
    for kind in filter(None, kinds.split(",")):
        images = KINDS[kind](images)
    return images
