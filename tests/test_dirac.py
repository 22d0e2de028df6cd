"""Dirac-GAN (Mescheder 2018, arXiv 1801.04406): real data at 0, the generator's at theta, D(x) = psi x.

Every objective's gradients have closed forms in t = psi theta.
"""

from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch

from ganutils import variants
from ganutils.data import Batch
from ganutils.objective import Objective
from ganutils.variants.acgan import AuxiliaryClassifier
from ganutils.variants.dcgan import NonSaturating
from ganutils.variants.siamese import PairLoss
from ganutils.variants.wgan import Wasserstein

PSI, THETA = 0.7, 1.3
LIKELY = torch.sigmoid(torch.tensor(PSI * THETA)).item()  # sigmoid(t); 1 - LIKELY is sigmoid(-t)


class Game(NamedTuple):
    variant: str
    objective: Objective
    discriminator: Callable  # of psi: what the objective calls
    by_psi: float  # gradient of the discriminator's loss
    by_theta: float  # gradient of the generator's


def linear(psi):
    return lambda images: psi * images[:, 0]


def two_heads(psi):
    """Return the source logit psi x, and class logits 0 and psi x."""
    source = linear(psi)
    return lambda images: (
        source(images),
        torch.stack([torch.zeros_like(source(images)), source(images)], dim=1),
    )


def pairs(psi):
    """Return psi times the distance of the pair, which is 0 for two real points."""

    def logits(real, fake):
        distances = (real - real.roll(1, 0)).abs(), (real - fake).abs()
        return tuple(psi * distance[:, 0] for distance in distances)

    return logits


GAMES = [
    Game("dcgan", NonSaturating(), linear, THETA * LIKELY, -PSI * (1 - LIKELY)),
    Game("wgan", Wasserstein(), linear, THETA, -PSI),
    Game("wgan", Wasserstein(penalty=10.0), linear, THETA + 20 * (PSI - 1), -PSI),
    Game(  # the generated image is of class 1, the real one of class 0
        "acgan", AuxiliaryClassifier(), two_heads, THETA * (2 * LIKELY - 1), -2 * PSI * (1 - LIKELY)
    ),
    Game("acgan", AuxiliaryClassifier(class_weight=0.0), two_heads, THETA * LIKELY, -PSI * (1 - LIKELY)),
    Game("siamese", PairLoss(), pairs, THETA * LIKELY, -PSI * (1 - LIKELY)),
]


def test_every_variant_has_its_closed_form():
    assert {game.variant for game in GAMES} == set(variants.names())


@pytest.mark.parametrize("game", GAMES, ids=lambda game: f"{game.variant}-{game.objective}")
def test_gradients_are_the_closed_forms(game):
    psi, theta = torch.tensor(PSI, requires_grad=True), torch.tensor(THETA, requires_grad=True)
    real = Batch(torch.zeros(1, 1), torch.tensor([0]))
    fake = Batch(theta.reshape(1, 1), torch.tensor([1]))
    d_terms = game.objective.discriminator_terms(
        game.discriminator(psi), real, Batch(fake.images.detach(), fake.labels)
    )
    g_terms = game.objective.generator_terms(game.discriminator(psi), real, fake)
    assert torch.autograd.grad(d_terms.total, psi)[0].item() == pytest.approx(game.by_psi, rel=1e-5)
    assert torch.autograd.grad(g_terms.total, theta)[0].item() == pytest.approx(game.by_theta, rel=1e-5)
