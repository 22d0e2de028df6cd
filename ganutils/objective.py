"""What a GAN is made of, its objective among it, and loss terms as plain functions."""

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganutils.convolutions import differentiated_twice
from ganutils.data.batches import Batch
from ganutils.prior import Prior


@dataclass
class Terms:
    """Named scalar losses, whose sum is minimised, and scalars that are only watched.

    The names become history columns and legends. Those of losses begin with `d_` or `g_`: by that the live
    picture, comparisons and the diagnosis know them. `diagnosis/curves.py` lists other names with a meaning.
    """

    losses: dict[str, Tensor]
    watched: dict[str, Tensor] = field(default_factory=dict)

    @property
    def total(self) -> Tensor:
        """Sum of the losses."""
        return sum(self.losses.values())


class Objective(Protocol):
    """Everything that makes a GAN this GAN; only the objective calls the discriminator.

    The loop gives real and fake batches of equal size; in the discriminator's turn `fake.images` carry
    no gradient, in the generator's turn the discriminator's weights are frozen. An objective computes with
    tensors alone: it neither reads their numbers (`.item()`) nor counts its calls, as on a CUDA GPU only the
    first ones are made, and then replayed. One that has to do so needs the parameter `cuda_graph=False`.
    """

    @abstractmethod
    def discriminator_terms(self, discriminator: Callable, real: Batch, fake: Batch) -> Terms:
        """Return what the discriminator minimises."""

    @abstractmethod
    def generator_terms(self, discriminator: Callable, real: Batch, fake: Batch) -> Terms:
        """Return what the generator minimises."""

    def constrain(self, discriminator: nn.Module) -> None:
        """Act on the weights after each discriminator step, as weight clipping does; nothing by default."""


class Gan(NamedTuple):
    """What `build(params, classes)` of a variant returns."""

    generator: nn.Module  # (z, labels) -> images; unconditional networks ignore labels
    discriminator: nn.Module  # whatever its objective calls
    objective: Objective
    prior: Prior


def bce_real(logits: Tensor, smoothing: float = 0.0) -> Tensor:
    """Mean binary cross-entropy with the target 1 - smoothing.

    That is -(1 - s) log sigmoid(logits) - s log(1 - sigmoid(logits)); one-sided smoothing s is
    Salimans 2016, arXiv 1606.03498, section 3.4.
    """
    loss = F.softplus(-logits.float()).mean()
    return loss if smoothing == 0 else (1 - smoothing) * loss + smoothing * bce_fake(logits)


def bce_fake(logits: Tensor) -> Tensor:
    """Mean of -log(1 - sigmoid(logits))."""
    return F.softplus(logits.float()).mean()


def probability(logits: Tensor) -> Tensor:
    """Mean of sigmoid(logits), detached: D(x) on real images, D(G(z)) on generated ones."""
    return logits.detach().float().sigmoid().mean()


def guessing(smoothing: float = 0.0) -> dict[str, float]:
    """Return where losses and answers lie when the discriminator cannot tell real from generated images.

    It then does best to give the same answer to all, D = (1 - s) / 2: the minimum over D of
    -(1 - s) log D - (1 + s) log(1 - D), `d_real` + `d_fake` with smoothing s.
    """
    answer = (1 - smoothing) / 2
    yes, no = -math.log(answer), -math.log(1 - answer)
    return {"D": answer, "d_real": (1 - smoothing) * yes + smoothing * no, "d_fake": no, "g_fake": yes}


def gradient_norms(discriminator: Callable, real: Tensor, fake: Tensor) -> Tensor:
    """Norm (N,) of the discriminator's gradient at random points between real and fake images.

    One uniform number an image places its point (Gulrajani 2017, arXiv 1704.00028, algorithm 1). The norm
    itself is taken in fp32, whatever the networks compute in.
    """
    t = torch.rand(len(real), *(1,) * (real.ndim - 1), device=real.device)
    between = torch.lerp(fake, real, t).requires_grad_()
    with differentiated_twice():
        scores = discriminator(between)
    (gradient,) = torch.autograd.grad(scores.sum(), between, create_graph=True)
    return torch.linalg.vector_norm(gradient.float(), dim=tuple(range(1, real.ndim)))
