import math

import pytest
import torch

from ganutils.data import Batch
from ganutils.summary import trainable
from ganutils.variants.siamese import PairLoss, Params, build


def batch(values):
    return Batch(torch.tensor(values), torch.zeros(len(values), dtype=torch.int64))


def test_pairs_and_losses_by_hand():
    """A discriminator that returns first - second shows who is paired with whom."""
    seen = []

    def discriminator(first, second):
        seen.append((first.tolist(), second.tolist()))
        return torch.zeros(len(first))

    objective = PairLoss(label_smoothing=0.1)
    terms = objective.discriminator_terms(discriminator, batch([1.0, 2.0, 3.0]), batch([7.0, 8.0, 9.0]))
    assert seen[0] == ([1.0, 2.0, 3.0], [3.0, 1.0, 2.0])
    assert seen[1] == ([1.0, 2.0, 3.0], [7.0, 8.0, 9.0])
    assert terms.losses["d_real"].item() == pytest.approx(math.log(2))
    g_terms = objective.generator_terms(discriminator, batch([1.0, 2.0, 3.0]), batch([7.0, 8.0, 9.0]))
    assert g_terms.total.item() == pytest.approx(math.log(2))
    assert seen[2] == seen[1]


def test_real_target_is_smoothed_for_the_discriminator_alone():
    objective = PairLoss(label_smoothing=0.1)
    confident = lambda first, second: torch.full((len(first),), 5.0)  # noqa: E731
    d_terms = objective.discriminator_terms(confident, batch([1.0]), batch([1.0]))
    softplus = math.log1p(math.exp(-5))
    assert d_terms.losses["d_real"].item() == pytest.approx(0.9 * softplus + 0.1 * (softplus + 5), rel=1e-5)
    assert objective.generator_terms(confident, batch([1.0]), batch([1.0])).total.item() == pytest.approx(
        softplus, rel=1e-4
    )


@pytest.fixture
def pairs():
    return torch.randn(2, 6, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_difference_head_is_symmetric_and_blind_to_equal_images(pairs):
    discriminator = build(Params(width=8), 2).discriminator.eval()
    first, second = pairs
    torch.testing.assert_close(discriminator(first, second), discriminator(second, first))
    logits = discriminator(first, first)
    torch.testing.assert_close(logits, logits[:1].expand(6))


def test_concat_head_has_branches_of_its_own(pairs):
    discriminator = build(Params(width=8, head="concat"), 2).discriminator.eval()
    first, second = pairs
    assert not torch.allclose(discriminator(first, second), discriminator(second, first))


def test_sizes():
    trunk = (3 * 64 + 64 * 128 + 128 * 256) * 16 + 2 * (128 + 256)
    features = 256 * 4 * 4
    shared, parallel = (build(Params(head=head), 2).discriminator for head in ("difference", "concat"))
    assert trainable(shared) == trunk + (features + 1) * 256 + 257
    assert trainable(parallel) == 2 * trunk + (2 * features + 1) * 256 + 257
