import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd import gradcheck, gradgradcheck

from ganutils import convolutions
from ganutils.convolutions import LeanConv2d, LeanConvTranspose2d

# kernel, stride, padding, output padding, and sizes of the large and the small side
GEOMETRIES = [(4, 2, 1, 0, 6, 3), (5, 2, 2, 1, 6, 3), (5, 1, 2, 0, 3, 3), (3, 2, 0, 0, 5, 2)]


def geometry(kernel, stride, padding, more):
    return convolutions._Geometry(*((number, number) for number in (stride, padding, kernel, more)))


def doubles(*shape):
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize(("kernel", "stride", "padding", "more", "large", "small"), GEOMETRIES)
def test_the_three_products_are_each_others_gradients(kernel, stride, padding, more, large, small):
    """To second order, against finite differences in double precision."""
    torch.manual_seed(0)
    how = geometry(kernel, stride, padding, more)
    x, y, weight, bias = (
        doubles(2, 2, large, large),
        doubles(2, 3, small, small),
        doubles(3, 2, kernel, kernel),
        doubles(3),
    )
    torch.testing.assert_close(
        convolutions._Forward.apply(x, weight, bias, how), F.conv2d(x, weight, bias, stride, padding)
    )
    expected = torch.nn.grad.conv2d_weight(x, weight.shape, y, stride, padding)
    torch.testing.assert_close(convolutions._ToWeight.apply(y, x, how), expected)
    for product, of in (("_Forward", (x, weight, bias)), ("_ToInput", (y, weight)), ("_ToWeight", (y, x))):
        apply = getattr(convolutions, product).apply
        assert gradcheck(lambda *of, apply=apply: apply(*of, how), of)
        assert gradgradcheck(lambda *of, apply=apply: apply(*of, how), of)


@pytest.mark.parametrize(
    ("lean", "plain", "shape"),
    [
        (LeanConv2d(16, 8, 4, 2, 1), nn.Conv2d, (5, 16, 8, 8)),
        (LeanConv2d(16, 8, 4, 2, 1, bias=False), nn.Conv2d, (5, 16, 8, 8)),
        (LeanConv2d(16, 8, 4, 2, 1), nn.Conv2d, (5, 16, 16, 16)),  # too many positions: the plain one
        (LeanConvTranspose2d(16, 8, 4, 2, 1), nn.ConvTranspose2d, (5, 16, 4, 4)),
        (LeanConvTranspose2d(16, 8, 5, 2, 2, 1), nn.ConvTranspose2d, (5, 16, 4, 4)),
    ],
)
def test_in_bf16_a_lean_layer_equals_the_plain_one_and_so_do_its_gradients(lean, plain, shape):
    torch.manual_seed(0)
    lean = lean.to(memory_format=torch.channels_last)
    x = torch.randn(shape).contiguous(memory_format=torch.channels_last).requires_grad_()
    of = [x, *lean.parameters()]
    results = []
    for forward in (lean.forward, lambda x: plain.forward(lean, x)):
        with torch.autocast("cpu", torch.bfloat16):
            y = forward(x)
            (gradient,) = torch.autograd.grad(y.float().square().sum(), x, create_graph=True)
        slope = gradient.float().square().sum()
        results.append((y, gradient, *torch.autograd.grad(slope, of, allow_unused=True)))
    for one, other in zip(*results, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            assert one.dtype == other.dtype
            assert (one - other).float().norm() <= 0.01 * other.float().norm()


def test_only_small_outputs_in_bf16_take_the_matrix_product():
    layer = LeanConv2d(4, 4, 4, 2, 1)
    small, large = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 16, 16)
    assert "_Forward" not in type(layer(small).grad_fn).__name__
    with torch.autocast("cpu", torch.bfloat16):
        assert type(layer(small).grad_fn).__name__ == "_ForwardBackward"
        assert "_Forward" not in type(layer(large).grad_fn).__name__
