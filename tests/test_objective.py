import math

import torch

from ganutils.data import Batch
from ganutils.objective import Terms, bce_fake, bce_real, probability
from ganutils.variants.dcgan import NonSaturating


def test_bce_by_hand():
    logits = torch.tensor([0.0, math.log(3)])  # probabilities 1/2 and 3/4
    assert math.isclose(bce_real(logits).item(), (math.log(2) + math.log(4 / 3)) / 2, rel_tol=1e-6)
    assert math.isclose(bce_fake(logits).item(), (math.log(2) + math.log(4)) / 2, rel_tol=1e-6)
    smoothed = 0.9 * (math.log(2) + math.log(4 / 3)) / 2 + 0.1 * (math.log(2) + math.log(4)) / 2
    assert math.isclose(bce_real(logits, 0.1).item(), smoothed, rel_tol=1e-6)
    assert math.isclose(probability(logits).item(), (0.5 + 0.75) / 2, rel_tol=1e-6)


def test_bce_stays_finite_and_exact_far_out():
    assert bce_real(torch.tensor([200.0])).item() == 0
    assert bce_real(torch.tensor([-200.0])).item() == 200
    assert bce_fake(torch.tensor([200.0])).item() == 200


def test_total_is_the_sum():
    assert (
        Terms({"a": torch.tensor(1.5), "b": torch.tensor(2.0)}, {"c": torch.tensor(9.0)}).total.item() == 3.5
    )


def dirac(psi):
    """Discriminator D(x) = psi * x of the Dirac-GAN (Mescheder 2018, arXiv 1801.04406), data at 0."""
    return lambda images: psi * images[:, 0]


def test_dirac_gan_gradients_of_the_non_saturating_objective():
    """With t = psi * theta: dL_D/dpsi = theta * sigmoid(t), dL_G/dtheta = -psi * sigmoid(-t)."""
    psi = torch.tensor(0.7, requires_grad=True)
    theta = torch.tensor(1.3, requires_grad=True)
    labels = torch.zeros(1, dtype=torch.int64)
    real, fake = Batch(torch.zeros(1, 1), labels), Batch(theta.reshape(1, 1), labels)
    objective = NonSaturating()
    detached = Batch(fake.images.detach(), labels)
    (by_psi,) = torch.autograd.grad(objective.discriminator_terms(dirac(psi), real, detached).total, psi)
    (by_theta,) = torch.autograd.grad(objective.generator_terms(dirac(psi), real, fake).total, theta)
    product = (psi * theta).detach()
    torch.testing.assert_close(by_psi, theta.detach() * torch.sigmoid(product))
    torch.testing.assert_close(by_theta, -psi.detach() * torch.sigmoid(-product))
