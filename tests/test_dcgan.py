import pytest
import torch

from ganutils.summary import count, layer_table, trainable
from ganutils.variants.dcgan import Params, build


def sizes(network, *inputs):
    return [parameters for _, _, parameters in layer_table(network, *inputs)[:-1] if parameters]


def test_conv_64_has_the_published_size():
    gan = build(Params(image_size=64), classes=10)
    assert trainable(gan.generator) == 3_576_704
    assert trainable(gan.discriminator) == 2_765_568


def test_conv_64_shapes_stage_by_stage():
    gan = build(Params(image_size=64), classes=10)
    table = layer_table(gan.generator, torch.zeros(2, 100))
    stages = [shape for layer, shape, _ in table if layer.startswith("ConvTranspose")]
    assert stages == ["512x4x4", "256x8x8", "128x16x16", "64x32x32", "3x64x64"]
    table = layer_table(gan.discriminator, torch.zeros(2, 3, 64, 64))
    stages = [shape for layer, shape, _ in table if layer.startswith("Conv2d")]
    assert stages == ["64x32x32", "128x16x16", "256x8x8", "512x4x4", "1x1x1"]
    assert sum(layer.startswith("BatchNorm") for layer, _, _ in table) == 3


def test_conv_32_is_one_stage_shorter():
    gan = build(Params(), classes=10)
    assert trainable(gan.generator) == 100 * 256 * 16 + (256 * 128 + 128 * 64 + 64 * 3) * 16 + 2 * (
        256 + 128 + 64
    )
    assert trainable(gan.discriminator) == (3 * 64 + 64 * 128 + 128 * 256 + 256) * 16 + 2 * (128 + 256)


def test_dense_has_the_published_size_layer_by_layer():
    gan = build(Params(network="dense"), classes=10)
    assert sizes(gan.generator, torch.zeros(2, 100)) == [1_638_400, 65_536, 819_200, 512, 204_800, 256, 4_800]
    assert count(gan.generator) == 2_733_504
    assert sizes(gan.discriminator, torch.zeros(2, 3, 32, 32)) == [4_864, 204_928, 8_193]


@pytest.mark.parametrize(("network", "size"), [("conv", 32), ("conv", 64), ("dense", 32)])
def test_ranges_and_shapes(network, size):
    gan = build(Params(network=network, image_size=size, width=8), classes=10)
    z, labels = gan.prior.sample(5, generator=torch.Generator().manual_seed(0))
    images = gan.generator(z, labels)
    assert images.shape == (5, 3, size, size)
    assert images.abs().max() <= 1
    assert gan.discriminator(images).shape == (5,)
    conv_biases = [m.bias for m in gan.generator.modules() if isinstance(m, torch.nn.ConvTranspose2d)]
    assert all(bias is None for bias in conv_biases)


def test_layer_table_ends_with_the_total():
    gan = build(Params(network="dense"), classes=10)
    assert layer_table(gan.generator, torch.zeros(2, 100))[-1] == ("Total", "", 2_733_504)


def test_the_layer_table_takes_inputs_of_another_device():
    """As when its cell is run again after a training on a GPU."""
    gan = build(Params(), 1)
    table = layer_table(gan.generator, torch.zeros(2, 100))
    assert layer_table(gan.generator.to("meta"), torch.zeros(2, 100)) == table


def test_spectral_norm_bounds_each_layer_and_keeps_the_table():
    plain, spectral = (build(Params(d_norm=norm), classes=10).discriminator for norm in ("none", "spectral"))
    tables = [layer_table(network, torch.zeros(2, 3, 32, 32)) for network in (plain, spectral)]
    assert [row[1:] for row in tables[0]] == [row[1:] for row in tables[1]]
    assert tables[1][0][0] == "Spectral Conv2d 4x4, stride 2, bias"
    for _ in range(50):
        spectral(torch.zeros(2, 3, 32, 32))
    for layer in spectral:
        if isinstance(layer, torch.nn.Conv2d):
            assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.02)


def test_first_logits_are_near_zero():
    gan = build(Params(network="dense"), classes=10)
    images = torch.rand(16, 3, 32, 32) * 2 - 1
    assert gan.discriminator(images).abs().max() < 0.5
