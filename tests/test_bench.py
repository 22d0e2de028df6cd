"""The benchmark's arithmetic and its plain side; nothing is timed here."""

import pytest
import torch
from torch import nn

from ganutils import cli
from ganutils.bench.peak import count_flops
from ganutils.bench.plain import as_published, loop
from ganutils.bench.rows import Row
from ganutils.bench.scaling import Point, fit, markdown
from ganutils.bench.workloads import WORKLOADS, untrained
from ganutils.data import load_dataset
from ganutils.variants import build, dcgan, siamese


def test_a_row_shows_medians_and_the_extremes_of_paired_ratios():
    row = Row("DCGAN", "images/s", base=[100, 200, 100], ours=[250, 300, 200], note="here")
    assert row.ratios == [2.5, 1.5, 2.0]
    assert row.cells() == ["DCGAN", "images/s", "100", "250", "2.00x (1.50 to 2.50)", "here"]
    assert Row("start", "s", ours=[3.0]).cells() == ["start", "s", "", "3", "", ""]


@pytest.mark.parametrize("width", [4, 6])
def test_the_arithmetic_of_dcgan_is_counted_as_by_hand(width):
    update = untrained(dcgan.Params(dataset="shapes", n_images=16, batch_size=8, width=width, device="cpu"))
    first = 2 * 16 * 16 * 3 * 16 * width
    middle = 2 * (8 * 8 * 2 + 4 * 4 * 8) * 16 * width**2
    seed = 2 * 100 * 16 * 4 * width
    discriminator, generator = first + middle + 2 * 16 * 4 * width, seed + middle + first
    # Forwards: G once, D three times. Backwards: D's weights twice, G's once, and D's input in G's turn;
    # nobody asks for gradients of real or detached images and of latents.
    each = 3 * generator + 8 * discriminator - 2 * first - seed
    assert count_flops(update) == 8 * each


def test_the_line_through_exact_points_is_found():
    points = [Point("width", value, 0.002 + 3e-12 * value * 1e9, value * 1e9) for value in (1, 2, 8)]
    assert fit(points) == pytest.approx((0.002, 3e-12))
    assert "2.0 ms and 3.00 ms a GFLOP" in markdown(points)


@pytest.mark.parametrize("head", ["difference", "concat"])
def test_pairs_judged_one_after_the_other_have_the_same_logits(toy_data, head):
    gan = build(siamese.Params(classes="", width=4, hidden=8, head=head), toy_data)
    images = torch.randn(2, 8, 3, 32, 32)
    with torch.no_grad():
        ours = gan.discriminator(*images)
        plain = as_published(gan).discriminator(*images)
    for logits, others in zip(ours, plain, strict=True):
        torch.testing.assert_close(logits, others)


def test_the_plain_side_has_plain_layers_and_learns():
    params = dcgan.Params(dataset="shapes", n_images=32, batch_size=8, width=4, network="dense")
    dataset = load_dataset(params)
    gan = build(params, dataset)
    before = [weight.clone() for weight in (*gan.generator.parameters(), *gan.discriminator.parameters())]
    told = next(loop(gan, params, dataset))
    after = [*gan.generator.parameters(), *gan.discriminator.parameters()]
    assert not any(torch.equal(*pair) for pair in zip(before, after, strict=True))
    assert {"d_real", "d_fake", "g_fake"} <= told.keys()
    assert sum(isinstance(layer, nn.Dropout) for layer in gan.discriminator.modules()) == 2


def test_every_workload_has_valid_parameters_and_fills_its_slices():
    for workload in WORKLOADS.values():
        params = workload.params("here", "fp32")
        assert params.n_images == workload.updates * params.batch_size
        assert workload.updates % params.d_steps == 0


def test_an_unknown_workload_is_refused(capsys):
    assert cli.main(["bench", "dcgan-65"]) == 1
    assert "no workload 'dcgan-65', did you mean 'dcgan-64'?" in capsys.readouterr().err
