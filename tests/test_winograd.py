import contextlib

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ganutils import winograd
from ganutils.bench.peak import count_flops
from ganutils.bench.workloads import untrained
from ganutils.convolutions import LeanConv2d, LeanConvTranspose2d
from ganutils.layers import LeanLeakyReLU
from ganutils.variants import dcgan, wgan

HOW = {"stride": 2, "padding": 1}
SHAPES = [(1, 1, 1, 4, 4), (2, 3, 5, 8, 8), (3, 4, 2, 8, 12), (2, 2, 3, 16, 4)]  # N, C, D, H, W
WAYS = [
    (winograd.convolve, lambda x, weight: F.conv2d(x, weight, **HOW)),
    (winograd.convolve_transposed, lambda y, weight: F.conv_transpose2d(y, weight, **HOW)),
]


@pytest.fixture
def on_intel(monkeypatch):
    monkeypatch.setattr(winograd, "_has_fast_products", lambda: True)


def sides(draw, count, inner, outer, height, width):
    """Return images of both sides and a kernel, as training has them in memory."""
    large, small = draw(count, inner, height, width), draw(count, outer, height // 2, width // 2)
    tensors = (large, small, draw(outer, inner, 4, 4))
    return [tensor.to(memory_format=torch.channels_last).requires_grad_() for tensor in tensors]


def integers(*shape):
    return torch.randint(-4, 5, shape).float()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("is_transposed", [False, True])
def test_of_integers_images_and_gradients_equal_the_plain_convolutions_exactly(shape, is_transposed):
    torch.manual_seed(0)
    large, small, weight = sides(integers, *shape)
    x, grad = (small, large) if is_transposed else (large, small)
    fast, plain = ((way(x, weight),) for way in WAYS[is_transposed])
    for one, other in zip(
        fast + torch.autograd.grad(fast, (x, weight), grad),
        plain + torch.autograd.grad(plain, (x, weight), grad),
        strict=True,
    ):
        assert torch.equal(one, other)


@pytest.mark.parametrize("is_transposed", [False, True])
def test_gradients_of_a_gradient_equal_the_plain_convolutions_exactly(is_transposed):
    """All terms of the second order, those of a gradient penalty among them."""
    torch.manual_seed(0)
    large, small, weight = sides(integers, 2, 3, 4, 8, 8)
    x, direction = (small, large) if is_transposed else (large, small)
    found = []
    for way in WAYS[is_transposed]:
        y = way(x, weight)
        first = torch.autograd.grad((y.square() * direction).sum(), (x, weight), create_graph=True)
        slope = first[0].sum() + first[1].sum()
        found.append(torch.autograd.grad(slope, (x, weight, direction)))
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


def test_rounding_is_that_of_single_precision():
    """Against double precision, at the sizes of DCGAN's widest layer."""
    torch.manual_seed(0)
    x, grad, weight = sides(torch.randn, 16, 128, 256, 8, 8)

    def all_of(way, *of):
        y = way(*of)
        return y, *torch.autograd.grad(y, of, grad.to(y.dtype))

    fast, plain = WAYS[0]
    exact = all_of(plain, x.double(), weight.double())
    for one, right in zip(all_of(fast, x, weight), exact, strict=True):
        assert (one - right).norm() <= 1e-6 * right.norm()


def test_what_it_returns_and_its_gradients_keep_channels_last():
    """Otherwise the next layer, or the optimiser, would copy them."""
    x, y, weight = sides(torch.randn, 2, 4, 6, 8, 8)
    result = winograd.convolve(x, weight)
    assert result.is_contiguous(memory_format=torch.channels_last)
    (of_weight,) = torch.autograd.grad(result, weight, y)
    assert of_weight.is_contiguous(memory_format=torch.channels_last)
    images = winograd.convolve_transposed(y, weight)
    assert images.is_contiguous(memory_format=torch.channels_last)
    (of_weight,) = torch.autograd.grad(images, weight, x)
    assert of_weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("layer", "x", "expected"),
    [
        (LeanConv2d(128, 128, 4, 2, 1), torch.empty(1, 128, 8, 8), True),
        (LeanConvTranspose2d(128, 128, 4, 2, 1), torch.empty(1, 128, 4, 4), True),
        (LeanConv2d(127, 128, 4, 2, 1), torch.empty(1, 127, 8, 8), False),
        (LeanConv2d(128, 127, 4, 2, 1), torch.empty(1, 128, 8, 8), False),
        (LeanConv2d(128, 128, 5, 2, 2), torch.empty(1, 128, 8, 8), False),
        (LeanConv2d(128, 128, 4, 1, 1), torch.empty(1, 128, 8, 8), False),
        (LeanConv2d(128, 128, 4, 2, 0), torch.empty(1, 128, 8, 8), False),
        (LeanConv2d(128, 128, 4, 2, 1), torch.empty(1, 128, 6, 8), False),
        (LeanConv2d(128, 128, 4, 2, 1), torch.empty(1, 128, 8, 6), False),
        (LeanConvTranspose2d(128, 128, 4, 2, 1), torch.empty(1, 128, 3, 4), False),
        (LeanConvTranspose2d(128, 128, 4, 2, 1, 1), torch.empty(1, 128, 4, 4), False),
        (LeanConv2d(128, 128, 4, 2, 1), torch.empty(1, 128, 8, 8, dtype=torch.float64), False),
        (LeanConv2d(128, 128, 4, 2, 1), torch.empty(1, 128, 8, 8, device="meta"), False),
    ],
)
def test_only_layers_that_it_fits_take_it(on_intel, layer, x, expected):
    assert winograd.is_worth_it(layer, x) == expected
    with torch.autocast("cpu", torch.bfloat16):
        assert not winograd.is_worth_it(layer, x)
    with winograd.plainly():
        assert not winograd.is_worth_it(layer, x)


