import pytest
import torch
from torch import nn

from ganutils import layers
from ganutils.layers import (
    CheapDropout,
    LeanFlatten,
    LeanLeakyReLU,
    Reshape,
    WholeConv2d,
    WholeConvTranspose2d,
    initialise,
)
from ganutils.variants import acgan, build, dcgan, siamese


def test_initialisation():
    torch.manual_seed(0)
    network = initialise(nn.Sequential(nn.Conv2d(64, 64, 5), nn.BatchNorm2d(4000), nn.Linear(300, 300)))
    conv, norm, dense = network
    for layer in (conv, dense):
        assert layer.weight.mean().item() == pytest.approx(0, abs=3e-4)
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.02)
        assert layer.bias.eq(0).all()
    assert norm.weight.mean().item() == pytest.approx(1, abs=2e-3)
    assert norm.weight.std().item() == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("compiled", [False, True])
def test_dropout_share_and_scale(layout, compiled):
    torch.manual_seed(0)
    x = torch.ones(8, 32, 40, 40).contiguous(memory_format=layout)
    layer = CheapDropout(0.3)
    y = torch.compile(layer, backend="aot_eager")(x) if compiled else layer(x)
    dropped = round(0.3 * 256) / 256
    assert y.eq(0).float().mean().item() == pytest.approx(dropped, abs=0.003)
    assert y.mean().item() == pytest.approx(1, abs=0.005)
    assert y[y > 0].unique().item() == pytest.approx(1 / (1 - dropped))
    assert y.stride() == x.stride()


def test_dropout_gradient_is_its_mask():
    x = torch.randn(3, 7, 5, 5, requires_grad=True)
    y = CheapDropout(0.5)(x)
    y.sum().backward()
    torch.testing.assert_close(x.grad, (y / x).detach())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropout_keeps_what_its_random_bytes_say(dtype, monkeypatch):
    drawn = torch.tensor([0, 76, 77, 255], dtype=torch.uint8)
    monkeypatch.setattr(layers, "_random_bytes", lambda count, device: drawn.clone())
    found = CheapDropout(0.3)(torch.tensor([1.0, 2.0, 3.0, -4.0], dtype=dtype))
    torch.testing.assert_close(found, torch.tensor([0, 0, 3 * 256 / 179, -4 * 256 / 179], dtype=dtype))


def test_dropout_does_nothing_when_evaluating():
    x = torch.randn(2, 3)
    assert CheapDropout(0.3).eval()(x) is x


def test_reshape():
    assert Reshape(2, 3)(torch.zeros(4, 6)).shape == (4, 2, 3)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(
    ("whole", "plain", "shape"),
    [
        (WholeConv2d(6, 2, 4), torch.nn.Conv2d, (5, 6, 4, 4)),
        (WholeConvTranspose2d(6, 3, 4, bias=False), torch.nn.ConvTranspose2d, (5, 6, 1, 1)),
    ],
)
def test_a_whole_convolution_equals_the_plain_one_and_so_do_its_gradients(memory_format, whole, plain, shape):
    x = torch.randn(shape).contiguous(memory_format=memory_format).requires_grad_()
    whole = whole.to(memory_format=memory_format)
    result, expected = whole(x), plain.forward(whole, x)
    torch.testing.assert_close(result, expected)
    weights = (x, *whole.parameters())
    for found, wanted in zip(
        torch.autograd.grad(result.square().sum(), weights),
        torch.autograd.grad(expected.square().sum(), weights),
        strict=True,
    ):
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize(
    "params",
    [dcgan.Params(network="dense", width=4), acgan.Params(width=4), siamese.Params(classes="", width=4)],
    ids=["dcgan", "acgan", "siamese"],
)
def test_features_of_discriminators_are_flattened_lean(toy_data, params):
    discriminator = build(params, toy_data).discriminator
    flattened = []

    def note(layer, inputs, output):
        if inputs[0].ndim == 4:
            flattened.append(type(layer))

    for layer in discriminator.modules():
        if isinstance(layer, nn.Flatten):
            layer.register_forward_hook(note)
    images = torch.randn(6, 3, 32, 32)
    discriminator(*[images] * (2 if isinstance(params, siamese.Params) else 1))
    assert set(flattened) == {LeanFlatten}


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_features_in_a_row_have_a_gradient_in_channels_last(layout):
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64).contiguous(memory_format=layout).requires_grad_()
    flatten = LeanFlatten()
    assert torch.equal(flatten(x), x.flatten(1))
    (gradient,) = torch.autograd.grad(flatten(x).square().sum(), x)
    assert torch.equal(gradient, 2 * x)
    assert gradient.is_contiguous(memory_format=torch.channels_last)
    assert torch.autograd.gradgradcheck(lambda x: flatten(x).square(), x)
    (gradient,) = torch.autograd.grad(nn.LeakyReLU(0.2, inplace=True)(flatten(x * 1)).sum(), x)
    torch.testing.assert_close(gradient, torch.where(x > 0, 1.0, 0.2).to(x))


def test_leaky_relu_and_its_derivatives_to_second_order():
    x = torch.randn(20, dtype=torch.float64, requires_grad=True)
    leaky = LeanLeakyReLU(0.2)
    torch.testing.assert_close(leaky(x * 1), torch.where(x > 0, x, 0.2 * x))
    assert torch.autograd.gradcheck(lambda x: leaky(x * 1), x)
    assert torch.autograd.gradgradcheck(lambda x: leaky(x * 1).square(), x)


def test_nothing_goes_back_through_a_leaky_relus_second_derivative():
    """The gradient of a gradient by the input of linear layers and leaky ReLU has no path to that input."""
    reached = []
    x = torch.randn(3, 4, requires_grad=True)
    inner, outer = nn.Linear(4, 5), nn.Linear(5, 1)
    between = inner(x)
    between.register_hook(lambda gradient: reached.append(gradient))
    (gradient,) = torch.autograd.grad(outer(LeanLeakyReLU(0.2)(between)).sum(), x, create_graph=True)
    reached.clear()
    of_inner, of_bias = torch.autograd.grad(
        gradient.square().sum(), (inner.weight, inner.bias), allow_unused=True
    )
    assert reached == [None]
    assert of_bias is None
    slope = torch.where(inner(x) > 0, 1.0, 0.2) * outer.weight
    torch.testing.assert_close(of_inner, 2 * slope.t() @ (slope @ inner.weight))
