import math

import pytest
import torch

from ganutils.data import Batch
from ganutils.summary import layer_table, trainable
from ganutils.variants.siamese import PairLoss, Params, build


def batch(values):
    return Batch(torch.tensor(values), torch.zeros(len(values), dtype=torch.int64))


def pair_logits(positive, negative):
    return lambda real, fake: (torch.full_like(real, positive), torch.full_like(fake, negative))


def test_losses_by_hand():
    """Positive pairs are real with probability 3/4, negative ones with 1/3."""
    discriminator = pair_logits(math.log(3), math.log(1 / 2))
    real, fake = batch([1.0, 2.0]), batch([7.0, 8.0])
    terms = PairLoss(label_smoothing=0.0).discriminator_terms(discriminator, real, fake)
    assert terms.losses["d_real"].item() == pytest.approx(math.log(4 / 3))
    assert terms.losses["d_fake"].item() == pytest.approx(math.log(3 / 2))
    assert terms.watched["D(x,x')"].item() == pytest.approx(3 / 4)
    assert terms.watched["D(x,G(z))"].item() == pytest.approx(1 / 3)
    g_terms = PairLoss().generator_terms(discriminator, real, fake)
    assert g_terms.total.item() == pytest.approx(math.log(3))


def test_real_target_is_smoothed_for_the_discriminator_alone():
    objective = PairLoss(label_smoothing=0.1)
    confident = pair_logits(5.0, 5.0)
    d_terms = objective.discriminator_terms(confident, batch([1.0]), batch([1.0]))
    softplus = math.log1p(math.exp(-5))
    assert d_terms.losses["d_real"].item() == pytest.approx(0.9 * softplus + 0.1 * (softplus + 5), rel=1e-5)
    assert objective.generator_terms(confident, batch([1.0]), batch([1.0])).total.item() == pytest.approx(
        softplus, rel=1e-4
    )


@pytest.fixture
def pairs():
    return torch.randn(2, 6, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def judge(discriminator, first, second):
    """The negative pairs take any second image."""
    return discriminator(first, second)[1]


@pytest.mark.parametrize("head", ["difference", "concat"])
def test_positive_pairs_are_neighbours_in_the_batch(head, pairs):
    discriminator = build(Params(width=8, head=head), 2).discriminator.eval()
    real, fake = pairs
    positive, negative = discriminator(real, fake)
    torch.testing.assert_close(positive, judge(discriminator, real, real.roll(1, 0)))
    assert positive.shape == negative.shape == (6,)
    changed = fake.clone()
    changed[0] += 1
    moved = discriminator(real, changed)
    assert torch.equal(moved[0], positive)
    assert ((moved[1] - negative).abs() > 0).tolist() == [True] + [False] * 5


def test_difference_head_is_symmetric_and_blind_to_equal_images(pairs):
    discriminator = build(Params(width=8), 2).discriminator.eval()
    first, second = pairs
    torch.testing.assert_close(judge(discriminator, first, second), judge(discriminator, second, first))
    logits = judge(discriminator, first, first)
    torch.testing.assert_close(logits, logits[:1].expand(6))


def test_concat_head_has_branches_of_its_own(pairs):
    discriminator = build(Params(width=8, head="concat"), 2).discriminator.eval()
    first, second = pairs
    assert not torch.allclose(judge(discriminator, first, second), judge(discriminator, second, first))


def test_sizes():
    trunk = (3 * 64 + 64 * 128 + 128 * 256) * 16 + 2 * (128 + 256)
    features = 256 * 4 * 4
    shared, parallel = (build(Params(head=head), 2).discriminator for head in ("difference", "concat"))
    assert trainable(shared) == trunk + (features + 1) * 256 + 257
    assert trainable(parallel) == 2 * trunk + (2 * features + 1) * 256 + 257


@pytest.mark.parametrize(("head", "branches"), [("difference", 1), ("concat", 2)])
def test_the_layer_table_counts_a_shared_layer_once(head, branches, pairs):
    discriminator = build(Params(width=8, head=head), 2).discriminator
    *rows, (_, _, total) = layer_table(discriminator, *pairs)
    assert sum(parameters for _, _, parameters in rows) == total
    assert [row[0] for row in rows].count("Conv2d 4x4, stride 2") == 3 * branches
