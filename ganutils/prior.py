"""Priors: where latents come from, and ways through latent space."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor

from ganutils.errors import ParameterError
from ganutils.hardware import to_device
from ganutils.params import PriorKind


def _normal(shape: tuple[int, int], generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator, device=generator.device)


def _uniform(shape: tuple[int, int], generator: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=generator, device=generator.device) * 2 - 1


def _laplace(shape: tuple[int, int], generator: torch.Generator) -> Tensor:
    # A difference of two exponentials is a Laplace variable; its scale 1/sqrt(2) gives variance 1.
    first, second = (
        torch.empty(shape, device=generator.device).exponential_(generator=generator) for _ in range(2)
    )
    return (first - second) / math.sqrt(2)


def _truncated(shape: tuple[int, int], generator: torch.Generator) -> Tensor:
    z = torch.empty(shape, device=generator.device)
    return torch.nn.init.trunc_normal_(z, a=-2.0, b=2.0, generator=generator)


def _sphere(shape: tuple[int, int], generator: torch.Generator) -> Tensor:
    z = _normal(shape, generator)
    return z * (math.sqrt(shape[1]) / z.norm(dim=1, keepdim=True))


_DRAW: dict[str, Callable[[tuple[int, int], torch.Generator], Tensor]] = {
    "normal": _normal,
    "uniform": _uniform,
    "laplace": _laplace,
    "truncated": _truncated,
    "sphere": _sphere,
}
_VARIANCE = {"normal": 1.0, "uniform": 1 / 3, "laplace": 1.0, "truncated": 0.7737413, "sphere": 1.0}


@dataclass(frozen=True)
class Prior:
    """A distribution of latents z (N, size), with labels when there are classes.

    Kinds: `normal` N(0, 1); `uniform` on [-1, 1], as in DCGAN (Radford 2015, arXiv 1511.06434);
    `laplace` of variance 1; `truncated`, N(0, 1) within two standard deviations (Brock 2018,
    arXiv 1809.11096); `sphere`, uniform on the sphere of radius sqrt(size) (Karras 2018, arXiv 1710.10196).
    """

    size: int
    kind: str = "normal"
    classes: int = 0

    def __post_init__(self) -> None:
        if self.kind not in _DRAW:
            raise ParameterError(f"prior={self.kind!r}: must be one of {', '.join(get_args(PriorKind))}.")

    @property
    def variance(self) -> float:
        """Variance of one number of a latent."""
        return _VARIANCE[self.kind]

    def sample(
        self, n: int, *, generator: torch.Generator, device: torch.device | str = "cpu"
    ) -> tuple[Tensor, Tensor]:
        """Draw latents (n, size) and labels (n,), uniform over the classes, 0 without classes."""
        z = _DRAW[self.kind]((n, self.size), generator)
        labels = torch.zeros(n, dtype=torch.int64, device=generator.device)
        if self.classes:
            labels = torch.randint(self.classes, (n,), generator=generator, device=generator.device)
        return to_device(z, device), to_device(labels, device)

    def columns(self, n: int) -> int:
        """Return the columns of a sample grid of n images: near a square, or as `grid` lays classes out."""
        return math.ceil(n / self.classes) if self.classes else math.ceil(math.sqrt(n))

    def grid(
        self, n: int, *, generator: torch.Generator, device: torch.device | str = "cpu"
    ) -> tuple[Tensor, Tensor]:
        """Draw the latents of a sample grid.

        Without classes: n latents. With classes: one row per class, the same latents in each row, as many
        columns as give at least n images.
        """
        if not self.classes:
            return self.sample(n, generator=generator, device=device)
        columns = self.columns(n)
        z, _ = Prior(self.size, self.kind).sample(columns, generator=generator, device=device)
        labels = torch.arange(self.classes, device=device).repeat_interleave(columns)
        return z.repeat(self.classes, 1), labels


def interpolate(start: Tensor, end: Tensor, steps: int, *, spherical: bool = False) -> Tensor:
    """Return `steps` latents (steps, size) on the way from `start` (size,) to `end` (size,), ends included.

    Straight, or along the great circle with the length changing evenly (slerp; White 2016,
    arXiv 1609.04468): a straight way passes through lengths that a normal prior hardly ever draws.
    """
    t = torch.linspace(0, 1, steps, device=start.device)[:, None]
    if not spherical:
        return start + t * (end - start)
    cosine = torch.dot(start / start.norm(), end / end.norm()).clamp(-1, 1)
    angle = torch.arccos(cosine)
    if angle < 1e-4 or math.pi - angle < 1e-3:  # no way, or all of them, lie on the circle between opposites
        return start + t * (end - start)
    direction = torch.sin((1 - t) * angle) * start / start.norm() + torch.sin(t * angle) * end / end.norm()
    return direction / torch.sin(angle) * (start.norm() + t * (end.norm() - start.norm()))


def traverse(z: Tensor, dimension: int, values: Tensor) -> Tensor:
    """Return copies of the latent z (size,) with one dimension set to each of `values` (K,): (K, size)."""
    changed = z.repeat(len(values), 1)
    changed[:, dimension] = values.to(z)
    return changed
