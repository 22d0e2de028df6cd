import math

import pytest
import torch
from torch import nn

from ganutils import latents
from ganutils.errors import ParameterError, RunError
from ganutils.prior import Prior
from ganutils.variants import acgan, dcgan

KINDS = ["normal", "uniform", "laplace", "truncated", "sphere"]


class Linear(nn.Module):
    """Images W z of 2 x 2 pixels; labels shift them."""

    def __init__(self, size=3):
        super().__init__()
        self.dense = nn.Linear(size, 12)

    def forward(self, z, labels):
        return self.dense(z).reshape(-1, 3, 2, 2) + labels[:, None, None, None]


def scores(n, size, seed=0):
    return torch.randn(n, size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("variance", [1.0, 1 / 3])
def test_every_prior_gets_the_variance_asked_for(kind, variance):
    z = latents.from_normal(scores(4000, 50), kind, variance)
    assert z.mean().item() == pytest.approx(0, abs=0.01)
    assert z.var().item() == pytest.approx(variance, rel=0.015)


@pytest.mark.parametrize("kind", KINDS)
def test_from_normal_draws_from_the_prior_of_that_name(kind):
    """Largest gap of the two empirical distribution functions; 1.63 sqrt(2/n) is its 1 per cent level."""
    prior, n = Prior(20, kind), 1000 * 20
    drawn, _ = prior.sample(1000, generator=torch.Generator().manual_seed(1))
    made = latents.from_normal(scores(1000, 20), kind, prior.variance)
    order = torch.cat([drawn.flatten(), made.flatten()]).argsort()
    gap = torch.where(order < n, 1.0, -1.0).cumsum(0).abs().max() / n
    assert gap < 1.63 * math.sqrt(2 / n)


@pytest.mark.parametrize("kind", ["uniform", "laplace", "truncated"])
def test_quantiles_and_signs_are_kept(kind):
    s = torch.linspace(-8, 8, 101)[:, None]
    z = latents.from_normal(s, kind)
    assert torch.isfinite(z).all()
    assert (z.diff(dim=0) >= 0).all()
    torch.testing.assert_close(z, -z.flip(0))


def test_normal_and_sphere_in_closed_form():
    s = scores(5, 4)
    assert torch.equal(latents.from_normal(s, "normal"), s)
    torch.testing.assert_close(latents.from_normal(s, "sphere", 9.0), 6 * s / s.norm(dim=1, keepdim=True))
    with pytest.raises(ParameterError, match="must be one of"):
        latents.from_normal(s, "cauchy")


def test_effects_of_a_linear_generator_are_its_columns():
    generator, z = Linear(), scores(5, 3)
    effect = latents.effects(generator, z, torch.zeros(5, dtype=torch.int64), step=0.7)
    expected = 127.5 * generator.dense.weight.abs().mean(dim=0)
    torch.testing.assert_close(effect, expected[:, None].expand(3, 5).detach(), rtol=1e-4, atol=1e-4)
    assert latents.ranking(effect) == expected.argsort(descending=True).tolist()


def test_effects_along_directions_and_ties():
    generator, z, labels = Linear(), scores(4, 3), torch.zeros(4, dtype=torch.int64)
    direction = torch.tensor([[0.6, 0.0, 0.8]])
    effect = latents.effects(generator, z, labels, direction)
    expected = 127.5 * (generator.dense.weight @ direction[0]).abs().mean()
    torch.testing.assert_close(effect.mean(), expected.detach(), rtol=1e-4, atol=1e-4)
    assert latents.ranking(torch.tensor([[1.0], [2.0], [1.0]])) == [1, 0, 2]


def test_pixel_statistics_by_hand():
    images = torch.zeros(2, 3, 2, 2, dtype=torch.uint8)
    images[1, :, 0] = 200  # half of the second image's pixels
    found = latents.pixel_statistics(images)
    assert found.mean == 50
    assert found.deviation == pytest.approx(math.sqrt(0.25 * 200**2 - 50**2))
    assert found.brightness == pytest.approx(100 / math.sqrt(2))
    assert found.contrast == 50
    assert latents.contrast(images).tolist() == [0, 100]


def test_diversity_by_hand_and_its_invariances():
    images = torch.zeros(3, 3, 2, 2, dtype=torch.uint8)
    images[2] = 255
    distance = math.sqrt(12 * 4)  # each of 12 numbers differs by 2
    mean, error = latents.diversity(images)
    assert mean == pytest.approx(2 / 3 * distance)
    own = torch.tensor([distance / 2, distance / 2, distance])
    assert error == pytest.approx(2 * own.std().item() / math.sqrt(3))
    assert latents.diversity(images.flip(0)) == pytest.approx((mean, error))
    assert latents.diversity(images[:1].repeat(4, 1, 1, 1)) == (0, 0)


def test_the_error_of_diversity_is_that_of_repeated_draws():
    draws = torch.Generator().manual_seed(0)
    found = [
        latents.diversity(torch.randint(0, 256, (40, 3, 1, 1), generator=draws).to(torch.uint8))
        for _ in range(200)
    ]
    means, errors = torch.tensor(found).T
    assert errors.mean().item() == pytest.approx(means.std().item(), rel=0.2)


def test_first_layer_of_dense_and_convolutional_generators():
    for network in ("conv", "dense"):
        gan = dcgan.build(dcgan.Params(network=network, width=4, latent_size=7), 2)
        layer = gan.generator.layers[1 if network == "conv" else 0]
        weight = layer.weight.flatten(1).T if network == "conv" else layer.weight
        matrix = latents.first_layer(gan.generator, 7)
        torch.testing.assert_close(matrix, weight.detach().double())


@pytest.mark.parametrize(("condition", "columns"), [("concat", 7 + 5), ("product", 7)])
def test_first_layer_of_a_conditional_generator_is_that_of_its_label(condition, columns):
    generator = acgan.build(acgan.Params(width=4, latent_size=7, condition=condition), 5).generator
    weight = generator.layers[1].weight.flatten(1).T.detach().double()
    assert weight.shape[1] == columns
    for label in (0, 4):
        scale = generator.embedding.weight[label].detach().double() if condition == "product" else 1
        torch.testing.assert_close(
            latents.first_layer(generator, 7, label=label), weight[:, :7] * scale, rtol=1e-5, atol=1e-6
        )


def test_first_layer_skips_layers_that_do_not_see_the_latent():
    class Conditional(Linear):
        def __init__(self):
            super().__init__()
            self.of_label = nn.Linear(1, 1)

        def forward(self, z, labels):
            return super().forward(z, self.of_label(labels[:, None].float())[:, 0])

    generator = Conditional()
    torch.testing.assert_close(
        latents.first_layer(generator, 3), generator.dense.weight.detach().double(), rtol=1e-5, atol=1e-6
    )


def test_no_matrix_without_a_linear_first_layer():
    class Bent(Linear):
        def forward(self, z, labels):
            return super().forward(z**3, labels)

    with pytest.raises(RunError, match="has no matrix"):
        latents.first_layer(Bent(), 3)
    with pytest.raises(RunError, match="answers to its latent"):
        latents.first_layer(Deaf(), 3)


class Deaf(nn.Module):
    """Gives the same image for every latent."""

    def forward(self, z, labels):
        return torch.zeros(len(z), 3, 2, 2)


def known_matrix():
    """Return U diag(5, 3, 1) V^T and V^T, whose rows are the right singular vectors."""
    left, _ = torch.linalg.qr(scores(10, 3, seed=1).double())
    right, _ = torch.linalg.qr(scores(3, 3, seed=2).double())
    return left @ torch.diag(torch.tensor([5.0, 3.0, 1.0], dtype=torch.float64)) @ right.T, right.T.float()


def test_factorisation_gives_the_right_singular_vectors():
    matrix, vectors = known_matrix()
    found = latents.factorise(matrix, 2)
    torch.testing.assert_close((found.vectors @ vectors.T).abs(), torch.eye(3)[:2], atol=1e-5, rtol=0)
    torch.testing.assert_close(found.shares, torch.tensor([25.0, 9.0], dtype=torch.float64) / 35)
    assert (found.vectors.abs().max(dim=1).values == found.vectors.max(dim=1).values).all()


def test_components_of_a_white_prior_are_those_of_the_factorisation():
    matrix, _ = known_matrix()
    pca = latents.principal_components(matrix, scores(20_000, 3), 3)
    sefa = latents.factorise(matrix, 3)
    torch.testing.assert_close((pca.vectors * sefa.vectors).sum(dim=1), torch.ones(3), atol=1e-3, rtol=0)
    torch.testing.assert_close(pca.shares, sefa.shares, atol=0.01, rtol=0)


def test_components_recover_the_axes_along_which_latents_vary():
    """The identity as first layer: components are then those of the latents themselves."""
    turn, _ = torch.linalg.qr(scores(4, 4, seed=3))
    z = scores(5000, 4) * torch.tensor([1.0, 8.0, 2.0, 4.0]) @ turn.T + 10
    found = latents.principal_components(torch.eye(4), z, 4)
    torch.testing.assert_close((found.vectors @ turn[:, [1, 3, 2, 0]]).abs(), torch.eye(4), atol=0.03, rtol=0)
    torch.testing.assert_close(
        found.shares, torch.tensor([64.0, 16, 4, 1], dtype=torch.float64) / 85, rtol=0.1, atol=0
    )


def test_components_do_not_depend_on_where_latents_lie_or_how_long_they_are():
    matrix, _ = known_matrix()
    first = latents.principal_components(matrix, scores(500, 3), 2)
    second = latents.principal_components(matrix, 3 * scores(500, 3) - 7, 2)
    torch.testing.assert_close(first.vectors, second.vectors, rtol=1e-4, atol=1e-5)


def test_directions_turn_to_the_side_of_others():
    some = latents.Directions(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.ones(2))
    others = latents.Directions(torch.tensor([[-1.0, 0.1], [0.1, 1.0]]), torch.ones(2))
    assert some.turned_like(others).vectors.tolist() == [[-1, 0], [0, 1]]
