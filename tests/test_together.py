"""Two batches in one pass are two passes."""

import pytest
import torch
from test_update import CASES
from torch import nn

from ganutils import together, variants
from ganutils.data import Batch
from ganutils.layers import CheapDropout
from ganutils.together import ApartBatchNorm2d, both, one_by_one
from ganutils.variants.dcgan import conv_discriminator


def test_statistics_are_those_of_each_batch_by_itself():
    first, second = torch.randn(5, 3, 4, 4), 3 + 2 * torch.randn(5, 3, 4, 4)
    ours, theirs = ApartBatchNorm2d(3), nn.BatchNorm2d(3)
    for found, expected in zip(both(ours, first, second), (theirs(first), theirs(second)), strict=True):
        assert torch.equal(found, expected)
    for name, buffer in theirs.named_buffers():  # the second batch moved them last
        assert torch.equal(ours.get_buffer(name), buffer)
    assert together._batches.value == 1
    assert torch.equal(ours(first), theirs(first))


def test_a_mistake_in_the_network_leaves_no_trace():
    with pytest.raises(RuntimeError):
        both(nn.Linear(2, 2), torch.ones(2, 3), torch.ones(2, 3))
    assert together._batches.value == 1


@pytest.mark.parametrize("batch_norm", [True, False])
def test_outputs_and_gradients_of_a_discriminator_are_those_of_two_passes(batch_norm):
    torch.manual_seed(0)
    network = conv_discriminator(32, 4, batch_norm=batch_norm).double()
    first, second = torch.randn(2, 6, 3, 32, 32, dtype=torch.float64, requires_grad=True)
    found = []
    for way in (torch.enable_grad, one_by_one):
        with way():
            outputs = both(network, first, second)
        loss = (outputs[0] - outputs[1].square()).sum()
        found.append([*outputs, *torch.autograd.grad(loss, [first, second, *network.parameters()])])
    torch.testing.assert_close(found[0], found[1])


@pytest.mark.parametrize(("name", "values"), CASES)
def test_every_objective_judges_both_as_in_two_passes(toy_data, name, values):
    """In fp32, without what differs on purpose: dropout's random numbers and steps of spectral norm."""
    params = variants.get(name).Params(
        **{"width": 4, "batch_size": 8, "device": "cpu", **values, "classes": ""}
    )
    told = []
    for way in (torch.enable_grad, one_by_one):
        torch.manual_seed(0)
        gan = variants.build(params, toy_data)
        for layer in gan.discriminator.modules():
            if isinstance(layer, CheapDropout):
                layer.dropped = 0
            if hasattr(layer, "_power_method"):
                layer.eval()
        real, fake = (Batch(images, torch.arange(8) % 2) for images in torch.randn(2, 8, 3, 32, 32))
        with way():
            terms = gan.objective.discriminator_terms(gan.discriminator, real, fake)
        told.append({**terms.losses, **terms.watched})
    torch.testing.assert_close(told[0], told[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("name", "values"), CASES)
def test_real_and_generated_images_pass_together(toy_data, name, values):
    """Once for the discriminator; in the generator's turn nothing passes in a batch with real images."""
    params = variants.get(name).Params(
        **{"width": 4, "batch_size": 8, "device": "cpu", **values, "classes": ""}
    )
    gan, sizes = variants.build(params, toy_data), []
    first = next(layer for layer in gan.discriminator.modules() if isinstance(layer, nn.Conv2d))
    first.register_forward_hook(lambda layer, given, found: sizes.append(len(found)))
    images, labels = torch.randn(2, 8, 3, 32, 32), torch.arange(8) % 2
    real, fake = Batch(images[0], labels), Batch(images[1], labels)
    gan.objective.discriminator_terms(gan.discriminator, real, fake)
    is_first_of_two = values.get("head") == "concat"
    assert sizes[0] == (8 if is_first_of_two else 16)
    sizes.clear()
    gan.objective.generator_terms(gan.discriminator, real, Batch(images[1].requires_grad_(), labels))
    assert set(sizes) == {8}