@pytest.mark.parametrize(
    ("name", "expected"), [("Intel Xeon 2.50GHz", True), ("AMD EPYC 9554", False), ("arm", False)]
)
def test_only_intels_processors_take_it(monkeypatch, name, expected):
    monkeypatch.setattr(winograd, "device_name", lambda device: name)
    winograd._has_fast_products.cache_clear()
    try:
        assert winograd._has_fast_products() == expected
    finally:
        winograd._has_fast_products.cache_clear()


@pytest.mark.parametrize(
    ("lean", "plain", "shape"),
    [
        (LeanConv2d(128, 128, 4, 2, 1), nn.Conv2d, (2, 128, 8, 8)),
        (LeanConv2d(128, 128, 4, 2, 1, bias=False), nn.Conv2d, (2, 128, 8, 8)),
        (LeanConvTranspose2d(128, 128, 4, 2, 1), nn.ConvTranspose2d, (2, 128, 4, 4)),
    ],
)
def test_a_lean_layer_equals_the_plain_one(on_intel, monkeypatch, lean, plain, shape):
    torch.manual_seed(0)
    x = torch.randn(shape)
    called = []
    for name in ("convolve", "convolve_transposed"):
        way = getattr(winograd, name)
        monkeypatch.setattr(winograd, name, lambda *of, way=way: called.append(way) or way(*of))
    torch.testing.assert_close(lean(x), plain.forward(lean, x), rtol=1e-4, atol=1e-5)
    assert len(called) == 1


@pytest.mark.parametrize("layer", [LeanConv2d(128, 128, 4, 2, 1), LeanConvTranspose2d(128, 128, 4, 2, 1)])
@pytest.mark.parametrize("activation", [LeanLeakyReLU(0.2), nn.ReLU(inplace=True)])
def test_an_activation_in_place_may_follow(on_intel, layer, activation):
    torch.manual_seed(0)
    x = torch.randn(2, 128, 8, 8, requires_grad=True)
    found = []
    for wanted in (contextlib.nullcontext, winograd.plainly):
        with wanted():
            found.append(torch.autograd.grad(activation(layer(x)).square().sum(), (x, layer.weight)))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("layer", [LeanConv2d(128, 128, 4, 2, 1), LeanConvTranspose2d(128, 128, 4, 2, 1)])
def test_compiled_layers_stay_plain(on_intel, monkeypatch, layer):
    for name in ("convolve", "convolve_transposed"):
        monkeypatch.setattr(winograd, name, None)
    x = torch.randn(1, 128, 8, 8)
    torch.compiler.reset()
    compiled = torch.compile(layer, backend="aot_eager")
    with winograd.plainly():
        expected = layer(x)
    torch.testing.assert_close(compiled(x), expected)


@pytest.mark.parametrize("variant", [dcgan, wgan])
def test_losses_and_gradients_of_an_update_equal_those_of_plain_convolutions(on_intel, monkeypatch, variant):
    """Widths at which inner layers take it, with batch norm and with a gradient penalty."""
    params = variant.Params(
        dataset="shapes", n_images=16, batch_size=8, d_steps=1, device="cpu", precision="fp32"
    )
    calls = []
    for name in ("convolve", "convolve_transposed"):
        way = getattr(winograd, name)
        monkeypatch.setattr(winograd, name, lambda *of, way=way: calls.append(way) or way(*of))
    told = []
    for is_wanted in (True, False):
        monkeypatch.setattr(winograd._is_wanted, "value", is_wanted)
        update = untrained(params)
        torch.manual_seed(0)  # of the penalty's points
        told.append(update(torch.arange(8)))
        assert len(set(calls)) == 2 * is_wanted
        calls.clear()
    fast, plain = told
    assert {"d_grad", "g_grad"} <= fast.keys() == plain.keys()
    for name, value in fast.items():
        torch.testing.assert_close(value, plain[name], rtol=1e-3, atol=1e-5, msg=name)


def test_arithmetic_is_counted_as_it_is_written(on_intel, monkeypatch):
    """The widest layers have the arithmetic of 4x4 kernels also where they take less."""
    update = untrained(
        dcgan.Params(dataset="shapes", n_images=8, batch_size=8, device="cpu", precision="fp32")
    )
    counted = count_flops(update)
    monkeypatch.setattr(winograd, "_has_fast_products", lambda: False)
    assert counted == count_flops(update)
