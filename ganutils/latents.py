"""What latents do to images: priors at equal variance, effects, pixel statistics, directions.

`generator(z, labels)` returns images in [-1, 1]; images to be measured are uint8, in grey levels.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ganutils.data.batches import to_float
from ganutils.errors import RunError
from ganutils.prior import Prior
from ganutils.sampling import generate


def from_normal(scores: Tensor, kind: str, variance: float = 1.0) -> Tensor:
    """Turn N(0, 1) numbers (N, size) into latents of another prior with a given variance.

    Each number keeps its quantile (inverse-transform sampling; Devroye 1986, section 2.2), so that the
    priors share their random numbers and images drawn from them can be compared one by one. `sphere`
    keeps the direction. Raises `ParameterError` for an unknown kind.
    """
    own = Prior(scores.shape[1], kind).variance
    quantile = torch.special.ndtr(scores.double())
    if kind == "uniform":
        z = 2 * quantile - 1
    elif kind == "laplace":
        # From the nearer tail, where a quantile near 1 would have lost its digits.
        tail = torch.special.ndtr(-scores.double().abs())
        z = -scores.double().sign() * torch.log(2 * tail) / math.sqrt(2)
    elif kind == "truncated":
        low, high = torch.special.ndtr(torch.tensor([-2.0, 2.0], dtype=torch.float64))
        z = torch.special.ndtri(low + quantile * (high - low))
    elif kind == "sphere":
        z = scores.double() * math.sqrt(scores.shape[1]) / scores.double().norm(dim=1, keepdim=True)
    else:
        z = scores.double()
    return (z * math.sqrt(variance / own)).float()


@torch.no_grad()
def effects(
    generator: nn.Module, z: Tensor, labels: Tensor, directions: Tensor | None = None, step: float = 1.0
) -> Tensor:
    """Mean absolute change of the pixels, in grey levels, for one unit along each direction: (K, N).

    A central difference at each of the latents z (N, size): |G(z + step d) - G(z - step d)| / (2 step),
    averaged over the pixels. `directions` (K, size) are the latent's dimensions unless given.
    """
    if directions is None:
        directions = torch.eye(z.shape[1], device=z.device)
    both = torch.cat([labels, labels])
    rows = []
    for direction in directions.to(z):
        ends = generate(generator, torch.cat([z + step * direction, z - step * direction]), both)
        change = (ends[: len(z)] - ends[len(z) :]).abs().flatten(1).mean(dim=1)
        rows.append(127.5 * change / (2 * step))
    return torch.stack(rows).cpu()


def ranking(effect: Tensor) -> list[int]:
    """Return the rows of an effect (K, N) by their mean, the largest first; of equals the first one first."""
    return effect.mean(dim=1).argsort(descending=True, stable=True).tolist()


def standard_error(values: Tensor) -> Tensor:
    """Return the standard error of the mean over the last axis (N, at least 2)."""
    return values.std(dim=-1) / math.sqrt(values.shape[-1])


class PixelStatistics(NamedTuple):
    """Grey levels of a set of images."""

    mean: float  # of all pixels
    deviation: float  # of all pixels
    brightness: float  # standard deviation, over the images, of an image's mean
    contrast: float  # mean, over the images, of an image's standard deviation


def contrast(images: Tensor) -> Tensor:
    """Return the standard deviation (N,) of the pixels of each uint8 image (N, 3, S, S)."""
    return images.double().flatten(1).std(dim=1, correction=0)


def pixel_statistics(images: Tensor) -> PixelStatistics:
    """Measure uint8 images (N, 3, S, S), N at least 2."""
    levels = images.double().flatten(1)
    return PixelStatistics(
        levels.mean().item(),
        levels.std(correction=0).item(),
        levels.mean(dim=1).std().item(),
        contrast(images).mean().item(),
    )


def diversity(images: Tensor) -> tuple[float, float]:
    """Return the mean L2 distance of two of the uint8 images (N, 3, S, S), and its standard error.

    Pixels are taken in [-1, 1]. The mean over all pairs is a U-statistic, whose standard error is twice
    that of the images' own mean distances (Hoeffding 1948, Ann. Math. Stat. 19).
    """
    flat = to_float(images).double().flatten(1)  # fp32 would lose the distance of nearly equal images
    of_image = torch.cdist(flat, flat).sum(dim=1) / (len(flat) - 1)
    return of_image.mean().item(), 2 * standard_error(of_image).item()


class Directions(NamedTuple):
    """Unit vectors in latent space, the strongest first."""

    vectors: Tensor  # (K, size)
    shares: Tensor  # (K,) of the first layer's variance

    def turned_like(self, others: "Directions") -> "Directions":
        """Return these directions, each turned to the side of the one of its rank in `others`."""
        same = (self.vectors * others.vectors).sum(dim=1, keepdim=True) >= 0
        return Directions(torch.where(same, self.vectors, -self.vectors), self.shares)


def first_layer(
    generator: nn.Module, size: int, *, label: int = 0, device: torch.device | str = "cpu"
) -> Tensor:
    """Return the matrix A (features, size) of the first layer that sees the latent: it computes A z + b.

    A's columns are measured as responses to unit latents, at one label: a label beside the latent adds
    to b alone, one that multiplies it scales the columns, and dense and transposed convolutional layers
    look the same. Raises `RunError` if that layer's output is not linear in z.
    """
    layers = [layer for layer in generator.modules() if isinstance(layer, _LEARNED)]
    units = torch.cat([torch.zeros(1, size), torch.eye(size), torch.linspace(-2, 2, size)[None]]).to(device)
    labels = torch.full((len(units),), label, device=device)
    found = _responses(generator, layers, units[[0, -1]], labels[:2])
    first = next((layer for layer, output in found.items() if not torch.equal(output[0], output[1])), None)
    if first is None:
        raise RunError("No layer of this generator answers to its latent.")
    output = _responses(generator, [first], units, labels)[first]
    matrix = (output[1:-1] - output[0]).T
    if not torch.allclose(matrix @ units[-1].cpu().double(), output[-1] - output[0], rtol=1e-3, atol=1e-4):
        raise RunError("The first layer of this generator sees the latent changed, so it has no matrix.")
    return matrix


_LEARNED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


def _responses(
    generator: nn.Module, layers: list[nn.Module], z: Tensor, labels: Tensor
) -> dict[nn.Module, Tensor]:
    """Return what the layers gave for z, as (N, features), in the order in which they were called."""
    kept: dict[nn.Module, list[Tensor]] = {}

    def keep(layer: nn.Module, _: tuple, output: Tensor) -> None:
        # A copy: an activation that works in place would change what was kept.
        kept.setdefault(layer, []).append(output.detach().flatten(1).cpu().double().clone())

    hooks = [layer.register_forward_hook(keep) for layer in layers]
    try:
        generate(generator, z, labels)
    finally:
        for hook in hooks:
            hook.remove()
    return {layer: torch.cat(parts) for layer, parts in kept.items()}


def principal_components(matrix: Tensor, z: Tensor, count: int) -> Directions:
    """Return the `count` latent directions that give the first layer's principal components.

    Components of A z over the latents z (N, size), brought back to latent space by regressing z on
    their coordinates (GANSpace: Härkönen 2020, arXiv 2004.02546, section 2, as for BigGAN).
    """
    z = z.cpu().double()  # in this order: Apple's GPUs have no double precision
    centred = z - z.mean(dim=0)
    # A = QR with orthonormal Q: R z has the same components as A z in far fewer numbers.
    _, triangle = torch.linalg.qr(matrix.cpu().double(), mode="r")
    coordinates, lengths, _ = torch.linalg.svd(centred @ triangle.T, full_matrices=False)
    vectors = coordinates[:, :count].T @ centred
    return Directions(_unit(vectors), (lengths.square() / lengths.square().sum())[:count])


def factorise(matrix: Tensor, count: int) -> Directions:
    """Return the `count` unit vectors n with the largest |A n|: eigenvectors of A^T A.

    Closed-form factorisation (SeFa: Shen, Zhou 2021, arXiv 2007.06600).
    """
    matrix = matrix.double().cpu()
    values, vectors = torch.linalg.eigh(matrix.T @ matrix)
    order = values.argsort(descending=True)[:count]
    return Directions(_unit(vectors[:, order].T), values[order] / values.sum())


def _unit(vectors: Tensor) -> Tensor:
    """Scale to length 1 with a positive largest entry: a direction has no sign of its own."""
    vectors = vectors / vectors.norm(dim=1, keepdim=True)
    largest = vectors.gather(1, vectors.abs().argmax(dim=1, keepdim=True))
    return (vectors * largest.sign()).float()
