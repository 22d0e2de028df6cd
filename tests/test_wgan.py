import pytest
import torch
from torch import nn

from ganutils.data import Batch
from ganutils.objective import gradient_norms
from ganutils.summary import layer_table, trainable
from ganutils.variants.wgan import Params, Wasserstein, build


def batch(values):
    images = torch.as_tensor(values, dtype=torch.float32).reshape(-1, 1)
    return Batch(images, torch.zeros(len(images), dtype=torch.int64))


def linear_critic(psi):
    """C(x) = psi * x of the Dirac-GAN (Mescheder 2018, arXiv 1801.04406)."""
    return lambda images: psi * images[:, 0]


def test_losses_by_hand():
    terms = Wasserstein().discriminator_terms(linear_critic(2.0), batch([1.0, 3.0]), batch([-1.0, 0.0]))
    assert {name: value.item() for name, value in terms.losses.items()} == {"d_real": -4.0, "d_fake": -1.0}
    assert terms.watched["distance"].item() == 5.0
    assert Wasserstein().generator_terms(linear_critic(2.0), batch([0.0]), batch([3.0])).total.item() == -6.0


def test_penalty_of_a_linear_critic_is_its_closed_form():
    torch.manual_seed(0)
    weight = torch.randn(3 * 4 * 4, requires_grad=True)
    real, fake = (Batch(torch.randn(6, 3, 4, 4), torch.zeros(6, dtype=torch.int64)) for _ in range(2))
    terms = Wasserstein(penalty=10.0).discriminator_terms(lambda x: x.flatten(1) @ weight, real, fake)
    penalty = terms.losses["d_penalty"]
    norm = weight.detach().norm()
    torch.testing.assert_close(penalty.detach(), 10 * (norm - 1).square())
    torch.testing.assert_close(terms.watched["slope"], norm)
    (gradient,) = torch.autograd.grad(penalty, weight)
    torch.testing.assert_close(gradient, 20 * (norm - 1) * weight.detach() / norm)


def test_points_lie_between_real_and_fake():
    """For C(x) = x^2 / 2 the gradient is the point itself."""
    real, fake = torch.full((500, 1), 2.0), torch.full((500, 1), 1.0)
    norms = gradient_norms(lambda x: x.square().sum(1) / 2, real, fake)
    assert 1 <= norms.min() < 1.05
    assert 1.95 < norms.max() <= 2


def test_clipping_keeps_every_weight_in_bounds_and_counts_the_bound():
    critic = nn.Linear(10, 1, bias=False)
    with torch.no_grad():
        critic.weight.copy_(torch.tensor([[-1.0, -0.01, -0.004, 0.0, 0.003, 0.009, 0.01, 0.2, 0.5, 7.0]]))
    objective = Wasserstein(clip=0.01)
    objective.constrain(critic)
    expected = torch.tensor([[-0.01, -0.01, -0.004, 0.0, 0.003, 0.009, 0.01, 0.01, 0.01, 0.01]])
    assert torch.equal(critic.weight.detach(), expected)
    images = Batch(torch.zeros(2, 10), torch.zeros(2, dtype=torch.int64))
    assert objective.discriminator_terms(critic, images, images).watched["at_bound"].item() == pytest.approx(
        0.6
    )


def test_weights_at_the_bound_are_counted_in_every_layout():
    critic = nn.Sequential(nn.Conv2d(3, 4, 2), nn.BatchNorm2d(4)).to(memory_format=torch.channels_last)
    values = torch.linspace(-1, 1, 4 * 3 * 2 * 2).view(4, 3, 2, 2)
    with torch.no_grad():
        critic[0].weight.copy_(values)
        for other in (critic[0].bias, critic[1].weight, critic[1].bias):
            other.fill_(0.1)
    share = Wasserstein(clip=0.5)._share_at_bound(critic).item()
    assert share == pytest.approx((values.abs() >= 0.5).sum().item() / (48 + 3 * 4))


def test_constraint_chooses_the_critic():
    penalised, clipped = build(Params(), 10), build(Params(constraint="clip"), 10)
    kinds = [[type(layer).__name__ for layer in gan.discriminator.modules()] for gan in (penalised, clipped)]
    assert "ApartBatchNorm2d" not in kinds[0]
    assert kinds[1].count("ApartBatchNorm2d") == 2
    assert (penalised.objective.penalty, penalised.objective.clip) == (10.0, 0.0)
    assert (clipped.objective.penalty, clipped.objective.clip) == (0.0, 0.01)


@pytest.mark.parametrize("size", [32, 64])
def test_scores_are_not_squashed(size):
    gan = build(Params(image_size=size), 10)
    layers = [layer for layer, _, _ in layer_table(gan.discriminator, torch.zeros(2, 3, size, size))[:-1]]
    assert layers[-2].startswith("Conv2d")
    assert "Sigmoid" not in layers
    if size == 32:
        assert trainable(gan.discriminator) == (3 * 64 + 64 * 128 + 128 * 256 + 256) * 16 + (
            64 + 128 + 256 + 1
        )


def test_defaults_are_the_published_ones():
    params = Params()
    assert (params.learning_rate, params.beta1, params.beta2, params.d_steps) == (1e-4, 0, 0.9, 5)
